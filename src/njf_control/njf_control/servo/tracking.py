"""Follows a goal's points; close to a goal image it measures against that image directly."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, UInt8

from njf_control.servo.goal import Goal
from njf_perception.trackers.base import PointTracker, Tracks

_AGREEMENT_PX = 3.0  # further apart, one of the two is wrong


class GoalTracker:
    """Tracks of a goal's points, in the goal's order.

    Far from the goal, points are followed from the first image. Once the mean error is below
    `anchor_px`, the target points are tracked from the goal image into the present one instead:
    errors of the correspondences and of the way there then cancel, and zero error means that the
    two images agree. Points not found that way (a part that is still turned away) stay as they are.
    """

    def __init__(
        self, goal: Goal, make_tracker: Callable[[], PointTracker], anchor_px: float = 8.0
    ) -> None:
        self._goal, self._make, self._anchor_px = goal, make_tracker, anchor_px
        self._tracker = make_tracker()
        self._anchor: PointTracker | None = None
        # Of the last tracks, those measured against the goal image.
        self.anchored_points: Bool[np.ndarray, " n"] = np.zeros(len(goal.start_px), bool)

    @property
    def anchored(self) -> bool:
        """The last tracks were measured against the goal image, where that was possible."""
        return self._anchor is not None

    def start(self, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        """Begin in the image in which the goal's start points were given."""
        return self._tracker.start(image, self._goal.start_px)

    def update(self, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        """Tracks in the next image."""
        tracks = self._tracker.update(image)
        if self._goal.reference is None or not self._near(tracks):
            self._anchor = None
            self.anchored_points = np.zeros(len(tracks.visible), bool)
            return tracks
        if self._anchor is None:
            self._anchor = self._make()
            self._anchor.start(self._goal.reference, self._goal.target.astype(np.float32))
        anchored = self._anchor.update(image)
        self.anchored_points = _better(anchored, tracks)
        return _merged(anchored, tracks, self.anchored_points)

    def _near(self, tracks: Tracks) -> bool:
        errors = np.linalg.norm(tracks.points - self._goal.target, axis=1)[tracks.visible]
        return len(errors) > 0 and bool(errors.mean() < self._anchor_px)


def _better(anchored: Tracks, tracks: Tracks) -> Bool[np.ndarray, " n"]:
    """Anchored points that are found and do not contradict the others."""
    apart = np.linalg.norm(anchored.points - tracks.points, axis=1) > _AGREEMENT_PX
    return anchored.visible & ~(tracks.visible & apart)


def _merged(anchored: Tracks, tracks: Tracks, better: Bool[np.ndarray, " n"]) -> Tracks:
    """Anchored points where they are better, else the others."""
    return Tracks(
        points=np.where(better[:, None], anchored.points, tracks.points),
        visible=better | tracks.visible,
        confidence=np.where(better, anchored.confidence, tracks.confidence),
    )
