"""Where points were over time: what a demonstration or a table of tracks says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks

FEWEST_POINTS = 4  # to be steered by, as the servo's own default


@dataclass(frozen=True)
class PointPaths:
    """The same points at several instants; where they go is where they are last.

    Attributes:
        times_s: instants, rising [s].
        ids: name of each point.
        points_px: (u, v) [px]; anything where not visible.
        visible: the point was seen at this instant.
        confidence: 0 to 1.
        spots: the spot that each point is part of (`njf_control.servo.spots`); None: every point
            counts by itself.
    """

    times_s: Float[np.ndarray, " t"]
    ids: Int64[np.ndarray, " n"]
    points_px: Float32[np.ndarray, "t n 2"]
    visible: Bool[np.ndarray, "t n"]
    confidence: Float32[np.ndarray, "t n"]
    spots: Int64[np.ndarray, " n"] | None = None

    @property
    def frames(self) -> list[Tracks]:
        """The points, instant by instant."""
        parts = zip(self.points_px, self.visible, self.confidence, strict=True)
        return [Tracks(points, visible, sure) for points, visible, sure in parts]

    @property
    def start(self) -> Tracks:
        """Where the points are first."""
        return self.frames[0]

    @property
    def end(self) -> Tracks:
        """Where the points are last."""
        return self.frames[-1]

    @property
    def is_way(self) -> bool:
        """There is something between start and end that is to be followed."""
        return len(self.times_s) > 2

    def of(self, which: Bool[np.ndarray, " n"]) -> "PointPaths":
        """Some of the points."""
        seen, sure = self.visible[:, which], self.confidence[:, which]
        spots = None if self.spots is None else self.spots[which]
        return PointPaths(
            self.times_s, self.ids[which], self.points_px[:, which], seen, sure, spots
        )


def require_enough(paths: PointPaths, source: str) -> None:
    """See that a robot can be steered by the points that `source` gives.

    Raises:
        DataError: they are too few.
    """
    if len(paths.ids) < FEWEST_POINTS:
        raise DataError(
            f"{source} has {len(paths.ids)} points, at least {FEWEST_POINTS} are needed to steer "
            "by. Track more points of the part that moves."
        )


def paths_of(times_s: Sequence[float], frames: Sequence[Tracks]) -> PointPaths:
    """The paths of tracked points, named by their order.

    Raises:
        DataError: there are fewer than two instants, or as many times as frames there are not.
    """
    if len(frames) < 2 or len(times_s) != len(frames):
        raise DataError(
            f"{len(frames)} images of tracks with {len(times_s)} times; expected at least two, and "
            "equally many. Record a longer motion."
        )
    return PointPaths(
        np.asarray(times_s, np.float64),
        np.arange(len(frames[0].points)),
        np.stack([tracks.points for tracks in frames]).astype(np.float32),
        np.stack([tracks.visible for tracks in frames]),
        np.stack([tracks.confidence for tracks in frames]).astype(np.float32),
    )


def straight_paths(
    start_px: Float[np.ndarray, "n 2"],
    goal_px: Float[np.ndarray, "n 2"],
    spots: Int64[np.ndarray, " n"] | None = None,
) -> PointPaths:
    """Points that were picked, and where they (or the spots they are on) shall go, by any way."""
    count = len(start_px)
    seen = Tracks(np.zeros((count, 2), np.float32), np.ones(count, bool), np.ones(count, "f4"))
    both = [
        Tracks(np.asarray(px, np.float32), seen.visible, seen.confidence)
        for px in (start_px, goal_px)
    ]
    return replace(paths_of([0.0, 1.0], both), spots=spots)
