"""A demonstrated motion as waypoints: where tracked points were, followed in that order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from pydantic import Field

from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_perception.trackers.base import PointTracker, Tracks

_NS_PER_S = 1e9
SPACING_PX = 5.0


class WaypointConfig(Config):
    """How a demonstration is followed."""

    tolerance_px: float = Field(
        default=2.5, gt=0, description="mean error at which a waypoint on the way is passed [px]"
    )
    look_ahead: int = Field(
        default=3, ge=0, description="waypoints that may be passed in one step, beside the next"
    )
    timeout_s: float = Field(
        default=5.0, gt=0, description="longest time on the way to one waypoint [s]"
    )


@dataclass(frozen=True)
class Waypoints:
    """Positions of the same points along a motion; the last one is the goal.

    Attributes:
        points_px: (u, v) [px]; anything where the weight is zero.
        weights: confidence of each, 0..1; zero where it was not visible.
    """

    points_px: Float32[np.ndarray, "m n 2"]
    weights: Float32[np.ndarray, "m n"]

    def __len__(self) -> int:
        """Number of waypoints."""
        return len(self.points_px)

    def keep(self, points: Bool[np.ndarray, " n"]) -> "Waypoints":
        """The waypoints of some of the points."""
        return Waypoints(self.points_px[:, points], self.weights[:, points])


def select_waypoints(
    tracks: Sequence[Tracks], spacing_px: float = SPACING_PX, min_points: int = 4
) -> Waypoints:
    """Frames between which the points move by `spacing_px` on average; the last frame always.

    The motion counts from the waypoint before, over the points visible in both, so that the noise
    of the tracks while the robot rests does not add up. The first frame is where the motion begins
    and no waypoint, unless nothing else is there.

    Raises:
        DataError: no frame at all, or fewer than `min_points` points are visible in the last one.
    """
    if not tracks or np.count_nonzero(tracks[-1].visible) < min_points:
        seen = np.count_nonzero(tracks[-1].visible) if tracks else 0
        raise DataError(
            f"the demonstration has {len(tracks)} frames and {seen} points visible in the last "
            f"one; at least {min_points} are needed. Give points that stay in view to the end."
        )
    chosen = [0]
    for index in range(1, len(tracks)):
        if _moved_px(tracks[chosen[-1]], tracks[index], min_points) >= spacing_px:
            chosen.append(index)
    last = len(tracks) - 1
    near = len(chosen) > 1 and _moved_px(tracks[chosen[-1]], tracks[last], 1) < spacing_px / 2
    chosen = [*(chosen[:-1] if near else chosen), last][1:]
    return Waypoints(
        np.stack([tracks[index].points for index in chosen]),
        np.stack([tracks[index].confidence * tracks[index].visible for index in chosen]),
    )


def track_video(
    frames: Iterable[UInt8[np.ndarray, "h w 3"]],
    first_points: Float32[np.ndarray, "n 2"],
    make_tracker: Callable[[], PointTracker],
) -> list[Tracks]:
    """Points (u, v) [px] of the first RGB image in every image; empty without images."""
    tracker: PointTracker = make_tracker()
    tracks: list[Tracks] = []
    for image in frames:
        tracks.append(tracker.update(image) if tracks else tracker.start(image, first_points))
    return tracks


def demonstration_from_video(
    frames: Iterable[UInt8[np.ndarray, "h w 3"]],
    first_points: Float32[np.ndarray, "n 2"],
    make_tracker: Callable[[], PointTracker],
    spacing_px: float = SPACING_PX,
    min_points: int = 4,
) -> Waypoints:
    """Track points through a video of the motion and choose waypoints.

    Args:
        frames: RGB images in order, of the camera of the loop.
        first_points: points to follow (u, v) in the first frame [px].
        make_tracker: makes the tracker, the same as in the loop.
        spacing_px: mean motion between two waypoints [px].
        min_points: points that must be visible in the last frame.

    Raises:
        DataError: no frame, or too few points visible at the end.
    """
    return select_waypoints(track_video(frames, first_points, make_tracker), spacing_px, min_points)


class WaypointFollower:
    """Says which waypoint is the target now. It only ever goes forward."""

    def __init__(self, waypoints: Waypoints, config: WaypointConfig) -> None:
        self._waypoints, self._config = waypoints, config
        self._since_ns: int | None = None
        self._from_px: Float[np.ndarray, "n 2"] | None = None  # where the last one was passed
        self.index = 0

    def __len__(self) -> int:
        """Number of waypoints."""
        return len(self._waypoints)

    @property
    def last(self) -> bool:
        """The target is the end of the demonstration."""
        return self.index == len(self) - 1

    @property
    def target_px(self) -> Float[np.ndarray, "n 2"]:
        """Where the points should go next [px]."""
        return self._waypoints.points_px[self.index].astype(np.float64)

    @property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Confidence of each target, 0..1."""
        return self._waypoints.weights[self.index].astype(np.float64)

    def overdue(self, stamp_ns: int) -> bool:
        """The waypoint on the way was not reached in its time; the last one has the goal's."""
        late_ns = stamp_ns - (stamp_ns if self._since_ns is None else self._since_ns)
        return not self.last and late_ns > self._config.timeout_s * _NS_PER_S

    def advance(
        self, stamp_ns: int, points_px: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]
    ) -> bool:
        """Pass what the points have reached; whether the target is another one now."""
        if self._since_ns is None:
            self._since_ns = stamp_ns
        if self._from_px is None:
            self._from_px = points_px
        farthest = min(self.index + self._config.look_ahead, len(self) - 2)
        for index in range(farthest, self.index - 1, -1):
            near = self._error_px(index, points_px, weights) <= self._config.tolerance_px
            if near and self._onwards(index, self._from_px, weights):
                self.index, self._since_ns, self._from_px = index + 1, stamp_ns, points_px
                return True
        return False

    def skip(self, stamp_ns: int) -> None:
        """Go on to the next: this one is as near as it gets."""
        self.index, self._since_ns = min(self.index + 1, len(self) - 1), stamp_ns
        self._from_px = None

    def _onwards(
        self, index: int, from_px: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]
    ) -> bool:
        """Those before this waypoint lie on the way to it: a way that turns back is no shortcut."""
        away_px = self._error_px(index, from_px, weights)
        between = [self._error_px(k, from_px, weights) for k in range(self.index, index)]
        return all(error_px <= away_px for error_px in between if np.isfinite(error_px))

    def _error_px(
        self, index: int, points_px: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]
    ) -> float:
        """Weighted mean distance from a waypoint [px]; infinite where nothing is comparable."""
        w = self._waypoints.weights[index] * weights
        if not (w > 0).any():
            return np.inf
        distances = np.linalg.norm(self._waypoints.points_px[index] - points_px, axis=1)
        return float(np.average(distances[w > 0], weights=w[w > 0]))


def _moved_px(first: Tracks, second: Tracks, min_points: int) -> float:
    """Mean motion of the points visible in both [px]; zero when they are too few to tell."""
    both = first.visible & second.visible
    if np.count_nonzero(both) < min_points:
        return 0.0
    return float(np.linalg.norm(second.points[both] - first.points[both], axis=1).mean())
