"""How a goal is shown: the robot leaves it while its points are tracked.

Driving away from a goal is a demonstration in reverse. On a long way a part turns, or hides behind
another one, and points are lost; then a new leg begins with fresh points. The servo goes back leg
by leg, each a goal of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from njf_control.servo.goal import Goal, goal_from_tracks, require_points
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

TRACKING_SPEED = 0.3  # away from the goal, slow enough for the tracker [half range / s]
POINTS = 120
FEWEST_POINTS = 12
THROUGH_PX = 2.0  # reached well enough for a leg that does not end in the goal
_KEPT = 0.6  # of a leg's points; with fewer the next leg begins
_FEWEST_FRAMES = 4  # of a leg

PickPoints = Callable[[], Float32[np.ndarray, "n 2"]]


@dataclass(frozen=True)
class Leg:
    """A part of the way, from where its points were picked to where they were last seen.

    Attributes:
        then, picture: its points where it begins, near the goal, and the image there.
        now, end: the same points where it ends, and the image there.
    """

    then: Tracks
    picture: UInt8[np.ndarray, "h w 3"]
    now: Tracks
    end: UInt8[np.ndarray, "h w 3"]

    def watch(self) -> "LegWatch":
        """What finds its points in images that begin near the leg's end."""
        return LegWatch(self)

    def goal(self, image: UInt8[np.ndarray, "h w 3"], min_points: int) -> Goal:
        """What brings the robot that `image` shows, near this leg's end, to the leg's beginning.

        The goal as the action server makes it of tracks with a goal image.

        Raises:
            GoalError: too few points are seen in `image` and were seen all along.
        """
        ids = np.arange(len(self.then.points))
        goal = goal_from_tracks(ids, self.watch().update(image), ids, self.then)
        return replace(
            require_points(goal, min_points, "the way from the goal"), reference=self.picture
        )


class LegWatch:
    """Tracks a leg's points from its end on; those that were lost before stay out of sight."""

    def __init__(self, leg: Leg) -> None:
        self._known = leg.now.visible
        self._tracker = LucasKanadeTracker()
        self._tracker.start(leg.end, leg.now.points)

    def update(self, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        """The points in the next image."""
        tracks = self._tracker.update(image)
        return replace(tracks, visible=tracks.visible & self._known)


class Follower:
    """Tracks the robot's points from image to image and divides the way into legs."""

    def __init__(self, image: UInt8[np.ndarray, "h w 3"], pick: PickPoints) -> None:
        """Begin at the goal, with the points that `pick` finds on the robot in `image`.

        Raises:
            DataError: too few points can be tracked.
        """
        points = pick()
        if len(points) < FEWEST_POINTS:
            raise DataError(
                f"only {len(points)} points to track on the robot, wants {FEWEST_POINTS}. Does the "
                "camera see the robot, and did it move?"
            )
        self._legs: list[Leg] = []
        self._begin(image, points)

    def follow(self, image: UInt8[np.ndarray, "h w 3"], pick: PickPoints) -> None:
        """Take in the next image; `pick` finds points in it when they are needed."""
        tracks = self._tracker.update(image)
        self._newest, self._frames = (tracks, image), self._frames + 1
        few = tracks.visible.sum() < _KEPT * len(tracks.visible)
        if few and self._frames >= _FEWEST_FRAMES:
            points = pick()
            if len(points) >= FEWEST_POINTS:
                self._legs.append(self._newest_leg())
                self._begin(image, points)

    def legs(self) -> list[Leg]:
        """The way so far, the newest leg first."""
        return [*self._legs, self._newest_leg()][::-1]

    def _begin(self, image: UInt8[np.ndarray, "h w 3"], points: Float32[np.ndarray, "n 2"]) -> None:
        self._tracker, self._picture, self._frames = LucasKanadeTracker(), image, 0
        self._then = self._tracker.start(image, points)
        self._newest = self._then, image

    def _newest_leg(self) -> Leg:
        return Leg(self._then, self._picture, *self._newest)
