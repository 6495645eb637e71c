"""Seeded goal and start poses."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig

GOAL_FRACTION = 0.8  # of the range: goals the robot can be driven beyond
START_OFFSET = 0.218  # of half the range: 15 deg for a joint of +-1.2 rad
START_SPREAD = 1 / 3  # the offset of each channel varies by this part of it, either way


@dataclass(frozen=True)
class Trial:
    """One goal pose and the pose from which it is to be reached [channel unit]."""

    goal: Float[np.ndarray, " n"]
    start: Float[np.ndarray, " n"]


def draw_trials(robot: RobotConfig, count: int, seed: int) -> list[Trial]:
    """`count` random trials; trial i is the same for every count."""
    return [_draw(robot, np.random.default_rng([seed, index])) for index in range(count)]


def sweep_poses(robot: RobotConfig) -> list[Float[np.ndarray, " n"]]:
    """Poses far apart: on the way through them every pixel is background most of the time."""
    low, high = _range(robot)
    alternating = np.where(np.arange(len(low)) % 2, high, low)
    return [low, high, alternating]


def _draw(robot: RobotConfig, rng: np.random.Generator) -> Trial:
    low, high = _range(robot)
    goal = rng.uniform(low, high)
    half_range = (robot.upper - robot.lower) / 2
    size = START_OFFSET * half_range * rng.uniform(1 - START_SPREAD, 1 + START_SPREAD, len(goal))
    offset = size * rng.choice([-1.0, 1.0], len(goal))
    outside = (goal + offset < low) | (goal + offset > high)
    return Trial(goal, goal + np.where(outside, -offset, offset))


def _range(robot: RobotConfig) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    center = (robot.lower + robot.upper) / 2
    reach = GOAL_FRACTION * (robot.upper - robot.lower) / 2
    return center - reach, center + reach
