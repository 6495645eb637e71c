"""The demo's motions: learn the background, then goal after goal, each shown and driven back to."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float32, UInt8

from njf_bringup.demo.goal_kind import GoalKind
from njf_bringup.demo.goals import Trial, sweep_poses
from njf_bringup.demo.legs import POINTS, THROUGH_PX, TRACKING_SPEED, Follower, Leg
from njf_bringup.demo.results import Outcome, Picture, Step, TrialRecord
from njf_bringup.nodes.robot_client import RobotClient
from njf_bringup.nodes.servo_messages import image_goal, tracks_goal
from njf_control.robot import RobotConfig
from njf_perception.trackers.lucas_kanade import pick_points
from njf_training.masks import background, foreground, noise_threshold

TRAVEL_SPEED = 1.0  # to the goal [half range / s]
SERVO_TIMEOUT_S = 12.0  # of each leg
# A leg that ends so need not have been finished: the next one may still be found.
_GOES_ON = ("CONVERGED", "STALLED", "TIMEOUT", "LOST_TRACKS")


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
        goal, legs = self.show(trial)
        back = _WayBack(self._client, kind, on_step, film)
        for number, leg in enumerate(legs, 1):
            outcome = back.go(leg, through=number < len(legs))
            if outcome.reason not in _GOES_ON:
                break
        return back.record(goal)

    def show(self, trial: Trial) -> tuple[Picture, list[Leg]]:
        """A picture of the goal, and the way back to it from the start where the robot now stands.

        Raises:
            DataError: too few points can be tracked.
        """
        self._client.move(trial.goal, TRAVEL_SPEED)
        goal = self._client.picture_at_rest()
        follower = Follower(goal.image, partial(self._points, goal.image))

        def follow(picture: Picture) -> None:
            follower.follow(picture.image, partial(self._points, picture.image))

        self._client.move(trial.start, TRACKING_SPEED, follow)
        follow(self._client.picture_at_rest())
        legs = follower.legs()
        return goal.tracked(legs[-1].then, legs[-1].then), legs

    def _sweep(self, robot: RobotConfig) -> UInt8[np.ndarray, "t h w 3"]:
        pictures: list[Picture] = []
        for pose in sweep_poses(robot):
            self._client.move(pose, TRAVEL_SPEED, pictures.append)
        return np.stack([picture.image for picture in pictures])

    def _points(self, image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "n 2"]:
        """Points on the robot that can be tracked (u, v) [px]."""
        mask = foreground(image, self._empty, self._threshold)
        return pick_points(image, mask, POINTS)


class _WayBack:
    """Legs that are driven one after the other, each a goal of the action, and what was seen."""

    def __init__(
        self, client: RobotClient, kind: GoalKind, on_step: Callable[[Step], None], film: bool
    ) -> None:
        self._client, self._kind, self._on_step, self._film = client, kind, on_step, film
        self._steps: list[Step] = []
        self._begins: list[Picture] = []
        self._frames: list[Picture] = []
        self._outcome: Outcome | None = None

    def go(self, leg: Leg, through: bool) -> Outcome:
        """Drive one leg; `through`: it is not the last one, so coming near is enough."""
        watch, before = leg.watch(), self._outcome

        def seen(picture: Picture) -> Picture:
            return picture.tracked(watch.update(picture.image), leg.then)

        def note(step: Step) -> None:
            earlier_s = before.elapsed_s if before is not None else 0.0
            self._steps.append(replace(step, time_s=earlier_s + step.time_s))
            self._on_step(self._steps[-1])

        def keep(picture: Picture) -> None:
            self._frames.append(seen(picture))

        here = seen(self._client.picture_at_rest())
        self._begins.append(here)
        if self._film:
            self._frames.append(here)
        goal = self._message(leg, here, THROUGH_PX if through else 0.0)
        outcome = self._client.servo(goal, note, keep if self._film else _ignore)
        self._client.settle()
        self._end = self._client.picture_at_rest()
        if self._film:
            self._end = seen(self._end)
            self._frames.append(self._end)
        self._outcome = outcome.after(before)
        return self._outcome

    def record(self, goal: Picture) -> TrialRecord:
        """What was seen on the way to `goal`."""
        assert self._outcome is not None, "go() comes first"
        begins_ns = [picture.stamp_ns for picture in self._begins]
        return TrialRecord(
            goal, self._begins[0], self._end, self._steps, self._outcome, self._frames, begins_ns
        )

    def _message(self, leg: Leg, here: Picture, tolerance_px: float):  # noqa: ANN202
        header = self._client.goal_header(here.stamp_ns)
        if self._kind is GoalKind.IMAGE:
            return image_goal(leg.picture, header, SERVO_TIMEOUT_S, tolerance_px)
        assert here.tracks is not None  # go() tracked it
        return tracks_goal(
            here.tracks, leg.then, leg.picture, header, SERVO_TIMEOUT_S, tolerance_px
        )


def _ignore(picture: Picture) -> None:
    pass
