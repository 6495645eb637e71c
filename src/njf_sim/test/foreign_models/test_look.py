"""Looking at a robot: its reach, its collisions and its cameras."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_sim.look import contact_sheet, random_setpoints, reach
from njf_sim.robot_model import RobotModel


@pytest.fixture
def robot(arm_file: Path, describe: Callable[..., RobotConfig]) -> RobotConfig:
    return describe(arm_file)


def test_set_points_begin_in_the_middle_and_go_to_the_ends(robot: RobotConfig) -> None:
    setpoints = random_setpoints(robot, 20, 0)
    np.testing.assert_allclose(setpoints[0], [0.0, 1.1])
    assert ((setpoints >= robot.lower) & (setpoints <= robot.upper)).all()
    assert len({tuple(row) for row in setpoints if row[0] in (-1.0, 1.0)}) == 4


def test_the_reach_is_that_of_all_that_moves_and_is_visible(robot: RobotConfig) -> None:
    """By hand: the box is a mesh around the origin; the ball at the end is 0.34 m from link2."""
    model = RobotModel.from_robot(robot)
    found = reach(model, [np.array([0.0, np.pi / 2])])
    # link2 hangs down from (0, 0, 0.2): ball of 0.02 m around z = 0.2 - 0.3 - 0.02.
    np.testing.assert_allclose(found.low, [-0.04, -0.04, -0.14], atol=1e-9)
    np.testing.assert_allclose(found.high, [0.04, 0.04, 0.23], atol=1e-9)
    assert found.poses == 1


def test_bodies_that_pass_through_each_other_are_named(robot: RobotConfig) -> None:
    """Link1's collision sphere of 0.3 m is round the arm; the finger is no neighbour of link1."""
    model = RobotModel.from_robot(robot)
    found = reach(model, random_setpoints(robot, 3, 0))
    assert found.touching == {"link1 and finger": 4}


def test_the_sheet_has_a_row_per_pose_and_a_column_per_camera(robot: RobotConfig) -> None:
    model = RobotModel.from_robot(robot)
    sheet = contact_sheet(model, robot, random_setpoints(robot, 1, 0))
    assert sheet.shape == (2 * 48, 6 * 64, 3)
    assert np.any(sheet[:48] != sheet[48:])
