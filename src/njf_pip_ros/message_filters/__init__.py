"""Stand-in for ROS `message_filters` where ROS is not installed: subscribe and synchronise."""

from .filters import SimpleFilter, Subscriber
from .synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = ["ApproximateTimeSynchronizer", "SimpleFilter", "Subscriber", "TimeSynchronizer"]
