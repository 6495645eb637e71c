"""What a data set would cost on a robot."""

import numpy as np

from njf_control.robot import RobotConfig
from njf_training.dataset import Dataset

SETTLE_S = 0.35  # to come to rest and be photographed, after the set-point has arrived [s]


def robot_minutes(dataset: Dataset, robot: RobotConfig) -> float:
    """Minutes of motion that a robot needs for a dataset's states.

    From state to state every channel goes at its largest rate, and the slowest counts; then comes
    `SETTLE_S`, or what the robot's simulation says if that is less.
    """
    ways = np.abs(np.diff(np.asarray(dataset.commands), axis=0))
    moving_s = (ways / robot.max_rate).max(axis=1).sum()
    still_s = len(dataset.commands) * min(SETTLE_S, robot.simulation.settle_s)
    return float((moving_s + still_s) / 60)
