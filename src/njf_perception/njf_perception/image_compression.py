"""Compressed images as ROS's image_transport plugins write them, so that its tools read ours.

Colour: `sensor_msgs/CompressedImage` on `<topic>/compressed`, a JPEG or PNG file and the format
"<encoding>; jpeg compressed bgr8" (compressed_image_transport, compressed_publisher.cpp).

Depth: on `<topic>/compressedDepth`, the format "<encoding>; compressedDepth png", and before the
file 12 bytes: int32 0 and the two float32 of inverse depth, A and B. They mean something for 32FC1
alone, whose PNG holds A / depth + B; that of 16UC1 holds the millimetres as they are
(compressed_depth_image_transport, compression_common.h and codec.cpp).
"""

import struct
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16

COMPRESSED_LEAF = "compressed"
COMPRESSED_DEPTH_LEAF = "compressedDepth"
DEPTH_HEADER = struct.Struct("<iff")  # of depth: 0 (inverse depth), A, B


@dataclass(frozen=True)
class Compression:
    """How images are compressed.

    Attributes:
        format: of colour; depth is always PNG.
        jpeg_quality: 1 to 100; from 95 on hardly anything is lost.
        png_level: 0 to 9; higher is smaller and slower, and loses as little.
    """

    format: Literal["jpeg", "png"] = "jpeg"
    jpeg_quality: int = 95
    png_level: int = 1


@dataclass(frozen=True)
class Compressed:
    """A compressed image: `format` and `data` of a sensor_msgs/CompressedImage."""

    format: str
    data: UInt8[np.ndarray, " n"]


def compress_image(image: UInt8[np.ndarray, "h w 3"], how: Compression) -> Compressed:
    """A JPEG or PNG file of an RGB image."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if how.format == "png":
        options = [cv2.IMWRITE_PNG_COMPRESSION, how.png_level]
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, how.jpeg_quality]
    _, data = cv2.imencode(f".{how.format}", bgr, options)
    return Compressed(f"rgb8; {how.format} compressed bgr8", np.asarray(data, np.uint8).ravel())


def compress_depth(depth_mm: UInt16[np.ndarray, "h w"], how: Compression) -> Compressed:
    """A depth image [mm, 0 unknown] as the header and a PNG file; nothing is lost."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, how.png_level]
    _, file = cv2.imencode(".png", depth_mm, options)
    header = np.frombuffer(DEPTH_HEADER.pack(0, 0.0, 0.0), np.uint8)
    data = np.concatenate([header, np.asarray(file, np.uint8).ravel()])
    return Compressed("16UC1; compressedDepth png", data)
