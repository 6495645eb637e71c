"""A goal as seen from where the robot stands."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from njf_bringup.goals import PointPaths, TaughtGoal, image_goal, tracks_goal
from njf_bringup.goals.placing import place, require_ready
from njf_perception.errors import DataError
from njf_perception.trackers.lucas_kanade import pick_points

Disc = Callable[[float, float], np.ndarray]


@pytest.fixture
def goal(disc: Disc) -> TaughtGoal:
    """Points on the disc, which shall go 20 pixels to the right."""
    mask = np.zeros((240, 320), bool)
    mask[90:150, 80:140] = True
    points = pick_points(disc(0, 0), mask, 30)
    return tracks_goal(disc(0, 0), points, points + [20, 0])


def with_way(goal: TaughtGoal) -> TaughtGoal:
    assert goal.paths is not None
    paths = goal.paths
    ends = paths.points_px[[0, 0, 1]]
    paths = PointPaths(np.array([0.0, 1, 2]), paths.ids, ends, *[
        np.ones((3, len(paths.ids)), kind) for kind in (bool, np.float32)
    ])  # fmt: skip
    return replace(goal, paths=paths)


def test_picked_points_are_found_where_the_robot_stands_now(goal, disc: Disc, motion) -> None:
    placed = place(goal, disc(0.3, 45.0))
    T = motion(0.3, 45.0)
    assert placed.ready and placed.now is not None
    expected = goal.paths.start.points @ T[:, :2].T + T[:, 2]
    error_px = np.linalg.norm(placed.now.points - expected, axis=1)[placed.now.visible]
    assert placed.now.visible.sum() > 10 and np.median(error_px) < 0.5
    assert placed.off_px == pytest.approx(45, abs=6)


def test_a_way_begins_only_where_it_was_shown(goal, disc: Disc) -> None:
    shown = with_way(goal)
    assert place(shown, disc(0.0, 1.0)).ready
    away = place(shown, disc(0.0, 30.0))
    assert not away.ready
    with pytest.raises(DataError, match=r"points of goal 'wave' are found .* 30\.\d px from where"):
        require_ready("wave", away)


def test_a_robot_that_is_not_seen_is_told(goal) -> None:
    empty = place(goal, np.full((240, 320, 3), 90, np.uint8))
    assert not empty.ready
    with pytest.raises(DataError, match="0 of 30 points of goal 'reach' .*`njf goal show reach"):
        require_ready("reach", empty)


def test_what_needs_no_finding_is_ready(goal, disc: Disc) -> None:
    assert place(image_goal(disc(0, 0)), disc(0, 9)).now is None
    believed = place(replace(goal, kind="csv", start=None), disc(0, 9))
    assert believed.ready and believed.now is not None
    np.testing.assert_array_equal(believed.now.points, goal.paths.start.points)
