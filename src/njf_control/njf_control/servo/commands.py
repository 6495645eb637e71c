"""Set-points in SI units and in the model's normalised units, with the robot's limits in both."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig


@dataclass(frozen=True)
class CommandSpace:
    """Channels of one robot as one model knows them: u = (setpoint - center) / half_range.

    Attributes:
        names: channel names in the robot's order.
        center: set-point that is zero normalised [channel unit].
        half_range: size of one normalised unit [channel unit].
        lower, upper: range of set-points [normalised].
        max_rate: largest rate of change [normalised/s].
    """

    names: tuple[str, ...]
    center: Float[np.ndarray, " k"]
    half_range: Float[np.ndarray, " k"]
    lower: Float[np.ndarray, " k"]
    upper: Float[np.ndarray, " k"]
    max_rate: Float[np.ndarray, " k"]

    @staticmethod
    def of(
        robot: RobotConfig, center: Float[np.ndarray, " k"], half_range: Float[np.ndarray, " k"]
    ) -> "CommandSpace":
        """The robot's limits, cut to the range -1..1 that the model was trained in."""
        return CommandSpace(
            names=tuple(robot.channel_names),
            center=center,
            half_range=half_range,
            lower=np.maximum((robot.lower - center) / half_range, -1.0),
            upper=np.minimum((robot.upper - center) / half_range, 1.0),
            max_rate=robot.max_rate / half_range,
        )

    def normalised(self, setpoint: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Set-point [channel unit] in normalised units."""
        return (setpoint - self.center) / self.half_range

    def setpoint(self, normalised: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Normalised command as a set-point [channel unit]."""
        return self.center + normalised * self.half_range
