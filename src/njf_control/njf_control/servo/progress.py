"""When a servo motion is over: reached, or as near as it gets."""

from collections import deque
from enum import IntEnum

import numpy as np
from jaxtyping import Float
from pydantic import Field

from njf_perception.config import Config

_NOISIEST = 4.0  # times `settle`: no noise excuses a larger mean correction


class Reason(IntEnum):
    """Why a motion ended; the values are those of njf_msgs/action/VisualServo."""

    CONVERGED = 0
    STALLED = 1
    TIMEOUT = 2
    CANCELED = 3
    LOST_TRACKS = 4
    STALE_IMAGE = 5
    ROBOT_NOT_READY = 6
    ESTOPPED = 7
    ROBOT_FAULT = 8
    INVALID_GOAL = 9
    NODE_ERROR = 10
    MODEL_UNSURE = 11


class ProgressConfig(Config):
    """What counts as reached and as stalled."""

    tolerance_px: float = Field(
        default=0.4, gt=0, description="mean pixel error that is reached [px]"
    )
    settle: float = Field(
        default=0.003, gt=0, description="mean remaining correction that is settled [normalised]"
    )
    hold_steps: int = Field(
        default=6, ge=1, description="steps over which both must hold on average"
    )
    stall_steps: int = Field(default=24, ge=4, description="steps in which the error must shrink")
    shrink: float = Field(
        default=0.95, gt=0, lt=1, description="largest ratio that counts as shrinking"
    )
    plateau_factor: float = Field(
        default=3.0,
        ge=1,
        description="a settled plateau below this many tolerances is reached, too",
    )


class Progress:
    """Judges a motion from the error and the remaining correction of every step.

    The error of a perfectly placed robot is not zero: tracks are noisy and correspondences are off
    by a fraction of a pixel. Hence the motion is not over with the first small error, but when the
    mean correction has vanished as well, and it is also over when the error has stopped shrinking.
    """

    def __init__(self, config: ProgressConfig) -> None:
        self._config = config
        self._errors_px: deque[float] = deque(maxlen=config.stall_steps)
        self._corrections: deque[Float[np.ndarray, " k"]] = deque(maxlen=config.hold_steps)
        self._plateau_steps = 0

    def update(self, error_px: float, correction: Float[np.ndarray, " k"]) -> Reason | None:
        """Take in one step; the reason when the motion is over, else None.

        `correction` is the goal's estimated set-point minus the present one [normalised].
        """
        self._errors_px.append(error_px)
        self._corrections.append(correction)
        recent_px = float(np.mean(list(self._errors_px)[-self._config.hold_steps :]))
        if self.settled and recent_px <= self._config.tolerance_px:
            return Reason.CONVERGED
        self._plateau_steps = self._plateau_steps + 1 if self._plateau() else 0
        if self._plateau_steps == 0:
            return None
        # Pixels that no command removes (track noise) are no reason to fail a settled motion.
        if recent_px > self._config.plateau_factor * self._config.tolerance_px:
            return Reason.STALLED
        if self.settled:
            return Reason.CONVERGED
        if self._plateau_steps < self._config.stall_steps:
            return None
        # Where points say little of some channel, its correction may never vanish.
        return Reason.CONVERGED if recent_px <= self._config.tolerance_px else Reason.STALLED

    @property
    def settled(self) -> bool:
        """The mean correction of the last steps has vanished, or is lost in its own noise."""
        count = len(self._corrections)
        if count < self._config.hold_steps:
            return False
        corrections = np.array(self._corrections)
        uncertainty = 2.0 * corrections.std(axis=0) / np.sqrt(count)
        allowed = np.clip(uncertainty, self._config.settle, _NOISIEST * self._config.settle)
        return bool((np.abs(corrections.mean(axis=0)) <= allowed).all())

    def _plateau(self) -> bool:
        """The second half of the stall window is no better than the first."""
        if len(self._errors_px) < self._config.stall_steps:
            return False
        first, second = np.array_split(np.array(self._errors_px), 2)
        return bool(second.mean() > self._config.shrink * first.mean())
