"""Conversion between numpy images and `sensor_msgs` images."""

import array
import re
import sys
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

# Colour encodings: (dtype, channels). Every other encoding is of the form 16UC1.
_COLOURS = {
    "mono8": ("uint8", 1),
    "bgr8": ("uint8", 3),
    "rgb8": ("uint8", 3),
    "bgra8": ("uint8", 4),
    "rgba8": ("uint8", 4),
    "mono16": ("uint16", 1),
}
_KINDS = {"U": "uint", "S": "int", "F": "float"}
_GENERIC = re.compile(r"(8|16|32|64)([USF])C?(\d*)")
_CV_NAMES = {"mono": "GRAY", "bgr": "BGR", "rgb": "RGB", "bgra": "BGRA", "rgba": "RGBA"}


class CvBridgeError(TypeError):
    """An encoding is unknown, does not fit the array, or cannot be converted as asked."""


class CvBridge:
    """Converts `sensor_msgs` images to numpy arrays and back."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """The image as an array of shape (height, width) or (height, width, channels).

        The array shares the message's memory where no conversion or copy is needed.

        Raises:
            CvBridgeError: the encoding is unknown or cannot be converted to `desired_encoding`, or
                the data are shorter than height and step say.
        """
        dtype, channels = _layout(img_msg.encoding)
        dtype = dtype.newbyteorder(">" if img_msg.is_bigendian else "<")
        height, width = img_msg.height, img_msg.width
        row_items = width * channels
        if len(img_msg.data) < height * img_msg.step or img_msg.step < row_items * dtype.itemsize:
            raise CvBridgeError(
                f"{len(img_msg.data)} bytes with step {img_msg.step} cannot hold "
                f"{width} x {height} pixels of {img_msg.encoding}"
            )
        rows = np.ndarray(
            (height, row_items), dtype, _buffer(img_msg), strides=(img_msg.step, dtype.itemsize)
        )
        image = np.ascontiguousarray(rows.astype(dtype.newbyteorder("="), copy=False))
        image = image.reshape((height, width) if channels == 1 else (height, width, channels))
        return _convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = "passthrough", header: Any = None
    ) -> Image:
        """The array as a message; `encoding` labels the array, it does not convert it.

        Raises:
            CvBridgeError: `encoding` does not fit the array's type and channels.
        """
        channels = 1 if cvim.ndim == 2 else cvim.shape[2]
        if encoding == "passthrough":
            encoding = _generic_name(cvim.dtype, channels)
        elif _layout(encoding) != (cvim.dtype.newbyteorder("="), channels):
            has = _generic_name(cvim.dtype, channels)
            raise CvBridgeError(f"encoding {encoding} does not fit an array of type {has}")
        message = Image(encoding=encoding)
        if header is not None:
            message.header = header
        message.height, message.width = cvim.shape[:2]
        message.step = cvim.shape[1] * channels * cvim.dtype.itemsize
        message.is_bigendian = int(_is_big_endian(cvim.dtype))
        message.data = _byte_array(cvim)
        return message

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> np.ndarray:
        """Decode a JPEG or PNG message; colour images come as bgr8 unless asked otherwise.

        Raises:
            CvBridgeError: the bytes are no image, or cannot be converted to `desired_encoding`.
        """
        data = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
        if image is None:
            raise CvBridgeError(f"{data.size} bytes of '{cmprs_img_msg.format}' are no image")
        return _convert(image, "mono8" if image.ndim == 2 else "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = "jpg"
    ) -> CompressedImage:
        """Encode a mono8 or bgr8 array as JPEG ("jpg") or PNG ("png").

        Raises:
            CvBridgeError: OpenCV cannot write the array in that format.
        """
        try:
            _, data = cv2.imencode(f".{dst_format}", cvim)
        except cv2.error as error:
            raise CvBridgeError(f"cannot write {cvim.dtype} as '{dst_format}': {error}") from None
        return CompressedImage(
            format="jpeg" if dst_format == "jpg" else dst_format, data=_byte_array(data)
        )


def _layout(encoding: str) -> tuple[np.dtype, int]:
    """Native dtype and number of channels of an encoding."""
    if encoding in _COLOURS:
        name, channels = _COLOURS[encoding]
        return np.dtype(name), channels
    match = _GENERIC.fullmatch(encoding)
    if match is None:
        raise CvBridgeError(f"unknown encoding '{encoding}'")
    bits, kind, channels = match.groups()
    return np.dtype(f"{_KINDS[kind]}{bits}"), int(channels or 1)


def _generic_name(dtype: np.dtype, channels: int) -> str:
    kind = {"u": "U", "i": "S", "f": "F"}.get(dtype.kind)
    if kind is None:
        raise CvBridgeError(f"an image cannot hold {dtype}")
    return f"{8 * dtype.itemsize}{kind}C{channels}"


def _convert(image: np.ndarray, encoding: str, desired: str) -> np.ndarray:
    if desired in ("passthrough", "", encoding):
        return image
    if desired not in _COLOURS and _layout(desired) == _layout(encoding):
        return image
    source, target = (_CV_NAMES.get(name.rstrip("0123456789")) for name in (encoding, desired))
    if not source or not target or _layout(encoding)[0] != _layout(desired)[0]:
        raise CvBridgeError(f"cannot convert {encoding} to {desired}")
    return cv2.cvtColor(image, getattr(cv2, f"COLOR_{source}2{target}"))


def _buffer(message: Image) -> Any:
    """The message's bytes; generated Python code may hand them out as a list."""
    return bytes(message.data) if isinstance(message.data, list) else message.data


def _byte_array(values: np.ndarray) -> array.array:
    """Bytes of an array in the one type that message setters take without a copy per element."""
    data = array.array("B")
    data.frombytes(values.tobytes())
    return data


def _is_big_endian(dtype: np.dtype) -> bool:
    return dtype.byteorder == ">" or (dtype.byteorder == "=" and sys.byteorder == "big")
