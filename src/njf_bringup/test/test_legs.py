"""Dividing the way from a goal into legs, on a textured picture that moves."""

import cv2
import numpy as np
import pytest

from njf_bringup.demo.legs import FEWEST_POINTS, Follower
from njf_bringup.demo.results import Outcome, mean_error_px
from njf_perception.errors import DataError
from njf_perception.trackers.lucas_kanade import pick_points

SIZE = (120, 160)
STEP_PX = 2


def scene(step: int, cover: int = 0) -> np.ndarray:
    """Noise that moves `STEP_PX` to the right per step; `cover` columns at the right are hidden."""
    noise = np.random.default_rng(0).standard_normal((SIZE[0], 400, 3)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), 2.0)
    image = np.clip(128 + 200 * texture, 0, 255).astype(np.uint8)
    image = image[:, 200 - STEP_PX * step :][:, : SIZE[1]].copy()
    image[:, SIZE[1] - cover :] = 90
    return image


def points_on(image: np.ndarray, cover: int = 0) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[20:100, 20 : 140 - cover] = True
    return pick_points(image, mask, 40)


def follower() -> Follower:
    return Follower(scene(0), lambda: points_on(scene(0)))


def test_a_way_on_which_points_stay_in_sight_is_one_leg() -> None:
    way = follower()
    for step in range(1, 6):
        way.follow(scene(step), pytest.fail)
    (leg,) = way.legs()
    moved = leg.now.points - leg.then.points
    np.testing.assert_allclose(moved[leg.now.visible], [[10, 0]] * leg.now.visible.sum(), atol=0.3)
    goal = leg.goal(scene(6), min_points=10)  # the robot has moved on since
    np.testing.assert_allclose(goal.target - goal.start_px, [[-12, 0]] * len(goal.target), atol=0.3)
    assert goal.reference is not None
    np.testing.assert_array_equal(goal.reference, scene(0))


def test_points_that_go_out_of_sight_begin_a_new_leg() -> None:
    way, covers = follower(), [0, 0, 0, 0, 90, 90, 90]
    for step, cover in enumerate(covers, 1):
        image = scene(step, cover)
        way.follow(image, lambda image=image, cover=cover: points_on(image, cover))
    last, first = way.legs()
    np.testing.assert_array_equal(first.picture, scene(0))
    np.testing.assert_array_equal(first.end, last.picture)
    np.testing.assert_array_equal(last.end, scene(len(covers), covers[-1]))
    assert first.now.visible.mean() < 0.6 < last.now.visible.mean()
    assert mean_error_px(last.now, last.then) == pytest.approx(2 * STEP_PX, abs=0.3)


def test_points_lost_on_the_way_stay_out_of_sight() -> None:
    way = follower()
    for step in range(1, 4):  # too short for another leg
        way.follow(scene(step, 90), pytest.fail)
    (leg,) = way.legs()
    here = leg.watch().update(scene(3))
    assert not (here.visible & ~leg.now.visible).any()
    assert here.visible.sum() >= 5


def test_a_picture_without_a_robot_is_refused() -> None:
    few = np.zeros((FEWEST_POINTS - 1, 2), np.float32)
    with pytest.raises(DataError, match="only 11 points"):
        Follower(scene(0), lambda: few)


def test_the_outcome_of_legs_adds_up_and_ends_as_the_last() -> None:
    first = Outcome("STALLED", "near", 1.5, 20, 1.0)
    both = Outcome("CONVERGED", "there", 0.2, 30, 2.0).after(first)
    assert both == Outcome("CONVERGED", "there", 0.2, 50, 3.0, legs=2)
