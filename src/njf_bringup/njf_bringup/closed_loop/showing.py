"""How a goal is shown: the robot leaves it while its points are tracked.

Driving away from a goal is a demonstration in reverse. On a long way a part turns, or hides behind
another one, and points are lost; then a new leg begins with fresh points. The servo goes back leg
by leg, each a goal of its own.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from njf_bringup.closed_loop.plant import Plant, Truth, View
from njf_bringup.demo.goals import Trial
from njf_control.servo.goal import Goal, goal_from_tracks, require_points
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points

TRACKING_SPEED = 0.3  # away from the goal, as in the demo [half range / s]
POINTS = 120
FEWEST_POINTS = 12
_KEPT = 0.6  # of a leg's points; with fewer the next leg begins
_FEWEST_FRAMES = 4  # of a leg
_GROWN_PX = 3  # points lie off the mask's border, which leaves a slim robot without any


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

    def goal(self, image: UInt8[np.ndarray, "h w 3"], min_points: int) -> Goal:
        """What brings the robot that `image` shows, near this leg's end, to the leg's beginning.

        The goal as the action server makes it of tracks with a goal image.

        Raises:
            GoalError: too few points are seen in `image` and were seen all along.
        """
        tracker = LucasKanadeTracker()
        tracker.start(self.end, self.now.points)
        here = tracker.update(image)
        seen = replace(here, visible=here.visible & self.now.visible)
        ids = np.arange(len(seen.points))
        goal = goal_from_tracks(ids, seen, ids, self.then)
        return replace(
            require_points(goal, min_points, "the way from the goal"), reference=self.picture
        )


@dataclass(frozen=True)
class Shown:
    """A goal that was shown: where the robot really stood, and the legs back, last one first."""

    truth: Truth
    legs: list[Leg]


class Follower:
    """Tracks the robot's points from image to image and divides the way into legs."""

    def __init__(self, view: View) -> None:
        """Begin at the goal.

        Raises:
            DataError: too few points can be tracked.
        """
        points = robot_points(view)
        if len(points) < FEWEST_POINTS:
            raise DataError(
                f"only {len(points)} points to track on the robot, wants {FEWEST_POINTS}. "
                "Does the camera see the robot?"
            )
        self._legs: list[Leg] = []
        self._begin(view, points)

    def follow(self, view: View) -> None:
        """Take in the next image."""
        tracks = self._tracker.update(view.rgb)
        self._newest, self._frames = (tracks, view.rgb), self._frames + 1
        few = tracks.visible.sum() < _KEPT * len(tracks.visible)
        if few and self._frames >= _FEWEST_FRAMES:
            points = robot_points(view)
            if len(points) >= FEWEST_POINTS:
                self._end()
                self._begin(view, points)

    def legs(self) -> list[Leg]:
        """The way so far, the newest leg first."""
        self._end()
        return self._legs[::-1]

    def _begin(self, view: View, points: Float32[np.ndarray, "n 2"]) -> None:
        self._tracker, self._picture, self._frames = LucasKanadeTracker(), view.rgb, 0
        self._then = self._tracker.start(view.rgb, points)
        self._newest = self._then, view.rgb

    def _end(self) -> None:
        self._legs.append(Leg(self._then, self._picture, *self._newest))


def show(plant: Plant, trial: Trial) -> Shown:
    """Look at the pose in which the robot stands, then drive to the trial's start and track.

    The demo finds the robot in the picture by comparing it with the background; here the renderer
    says where it is.

    Raises:
        DataError: too few points can be tracked.
    """
    plant.rest()
    truth, follower = plant.truth, Follower(plant.look())
    plant.move(trial.start, TRACKING_SPEED, follower.follow)
    plant.disturb(follower.follow)
    return Shown(truth, follower.legs())


def robot_points(view: View) -> Float32[np.ndarray, "n 2"]:
    """Points on the robot that can be tracked (u, v) [px]."""
    points = pick_points(view.rgb, _grown(view.robot), POINTS)
    u, v = np.rint(points).astype(int).T
    return points[view.robot[v, u]]


def _grown(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    kernel = np.ones((2 * _GROWN_PX + 1,) * 2, np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
