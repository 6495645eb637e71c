"""A Jacobian field at surface points, in the unit in which channels can be compared."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from njf_perception.camera import project


@dataclass(frozen=True)
class FieldView:
    """Where the robot's surface is, and where each channel would move it.

    Attributes:
        points_m: surface points in the camera's optical frame [m].
        motion_m: motion of each point when a channel goes through half its range [m].
        confidence: 0..1 per point.
    """

    points_m: Float[np.ndarray, "n 3"]
    motion_m: Float[np.ndarray, "n 3 k"]
    confidence: Float[np.ndarray, " n"]

    def sure(self, confidence: float) -> "FieldView":
        """The points of which the model is at least that sure."""
        kept = self.confidence >= confidence
        return FieldView(self.points_m[kept], self.motion_m[kept], self.confidence[kept])

    @property
    def influence_m(self) -> Float[np.ndarray, "n k"]:
        """How far each channel moves each point when it goes through half its range [m]."""
        return np.linalg.norm(self.motion_m, axis=1)

    def moved(self, command: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 3"]:
        """Motion of the points under a small command in half ranges, to first order [m]."""
        return self.motion_m @ command

    def flow_px(
        self, command: Float[np.ndarray, " k"], K: Float[np.ndarray, "3 3"]
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
        """Where the points are seen, and how the command moves them in the image [px]."""
        begin = project(self.points_m, K)
        return begin, project(self.points_m + self.moved(command), K) - begin

    def nearest(self, pixels: Float[np.ndarray, "m 2"], K: Float[np.ndarray, "3 3"]) -> "FieldView":
        """For each pixel the point that is seen next to it. The field must have points."""
        seen = project(self.points_m, K)
        distances = np.linalg.norm(pixels[:, None] - seen[None], axis=2)
        index = np.argmin(distances, axis=1)
        return FieldView(self.points_m[index], self.motion_m[index], self.confidence[index])


def arrows(
    points_m: Float[np.ndarray, "n 3"], motion_m: Float[np.ndarray, "n 3"], longest_m: float
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 3"]]:
    """Ends of arrows in the direction of motion, the longest one of length `longest_m`.

    Motions below a fiftieth of the largest are noise of the model and left out.
    """
    length = np.linalg.norm(motion_m, axis=1)
    largest = float(length.max(initial=0.0))
    if largest <= 0.0:
        return points_m[:0], points_m[:0]
    shown = length > largest / 50
    begin = points_m[shown]
    return begin, begin + motion_m[shown] * (longest_m / largest)


def spread_out(count: int, at_most: int) -> Int64[np.ndarray, " m"]:
    """Indices of at most `at_most` of `count` items, evenly spread."""
    return np.arange(count) if count <= at_most else np.arange(at_most) * count // at_most
