"""The demo's motions: learn the background, then goal after goal.

Driving away from a goal pose while tracking points is a demonstration in reverse: the same points
are known in the goal picture and in the present one, by their tracks alone.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from njf_bringup.demo.goal_kind import GoalKind
from njf_bringup.demo.goals import Trial, sweep_poses
from njf_bringup.demo.results import Picture, Step, TrialRecord
from njf_bringup.nodes.robot_client import RobotClient
from njf_bringup.nodes.servo_messages import image_goal, tracks_goal
from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_training.masks import background, foreground, noise_threshold

TRAVEL_SPEED = 1.0  # to the goal [half range / s]
TRACKING_SPEED = 0.3  # away from it, slow enough for the tracker [half range / s]
POINTS = 120
FEWEST_POINTS = 12
SERVO_TIMEOUT_S = 12.0


class Session:
    """A robot that has been looked at long enough to tell it from its background."""

    def __init__(self, client: RobotClient, robot: RobotConfig) -> None:
        """Sweep the robot through its range."""
        self._client = client
        images = self._sweep(robot)
        self._empty = background(images)
        self._threshold = noise_threshold(images, self._empty)

    def run(
        self, trial: Trial, kind: GoalKind, on_step: Callable[[Step], None], film: bool
    ) -> TrialRecord:
        """Show one goal and let the servo return to it.

        Raises:
            DataError: nothing to track is seen in the goal picture.
        """
        self._client.move(trial.goal, TRAVEL_SPEED)
        goal, tracker = self.show_goal()
        frames: list[Picture] = []

        def follow(picture: Picture) -> None:
            frames.append(tracked(picture, tracker, goal))

        self._client.move(trial.start, TRACKING_SPEED, follow)
        start = tracked(self._client.picture_at_rest(), tracker, goal)
        frames.clear()
        steps: list[Step] = []

        def note(step: Step) -> None:
            steps.append(step)
            on_step(step)

        outcome = self._client.servo(
            self._goal_message(start, goal, kind), note, follow if film else _ignore
        )
        self._client.settle()
        end = self._client.picture_at_rest()
        if film:
            end = tracked(end, tracker, goal)
            frames = [start, *frames, end]
        return TrialRecord(goal, start, end, steps, outcome, frames)

    def _sweep(self, robot: RobotConfig) -> UInt8[np.ndarray, "t h w 3"]:
        pictures: list[Picture] = []
        for pose in sweep_poses(robot):
            self._client.move(pose, TRAVEL_SPEED, pictures.append)
        return np.stack([picture.image for picture in pictures])

    def show_goal(self) -> tuple[Picture, LucasKanadeTracker]:
        """A picture of the present pose with points on the robot, and their tracker.

        Raises:
            DataError: too few points can be tracked.
        """
        picture = self._client.picture_at_rest()
        mask = foreground(picture.image, self._empty, self._threshold)
        points = pick_points(picture.image, mask, POINTS)
        if len(points) < FEWEST_POINTS:
            raise DataError(
                f"only {len(points)} points to track on the robot, wants {FEWEST_POINTS}. Does the "
                "camera see the robot, and did it move?"
            )
        tracker = LucasKanadeTracker()
        tracks = tracker.start(picture.image, points)
        return replace(picture, tracks=tracks, error_px=0.0), tracker

    def _goal_message(self, start: Picture, goal: Picture, kind: GoalKind):  # noqa: ANN202
        header = self._client.goal_header(start.stamp_ns)
        if kind is GoalKind.IMAGE:
            return image_goal(goal, header, SERVO_TIMEOUT_S)
        return tracks_goal(start, goal, header, SERVO_TIMEOUT_S)


def tracked(picture: Picture, tracker: LucasKanadeTracker, goal: Picture) -> Picture:
    """`picture` with the points found in it, and their mean distance to the goal."""
    tracks = tracker.update(picture.image)
    assert goal.tracks is not None  # set by show_goal
    return replace(picture, tracks=tracks, error_px=mean_error_px(tracks, goal.tracks))


def mean_error_px(now: Tracks, goal: Tracks) -> float:
    """Mean distance of points visible in both [px]; NaN when there is none."""
    both = now.visible & goal.visible
    if not both.any():
        return float("nan")
    return float(np.linalg.norm(now.points[both] - goal.points[both], axis=1).mean())


def _ignore(picture: Picture) -> None:
    pass
