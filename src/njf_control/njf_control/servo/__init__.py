"""Visual servoing without ROS: from tracked points and Jacobians to set-points."""

from njf_control.servo.commands import CommandSpace
from njf_control.servo.history import SetpointHistory
from njf_control.servo.loop import Measurement, Servo, ServoConfig, ServoStep
from njf_control.servo.progress import Reason

__all__ = [
    "CommandSpace",
    "Measurement",
    "Reason",
    "Servo",
    "ServoConfig",
    "ServoStep",
    "SetpointHistory",
]
