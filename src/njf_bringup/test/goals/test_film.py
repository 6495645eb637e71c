"""Demonstrations from films: which points are followed, and when there are too few."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_bringup.goals import TaughtGoal
from njf_bringup.goals.film import POINTS, demonstration
from njf_perception.errors import DataError
from njf_perception.video_file import read_video, write_video

ANGLES, SHIFTS = np.linspace(0, 0.3, 16), np.linspace(0, 40, 16)
Disc = Callable[[float, float], np.ndarray]


@pytest.fixture
def video(tmp_path: Path, disc: Disc) -> Path:
    path = tmp_path / "film.avi"
    write_video(path, [disc(*at) for at in zip(ANGLES, SHIFTS, strict=True)], 20.0)
    return path


def errors_px(goal: TaughtGoal, T: np.ndarray) -> np.ndarray:
    """How far the points end from where the disc has taken them."""
    assert goal.paths is not None
    expected = goal.paths.start.points @ T[:, :2].T + T[:, 2]
    return np.linalg.norm(goal.paths.end.points - expected, axis=1)


def test_points_on_what_moves_are_followed_to_the_end(video: Path, motion) -> None:
    taught = demonstration(video, note="a turn")
    goal = taught.goal
    assert taught.moving >= taught.kept >= 0.3 * taught.moving
    assert goal.paths is not None and goal.video == video and goal.note == "a turn"
    assert 20 < len(goal.paths.ids) <= POINTS
    assert np.median(errors_px(goal, motion(ANGLES[-1], SHIFTS[-1]))) < 0.5
    far = np.linalg.norm(goal.paths.start.points - [110, 120], axis=1)
    assert (far < 42).all()  # nothing of the background
    np.testing.assert_allclose(goal.paths.times_s, np.arange(16) / 20)
    goal.require(320, 240)
    images = list(read_video(video))
    assert (goal.start == images[0]).all() and (goal.goal == images[-1]).all()


def test_points_that_are_named_are_followed_and_times_are_kept(video: Path, motion) -> None:
    points = np.array([[100, 110], [120, 110], [100, 130], [120, 130]], np.float32)
    times_s = [0.1 * index**1.1 for index in range(16)]
    goal = demonstration(video, times_s, points).goal
    assert goal.paths is not None
    np.testing.assert_array_equal(goal.paths.start.points, points)
    np.testing.assert_array_equal(goal.paths.times_s, times_s)
    assert errors_px(goal, motion(ANGLES[-1], SHIFTS[-1])).max() < 1.0


def test_films_that_show_too_little_are_refused(tmp_path: Path, video: Path, disc: Disc) -> None:
    still, short = tmp_path / "still.avi", tmp_path / "short.avi"
    write_video(still, [disc(0, 0)] * 6, 20.0)
    with pytest.raises(DataError, match="0 of 0 points are seen on what moves"):
        demonstration(still)
    write_video(short, [disc(0, 0)], 20.0)
    with pytest.raises(DataError, match="the film has 1 images"):
        demonstration(short)
    with pytest.raises(DataError, match=r"point \(320, 9\) px lies outside .* 320 x 240"):
        demonstration(video, None, np.array([[320, 9]], np.float32))
    with pytest.raises(DataError, match="16 images of tracks with 3 times"):
        demonstration(video, [0.0, 0.1, 0.2])
