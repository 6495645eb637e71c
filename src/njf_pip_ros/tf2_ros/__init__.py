"""Stand-in for ROS `tf2_ros` where ROS is not installed: broadcast, listen and look up."""

from .broadcasters import StaticTransformBroadcaster, TransformBroadcaster
from .buffer import Buffer
from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    TransformException,
)
from .listener import TransformListener

__all__ = [
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "LookupException",
    "StaticTransformBroadcaster",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
]
