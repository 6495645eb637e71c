"""Random motions that show what every channel does: jumps, then small steps around them.

Small steps make the image motion nearly linear in the command and keep optical flow reliable;
jumps make the small steps happen all over the range.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_control.robot import RobotConfig

SAFE_FRACTION = 0.9  # of the range; keeps away from mechanical ends
STEP_SIGMA = 0.075  # of half the range: 0.09 rad for a joint of +-1.2 rad
STEP_LIMIT = 0.21  # of half the range: 0.25 rad for the same joint
MIN_CYCLES = 4  # of the driver that must show standstill, however far apart they are
SINGLE_CHANNEL_SHARE = 0.5  # of the steps move one channel alone


@dataclass(frozen=True)
class PlannedState:
    """One set-point to hold and photograph.

    Attributes:
        trajectory, step: states of one trajectory follow each other by small steps; step 0 is
            where a jump ends.
        setpoint: absolute, in the units of the channels.
    """

    trajectory: int
    step: int
    setpoint: Float[np.ndarray, " n"]


def plan(
    robot: RobotConfig, states: int, steps_per_trajectory: int, seed: int, first_trajectory: int = 0
) -> Iterator[PlannedState]:
    """`states` set-points, all inside the safe fraction of the range.

    Every trajectory has its own random stream, so a plan that starts at trajectory k continues
    one that stopped before it.
    """
    for index in range(states):
        trajectory, step = divmod(index, steps_per_trajectory + 1)
        if step == 0:
            rng = np.random.default_rng([seed, first_trajectory + trajectory])
            position = _random_pose(robot, rng)
        else:
            position = _small_step(robot, position, rng)
        yield PlannedState(first_trajectory + trajectory, step, position)


def _safe_range(robot: RobotConfig) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    center = (robot.lower + robot.upper) / 2
    reach = SAFE_FRACTION * (robot.upper - robot.lower) / 2
    return center - reach, center + reach


def _random_pose(robot: RobotConfig, rng: np.random.Generator) -> Float[np.ndarray, " n"]:
    return rng.uniform(*_safe_range(robot))


def _small_step(
    robot: RobotConfig, position: Float[np.ndarray, " n"], rng: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """A bounded random step of all channels or of one; turns back at the ends of the range."""
    half_range = (robot.upper - robot.lower) / 2
    step = np.clip(rng.normal(0, STEP_SIGMA, len(position)), -STEP_LIMIT, STEP_LIMIT) * half_range
    if rng.random() < SINGLE_CHANNEL_SHARE:
        step *= np.arange(len(position)) == rng.integers(len(position))
    low, high = _safe_range(robot)
    outside = (position + step < low) | (position + step > high)
    return np.clip(position + np.where(outside, -step, step), low, high)


class SettleDetector:
    """Says when the robot stands still at its set-point.

    Servos report positions in coarse steps (0.29 deg for an XL-320), so speed is judged by the
    spread of measured positions over a time window instead of by differences.
    """

    def __init__(
        self, window_s: float, tolerance: Float[np.ndarray, " n"], target: Float[np.ndarray, " n"]
    ) -> None:
        """Wait for `target`.

        Args:
            window_s: how long it must stand still.
            tolerance: how far applied set-points may be from the target, and measured values may
                spread over the window [channel unit].
            target: set-points to arrive at [channel unit].
        """
        self._window_s = window_s
        self._tolerance = tolerance
        self._target = target
        self._history: deque[tuple[float, Float[np.ndarray, " n"]]] = deque()

    def update(
        self,
        time_s: float,
        applied: Float[np.ndarray, " n"],
        measured: Float[np.ndarray, " n"],
    ) -> bool:
        """Take one driver cycle, measured at `time_s`; True when settled."""
        arrived = np.all(np.abs(applied - self._target) <= self._tolerance)
        if not arrived or not np.all(np.isfinite(measured)):
            self._history.clear()
            return False
        self._history.append((time_s, measured))
        while len(self._history) > MIN_CYCLES and time_s - self._history[1][0] >= self._window_s:
            self._history.popleft()
        values = np.array([value for _, value in self._history])
        span_s = time_s - self._history[0][0]
        enough = len(values) >= MIN_CYCLES and span_s >= self._window_s
        return enough and bool(np.all(np.ptp(values, axis=0) <= self._tolerance))
