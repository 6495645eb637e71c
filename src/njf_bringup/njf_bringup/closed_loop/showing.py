"""A goal is shown in simulation: looked at, then left while its points are tracked."""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from njf_bringup.closed_loop.plant import Plant, Truth, View
from njf_bringup.demo.goals import Trial
from njf_bringup.demo.legs import POINTS, TRACKING_SPEED, Follower, Leg
from njf_perception.trackers.lucas_kanade import pick_points

_GROWN_PX = 3  # points lie off the mask's border, which leaves a slim robot without any


@dataclass(frozen=True)
class Shown:
    """A goal that was shown: where the robot really stood, and the legs back, last one first."""

    truth: Truth
    legs: list[Leg]


def show(plant: Plant, trial: Trial) -> Shown:
    """Look at the pose in which the robot stands, then drive to the trial's start and track.

    The demo finds the robot in the picture by comparing it with the background; here the renderer
    says where it is.

    Raises:
        DataError: too few points can be tracked.
    """
    plant.rest()
    truth, first = plant.truth, plant.look()
    follower = Follower(first.rgb, partial(robot_points, first))

    def follow(view: View) -> None:
        follower.follow(view.rgb, partial(robot_points, view))

    plant.move(trial.start, TRACKING_SPEED, follow)
    plant.disturb(follow)
    return Shown(truth, follower.legs())


def robot_points(view: View) -> Float32[np.ndarray, "n 2"]:
    """Points on the robot that can be tracked (u, v) [px]."""
    points = pick_points(view.rgb, _grown(view.robot), POINTS)
    u, v = np.rint(points).astype(int).T
    return points[view.robot[v, u]]


def _grown(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    kernel = np.ones((2 * _GROWN_PX + 1,) * 2, np.uint8)
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)
