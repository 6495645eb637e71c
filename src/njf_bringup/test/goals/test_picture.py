"""Pictures of goals."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_bringup.demo.overlay import GOAL, NOW
from njf_bringup.goals import TaughtGoal, image_goal, tracks_goal
from njf_bringup.goals.picture import draw_goal, read_picture, write_picture, write_strip
from njf_perception.errors import DataError

DARK = np.full((240, 320, 3), 30, np.uint8)
START, END = np.array([[100.0, 80], [40, 60]]), np.array([[160.0, 80], [40, 60]])


def test_points_are_dots_with_an_arrow_to_where_they_go() -> None:
    drawn = draw_goal(tracks_goal(DARK, START, END), 320, 240)
    assert drawn.shape == (480, 640, 3)
    assert (drawn[161, 201] == NOW).all()  # pixel centres stay pixel centres
    assert (drawn[161, 318] == GOAL).all()
    assert (drawn[161, 260] != DARK[0, 0]).any()  # the line between them
    assert (drawn[121, 81] == GOAL).all()  # stays where it is


def test_a_table_has_no_picture_and_a_goal_picture_shines_through() -> None:
    table = TaughtGoal("csv", paths=tracks_goal(DARK, START, END).paths)
    assert (draw_goal(table, 320, 240)[161, 201] == NOW).all()
    bright = DARK.copy()
    bright[100:140, 200:260] = 250
    assert draw_goal(image_goal(bright), 320, 240)[240, 460].tolist() == [250, 250, 250]
    both = draw_goal(TaughtGoal("demonstration", start=DARK, goal=bright), 320, 240)
    assert (both[240, 460] > 60).all() and (both[240, 460] < 250).all()


def test_pictures_are_files_and_what_is_none_is_told(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "deep" / "a.png", DARK)
    assert (read_picture(path) == DARK).all()
    (tmp_path / "no.png").write_text("no")
    with pytest.raises(DataError, match="no picture that can be read"):
        read_picture(tmp_path / "no.png")


def test_a_strip_shows_both_motions_from_beginning_to_end(tmp_path: Path) -> None:
    shown = [np.full((240, 320, 3), 20 * k, np.uint8) for k in range(11)]
    write_strip(tmp_path / "strip.png", shown, shown[:3], "a wave")
    strip = cv2.imread(str(tmp_path / "strip.png"))
    assert strip is not None and strip.shape[1] > 3 * strip.shape[0]
    above, below = strip[160, 80:-20], strip[380, 80:-20]
    for row, last in ((above, 200), (below, 40)):
        assert row[0].tolist() == [0, 0, 0] and row[-1].tolist() == [last] * 3
