"""Overlay, film and summary."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from njf_bringup.demo import film
from njf_bringup.demo.overlay import GOAL, NOW, SCALE, draw
from njf_bringup.demo.results import TrialRecord
from njf_bringup.demo.summary import write_summary
from njf_perception.errors import DataError


def near(canvas: np.ndarray, point: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """A pixel of about `colour` lies within a drawn dot around a camera pixel."""
    u, v = np.rint((point + 0.5) * SCALE - 0.5).astype(int)
    patch = canvas[v - 1 : v + 2, u - 1 : u + 2].astype(int)
    return bool((np.abs(patch - colour).max(axis=2) < 40).any())


def test_tracks_and_goals_are_drawn_where_they_are(demo_records: list[TrialRecord]) -> None:
    record = demo_records[0]
    canvas = draw(record.start, record.goal)
    assert canvas.shape == (240, 320, 3)
    assert record.start.tracks is not None and record.goal.tracks is not None
    for now, goal in zip(record.start.tracks.points, record.goal.tracks.points, strict=True):
        assert near(canvas, now, NOW)
        assert near(canvas, goal, GOAL)


def test_the_goal_shines_through_only_where_it_differs(demo_records: list[TrialRecord]) -> None:
    record = demo_records[0]
    plain = draw(record.goal, record.goal)
    ghosted = draw(record.start, record.goal)
    changed = (np.abs(plain.astype(int) - ghosted).max(axis=2) > 3).any(axis=0)
    assert not changed[: 2 * 30].any()
    assert changed[2 * 41 : 2 * 59].all()


def test_the_bar_shrinks_with_the_error(demo_records: list[TrialRecord]) -> None:
    pictures, goal = demo_records[0].film, demo_records[0].goal
    widths = [
        int((draw(p, goal, pictures[0].error_px)[-18] == NOW).all(axis=1).sum())
        for p in (pictures[0], pictures[20], pictures[-1])
    ]
    assert widths[0] > 1.8 * widths[1] > widths[2]


def test_the_gif_moves_and_keeps_its_size(tmp_path: Path, demo_records: list[TrialRecord]) -> None:
    path = tmp_path / "servo.gif"
    film.write_gif(path, demo_records[:2])
    assert path.stat().st_size <= film.LARGEST_BYTES
    with Image.open(path) as gif:
        assert getattr(gif, "n_frames", 1) >= 60


def test_a_film_that_is_too_big_is_written_smaller(
    tmp_path: Path, demo_records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    film.write_gif(tmp_path / "big.gif", demo_records[:1])
    size = (tmp_path / "big.gif").stat().st_size
    monkeypatch.setattr(film, "LARGEST_BYTES", size // 2)
    film.write_gif(tmp_path / "small.gif", demo_records[:1])
    assert (tmp_path / "small.gif").stat().st_size <= size // 2


def test_nothing_filmed_is_an_error(tmp_path: Path, demo_records: list[TrialRecord]) -> None:
    with pytest.raises(DataError, match="no goal was filmed"):
        film.write_gif(tmp_path / "servo.gif", demo_records[2:])


def test_the_summary_is_a_picture_of_readable_size(
    tmp_path: Path, demo_records: list[TrialRecord], demo_metrics: dict
) -> None:
    write_summary(tmp_path / "summary.png", demo_records, demo_metrics)
    with Image.open(tmp_path / "summary.png") as picture:
        assert picture.size == (1500, 820)
        assert np.asarray(picture).std() > 10


def test_the_summary_of_a_robot_without_servos_shows_its_tips(
    tmp_path: Path, demo_records: list[TrialRecord], soft_metrics: dict
) -> None:
    write_summary(tmp_path / "summary.png", demo_records, soft_metrics)
    with Image.open(tmp_path / "summary.png") as picture:
        assert picture.size == (1500, 820)
