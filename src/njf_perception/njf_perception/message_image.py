"""Pixels of serialised image messages that were decoded without ROS (see `njf_perception.bag`)."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from njf_perception.depth_image import MILLIMETRE_M, depth_metres
from njf_perception.errors import DataError
from njf_perception.image_compression import DEPTH_HEADER

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}
_DEPTH_KINDS = {"16UC1": np.uint16, "32FC1": np.float32}


def decode_rgb(message: Any, topic: str, type_name: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a sensor_msgs/Image or CompressedImage; raises DataError as those below do."""
    if type_name == COMPRESSED_TYPE:
        return decode_compressed(message, topic)
    return decode_image(message, topic)


def decode_depth(message: Any, topic: str, type_name: str) -> UInt16[np.ndarray, "h w"]:
    """Depth [mm], 0 unknown, of a sensor_msgs/Image or CompressedImage; raises DataError."""
    if type_name == COMPRESSED_TYPE:
        return decode_compressed_depth(message, topic)
    return decode_depth_image(message, topic)


def decode_image(message: Any, topic: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a sensor_msgs/Image.

    Raises:
        DataError: the encoding is not rgb8, bgr8 or mono8, or the data do not fill the image.
    """
    channels = _CHANNELS.get(message.encoding)
    if channels is None:
        raise DataError(
            f"{topic}: encoding {message.encoding!r}; expected {', '.join(_CHANNELS)}. "
            "Set the camera driver's output format."
        )
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.asarray(message.data, np.uint8)
    if not height or step < width * channels or len(data) != height * step:
        raise DataError(
            f"{topic}: an image of {width} x {height} px, step {step}, holds {len(data)} bytes; "
            f"expected {height * step}. Record it again."
        )
    rows = data.reshape(height, step)
    pixels = rows[:, : width * channels].reshape(height, width, channels)
    if message.encoding == "bgr8":
        return np.ascontiguousarray(pixels[..., ::-1])
    return np.repeat(pixels, 3, axis=-1) if channels == 1 else pixels


def decode_compressed(message: Any, topic: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a sensor_msgs/CompressedImage (JPEG or PNG).

    Raises:
        DataError: not an image that OpenCV can read.
    """
    data = np.asarray(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise DataError(
            f"{topic}: {len(data)} bytes of format {message.format!r} are no readable image. "
            "Record JPEG or PNG."
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def decode_depth_image(message: Any, topic: str) -> UInt16[np.ndarray, "h w"]:
    """Depth [mm] of a sensor_msgs/Image, 0 where unknown (REP 118).

    Raises:
        DataError: the encoding is not 16UC1 or 32FC1.
    """
    kind = _depth_kind(message.encoding, topic)
    order = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    rows = np.asarray(message.data, np.uint8).reshape(message.height, message.step)
    width_bytes = message.width * order.itemsize
    values = np.ascontiguousarray(rows[:, :width_bytes]).view(order).astype(kind)
    return _millimetres(values)


def decode_compressed_depth(message: Any, topic: str) -> UInt16[np.ndarray, "h w"]:
    """Depth [mm], 0 unknown, of a sensor_msgs/CompressedImage of compressedDepth.

    Inverse depth is turned round: depth = A / (value - B), 0 is unknown.

    Raises:
        DataError: the encoding is not 16UC1 or 32FC1, or the data are no PNG (RVL is not read).
    """
    encoding, _, codec = message.format.partition(";")
    kind = _depth_kind(encoding, topic)
    data = np.asarray(message.data, np.uint8)
    file = data[DEPTH_HEADER.size :]
    values = None
    if "rvl" not in codec and len(file):
        values = cv2.imdecode(file, cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        raise DataError(
            f"{topic}: {len(data)} bytes of format {message.format!r} are no PNG of 16 bits. "
            "Set the format of compressedDepth to png and record again."
        )
    if kind is np.uint16:
        return np.asarray(values)
    _, a, b = DEPTH_HEADER.unpack_from(data.tobytes())
    with np.errstate(divide="ignore"):
        metres = np.where(values > 0, a / (values.astype(np.float32) - b), np.nan)
    return _millimetres(metres.astype(np.float32))


def _depth_kind(encoding: str, topic: str) -> type:
    kind = _DEPTH_KINDS.get(encoding)
    if kind is None:
        raise DataError(
            f"{topic}: encoding {encoding!r}; expected 16UC1 [mm] or 32FC1 [m]. "
            "Set the depth camera driver's output format."
        )
    return kind


def _millimetres(
    values: UInt16[np.ndarray, "h w"] | Float32[np.ndarray, "h w"],
) -> UInt16[np.ndarray, "h w"]:
    millimetres = depth_metres(values) / MILLIMETRE_M
    fits = millimetres < np.iinfo(np.uint16).max
    return np.where(fits, np.rint(millimetres), 0).astype(np.uint16)
