"""Goals: what becomes one, and what is refused in words."""

from collections.abc import Callable

import numpy as np
import pytest

from njf_control.servo.goal import (
    Goal,
    GoalError,
    extended,
    goal_from_points,
    goal_from_tracks,
    require_image_size,
    require_points,
)
from njf_perception.camera import Camera
from njf_perception.trackers.base import Tracks

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
CAMERA = Camera("camera_0", 320, 240, K, np.eye(4))
IMAGE = np.zeros((240, 320, 3), np.uint8)
START = np.array([[100.0, 100.0], [120.0, 90.0], [140.0, 120.0], [90.0, 130.0]], np.float32)


def tracks(points: np.ndarray, visible: list[bool] | None = None) -> Tracks:
    seen = np.array(visible or [True] * len(points))
    return Tracks(points.astype(np.float32), seen, seen.astype(np.float32))


def test_few_disagreeing_points_do_not_extend_a_goal() -> None:
    found = Goal(START, START.astype(float) + (5.0, 0.0), np.ones(4))
    goal = Goal(START, START.astype(float), np.ones(4), IMAGE)
    seen = tracks(START, [True, False, True, True])
    more = extended(goal, seen, found)
    assert more is not None and len(more.start_px) == 7
    three = Goal(START[:3], found.target[:3], np.ones(3))
    assert extended(goal, seen, three) is None


def test_tracks_are_matched_by_id() -> None:
    now = tracks(START, [True, True, False, True])
    moved = tracks(START[::-1] + np.float32(5), [True, False, True, True])
    goal = goal_from_tracks(np.array([7, 8, 9, 4]), now, np.array([4, 9, 8, 11]), moved)
    np.testing.assert_allclose(goal.start_px, [START[3], START[1]])
    np.testing.assert_allclose(goal.target, [START[3] + 5, START[1] + 5])


def test_spots_follow_their_points_through_the_matching() -> None:
    now = tracks(START, [True, True, False, True])
    ids, spots = np.array([7, 8, 9, 4]), np.array([1, 1, 2, 2])
    goal = goal_from_tracks(ids, now, ids[::-1], tracks(START[::-1]), spots)
    np.testing.assert_allclose(goal.start_px, START[[3, 0, 1]])
    assert goal.spots is not None and goal.spots.of_point.tolist() == [1, 0, 0]
    with pytest.raises(GoalError, match="spots has 3 numbers, tracks_now 4 points"):
        goal_from_tracks(ids, now, ids, now, spots[:3])


def test_points_in_view_become_a_goal() -> None:
    now = np.array([[0.0, 0.0, 0.5], [5.0, 0.0, 0.5], [0.1, 0.0, 0.5]])
    goal = goal_from_points(now, now + 0.01, CAMERA)
    np.testing.assert_allclose(goal.start_px, [[159.5, 119.5], [219.5, 119.5]])
    np.testing.assert_allclose(goal.target, now[[0, 2]] + 0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: goal_from_points(np.zeros((2, 3)), np.zeros((3, 3)), CAMERA), "2 points"),
        (lambda: goal_from_points(np.full((1, 3), np.nan), np.ones((1, 3)), CAMERA), "finite"),
        (lambda: goal_from_points(-np.ones((2, 3)), np.ones((2, 3)), CAMERA), "in the image"),
        (
            lambda: require_points(Goal(START, START.astype(float), np.ones(4)), 5, "the goal"),
            "the goal gives 4 usable points",
        ),
        (lambda: require_image_size(IMAGE[:10], IMAGE.shape, "cam"), "is 320x10 px, 'cam' sends"),
    ],
)
def test_impossible_goals_are_refused_in_words(make: Callable[[], object], message: str) -> None:
    with pytest.raises(GoalError, match=message):
        make()
