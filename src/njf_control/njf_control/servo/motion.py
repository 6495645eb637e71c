"""What moved between two images, and by how much the set-point changed meanwhile."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_NS_PER_S = 1e9


@dataclass(frozen=True)
class Sight:
    """One image's points as the correction needs them.

    Attributes:
        stamp_ns: acquisition time [ns].
        setpoint: in effect in the image [normalised].
        points_px: tracked positions [px].
        anchored: points measured against the goal image, not the first one.
        weights: 0..1; zero where not seen.
        A: uncorrected image Jacobians [px per normalised command].
    """

    stamp_ns: int
    setpoint: Float[np.ndarray, " k"]
    points_px: Float[np.ndarray, "n 2"]
    anchored: Bool[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    A: Float[np.ndarray, "n 2 k"]


@dataclass(frozen=True)
class Motion:
    """A motion worth learning from; fields as `JacobianCorrection.update` takes them."""

    A: Float[np.ndarray, "n 2 k"]
    du: Float[np.ndarray, " k"]
    dp: Float[np.ndarray, "n 2"]
    weights: Float[np.ndarray, " n"]


class MotionWindow:
    """Pairs images between which the set-point changed enough to tell motion from noise."""

    def __init__(self, excitation: float, window_s: float) -> None:
        """`excitation` is the change worth a motion [normalised], within `window_s` at most."""
        self._excitation, self._window_ns = excitation, int(window_s * _NS_PER_S)
        self._first: Sight | None = None
        self._comparable: Bool[np.ndarray, " n"] = np.zeros(0, bool)

    def restart(self) -> None:
        """The next image has other points, or belongs to another motion."""
        self._first = None

    def add(self, sight: Sight) -> Motion | None:
        """Take in the next image; the motion since an earlier one, when it was large enough."""
        first = self._first
        if first is None or len(first.weights) != len(sight.weights):
            return self._begin(sight)
        self._comparable &= (sight.weights > 0) & (sight.anchored == first.anchored)
        du = sight.setpoint - first.setpoint
        if np.linalg.norm(du) < self._excitation:
            late = not 0 < sight.stamp_ns - first.stamp_ns < self._window_ns
            return self._begin(sight) if late else None
        weights = np.where(self._comparable, np.minimum(first.weights, sight.weights), 0.0)
        self._begin(sight)
        # The mean of both ends makes the prediction exact to second order in du.
        return Motion((first.A + sight.A) / 2, du, sight.points_px - first.points_px, weights)

    def _begin(self, sight: Sight) -> None:
        self._first, self._comparable = sight, sight.weights > 0
