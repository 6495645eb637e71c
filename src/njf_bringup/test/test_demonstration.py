"""A motion shown on video and followed."""

import numpy as np
import pytest

from njf_bringup.closed_loop import run
from njf_bringup.closed_loop.demonstration import draw_demonstrations, run_demonstrations
from njf_bringup.closed_loop.run import EXACT, Setup
from njf_bringup.closed_loop.statistics import strayed_mm, table
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot


def test_a_film_is_followed_around_its_bend_and_a_run_continues(tmp_path, monkeypatch):
    setup = Setup(load_robot(robot_file("finger")), EXACT)
    results = run_demonstrations(setup, 1, tmp_path)
    (trial,) = results.trials
    assert trial.reason == "CONVERGED" and trial.end.tip_mm < 1.0
    straight = np.array(trial.shown_path_m)[[0, -1]]
    shown = np.array(trial.shown_path_m)
    assert results.summary["strayed_mm"]["median"] < 0.7 * strayed_mm(shown, straight)
    assert (tmp_path / "task.png").exists() and (tmp_path / "demonstration_00.avi").exists()
    assert "strayed from the way shown" in table(results.summary)
    monkeypatch.setattr(run.Bench, "plant", None)
    assert run_demonstrations(setup, 1, tmp_path).summary == results.summary


def test_motions_are_seeded_bent_and_within_the_range():
    robot = load_robot(robot_file("finger"))
    few, many = draw_demonstrations(robot, 2, 7), draw_demonstrations(robot, 4, 7)
    half_range = (robot.upper - robot.lower) / 2
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.via, other.via)
        bend = np.abs(one.via - (one.begin + one.end) / 2) / half_range
        assert bend.max() == pytest.approx(0.2)
        assert (one.via >= robot.lower).all() and (one.via <= robot.upper).all()


def test_straying_is_the_largest_distance_from_the_line():
    shown = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    path = np.array([[0.0, 0, 0.001], [0.5, 0.002, 0], [1.003, 0.5, 0], [1, 1, 0]])
    assert strayed_mm(path, shown) == pytest.approx(3.0)
    assert strayed_mm(shown[1:2], shown[[0, 0]]) == pytest.approx(1000.0)
