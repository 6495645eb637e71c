"""Seeded trials."""

import numpy as np
import pytest

from njf_bringup.demo.goals import GOAL_FRACTION, draw_trials, sweep_poses
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot

ROBOT = load_robot(robot_file("finger"))


@pytest.mark.parametrize("name", ["poppy", "allegro", "allegro8", "pneumatic", "hsa"])
def test_trials_of_every_robot_are_inside_its_ranges_and_far_enough_apart(name: str) -> None:
    robot = load_robot(robot_file(name))
    center, half_range = (robot.lower + robot.upper) / 2, (robot.upper - robot.lower) / 2
    trials = draw_trials(robot, 100, seed=0)
    for pose in [*sweep_poses(robot), *(t.goal for t in trials), *(t.start for t in trials)]:
        assert (np.abs(pose - center) <= GOAL_FRACTION * half_range * (1 + 1e-9)).all()
    offsets = np.abs([trial.start - trial.goal for trial in trials]) / half_range
    assert offsets.min() > 0.14 and offsets.max() < 0.30


def test_starts_are_about_15_deg_per_joint_away_and_all_in_range() -> None:
    trials = draw_trials(ROBOT, 400, seed=3)
    offsets = np.degrees([trial.start - trial.goal for trial in trials])
    assert abs(np.abs(offsets).mean() - 15) < 0.5
    assert np.abs(offsets).min() > 9.5 and np.abs(offsets).max() < 20.5
    assert abs((offsets > 0).mean() - 0.5) < 0.05
    poses = np.array([[trial.goal, trial.start] for trial in trials])
    assert (poses >= 0.8 * ROBOT.lower - 1e-9).all() and (poses <= 0.8 * ROBOT.upper + 1e-9).all()


def test_the_same_seed_gives_the_same_goals_whatever_their_number() -> None:
    few, many, other = (draw_trials(ROBOT, n, seed) for n, seed in ((3, 1), (9, 1), (3, 2)))
    assert all(np.array_equal(a.goal, b.goal) for a, b in zip(few, many, strict=False))
    assert not np.array_equal(few[0].goal, other[0].goal)
