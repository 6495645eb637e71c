"""Pixels of serialised image messages that were decoded without ROS (see `njf_perception.bag`)."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from njf_perception.errors import DataError

IMAGE_TYPE = "sensor_msgs/msg/Image"
COMPRESSED_TYPE = "sensor_msgs/msg/CompressedImage"
_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1}


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
