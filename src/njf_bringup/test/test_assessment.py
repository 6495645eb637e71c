"""Curves of the closed loop, and what data cost."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from njf_bringup.closed_loop.run import Results
from njf_bringup.closed_loop.trial import Errors, TrialResult
from njf_bringup.convergence import convergence_picture, held
from njf_bringup.effort import SETTLE_S, robot_minutes
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_training.dataset import Dataset


def trial(steps: int) -> TrialResult:
    start, end = Errors(14.0, 15.0, 30.0, [30.0]), Errors(0.1, 0.2, 0.5, [0.5])
    result = TrialResult(0, "CONVERGED", start, end)
    result.joint_curve_deg = [14.0 * 0.7**k for k in range(steps)]
    result.tip_curve_mm = [30.0 * 0.7**k for k in range(steps)]
    return result


def test_a_goal_that_ended_keeps_its_last_error() -> None:
    curves = held([[3.0, 2.0, 1.0], [5.0, 4.0]])
    assert curves.tolist() == [[3.0, 2.0, 1.0], [5.0, 4.0, 4.0]]


def test_convergence_is_drawn(tmp_path: Path) -> None:
    found = Results([trial(20), trial(30)], {})
    path = tmp_path / "convergence.png"
    convergence_picture({"learned": found, "exact_jacobian": found}, "finger", path)
    assert np.asarray(Image.open(path).convert("L")).std() > 5


def test_robot_minutes_count_the_slowest_channel_and_the_rest() -> None:
    robot = load_robot(robot_file("finger"))
    way = robot.max_rate * [1.0, 0.5, 0.0]  # one second for the first channel
    data = cast(Dataset, SimpleNamespace(commands=np.array([0 * way, way, way])))
    assert robot_minutes(data, robot) == pytest.approx((1.0 + 3 * SETTLE_S) / 60)
