"""Stand-in for ROS `cv_bridge` where ROS is not installed: the same names, fewer encodings."""

from .core import CvBridge, CvBridgeError

__all__ = ["CvBridge", "CvBridgeError"]
