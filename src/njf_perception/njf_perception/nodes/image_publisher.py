"""Publishers of images and depth images, raw and compressed, that make only what is asked for."""

import numpy as np
from jaxtyping import UInt8, UInt16
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from njf_perception.errors import ConfigError
from njf_perception.image_compression import (
    COMPRESSED_DEPTH_LEAF,
    COMPRESSED_LEAF,
    Compressed,
    Compression,
    compress_depth,
    compress_image,
)
from njf_perception.nodes.conversions import byte_array, image_to_msg
from njf_perception.nodes.parameters import declare

_QOS = QoSProfile(depth=5)
_FORMATS = ("jpeg", "png")


def declare_compression(node: Node) -> Compression:
    """Declare a node's parameters of compressed images and return their values.

    Raises:
        ConfigError: an unknown format.
    """
    chosen = declare(
        node, "compressed_format", "jpeg", "Compressed images: jpeg or png [-]", read_only=True
    )
    if chosen not in _FORMATS:
        raise ConfigError(
            f"compressed_format is '{chosen}'; expected {' or '.join(_FORMATS)}. Choose one."
        )
    defaults = Compression()
    quality = declare(
        node, "jpeg_quality", defaults.jpeg_quality, "Quality of JPEG images [-]", 1, 100, True
    )
    level = declare(
        node,
        "png_level",
        defaults.png_level,
        "Effort for PNG images and depth, which lose nothing [-]",
        0,
        9,
        True,
    )
    return Compression(chosen, quality, level)


class ImagePublisher:
    """`<camera>/image_raw`, and the same on `/compressed`; nothing is made for nobody."""

    def __init__(self, node: Node, camera: str, how: Compression) -> None:
        topic = f"{camera}/image_raw"
        self._how = how
        self._raw = node.create_publisher(Image, topic, _QOS)
        self._compressed = node.create_publisher(
            CompressedImage, f"{topic}/{COMPRESSED_LEAF}", _QOS
        )

    @property
    def is_watched(self) -> bool:
        """Whether anybody subscribes."""
        return any(p.get_subscription_count() > 0 for p in (self._raw, self._compressed))

    def publish(self, image: UInt8[np.ndarray, "h w 3"], header: Header) -> None:
        """Publish an RGB image to those who asked for it, in the way they asked for."""
        if self._raw.get_subscription_count() > 0:
            self._raw.publish(image_to_msg(image, header, "rgb8"))
        if self._compressed.get_subscription_count() > 0:
            self._compressed.publish(_message(compress_image(image, self._how), header))


class DepthPublisher:
    """`<stream>/image_raw` [mm, 0 unknown], and the same on `/compressedDepth`."""

    def __init__(self, node: Node, stream: str, how: Compression) -> None:
        topic = f"{stream}/image_raw"
        self._how = how
        self._raw = node.create_publisher(Image, topic, _QOS)
        self._compressed = node.create_publisher(
            CompressedImage, f"{topic}/{COMPRESSED_DEPTH_LEAF}", _QOS
        )

    @property
    def is_watched(self) -> bool:
        """Whether anybody subscribes."""
        return any(p.get_subscription_count() > 0 for p in (self._raw, self._compressed))

    def publish(self, depth_mm: UInt16[np.ndarray, "h w"], header: Header) -> None:
        """Publish a depth image to those who asked for it, in the way they asked for."""
        if self._raw.get_subscription_count() > 0:
            self._raw.publish(image_to_msg(depth_mm, header, "16UC1"))
        if self._compressed.get_subscription_count() > 0:
            self._compressed.publish(_message(compress_depth(depth_mm, self._how), header))


def _message(image: Compressed, header: Header) -> CompressedImage:
    return CompressedImage(header=header, format=image.format, data=byte_array(image.data))
