"""The ways to tell the servo where to go."""

from enum import StrEnum


class GoalKind(StrEnum):
    """See njf_msgs/action/VisualServo; apart because the command line imports nothing heavy."""

    TRACKS = "tracks"
    IMAGE = "image"
