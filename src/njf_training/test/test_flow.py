"""Estimated flow against known motion, also against the renderer's exact flow."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_control.robot import load_robot
from njf_sim.flow import GroundTruth
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel
from njf_training.derive import flow_near
from njf_training.explore import plan
from njf_training.flow import DisFlow, checked_flow, consistent, half_size

FINGER = Path(__file__).parents[3] / "config" / "robots" / "finger.yaml"


def textured(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 3, width // 3, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def shifted(image: np.ndarray, u: float, v: float) -> np.ndarray:
    place = np.array([[1, 0, u], [0, 1, v]], np.float64)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, place, size, borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize(("u", "v"), [(0.0, 0.0), (3.0, -2.0), (0.4, 0.6), (-7.0, 4.0)])
@pytest.mark.parametrize("upsampling", [1, 2])
def test_a_shift_is_found(u: float, v: float, upsampling: int) -> None:
    before = textured()
    flow = DisFlow(upsampling=upsampling).estimate(before, shifted(before, u, v))
    inner = flow[16:-16, 16:-16]
    assert flow.dtype == np.float32
    assert np.abs(inner - [u, v]).mean() < 0.1


def test_what_disappears_is_unknown() -> None:
    """A square slides over a still background and hides a strip of it."""
    background, square = textured(seed=1), textured(40, 40, seed=2)
    before, after = background.copy(), background.copy()
    before[28:68, 30:70] = square
    after[28:68, 36:76] = square
    flow = checked_flow(DisFlow(), before, after)
    assert np.isnan(flow[32:64, 71:75, 0]).mean() > 0.7
    assert np.isnan(flow[36:60, 38:62, 0]).mean() < 0.1
    assert np.allclose(np.nanmedian(flow[36:60, 38:62], axis=(0, 1)), [6, 0], atol=0.1)


def test_consistency_is_a_way_there_and_back() -> None:
    there = np.zeros((20, 30, 2), np.float32)
    there[..., 0] = 4
    assert consistent(there, -there)[:, :26].all()
    assert not consistent(there, -there)[:, 26:].any()  # leaves the image
    assert not consistent(there, there).any()


def test_half_size_is_the_mean_of_valid_pixels_in_full_pixels() -> None:
    flow = np.zeros((4, 6, 2), np.float32)
    flow[:2, :2, 0] = [[1, 2], [3, np.nan]]
    flow[:2, 2:4] = np.nan
    flow[0, 2] = 5
    half = half_size(flow)
    assert half.shape == (2, 3, 2)
    assert half[0, 0, 0] == pytest.approx(2.0)
    assert np.isnan(half[0, 1]).all()  # one pixel of four is too few
    assert np.all(half[1] == 0)


def test_nothing_moves_far_from_the_robot() -> None:
    before = textured()
    robot = np.zeros(before.shape[:2], bool)
    assert np.all(flow_near(DisFlow(), before, shifted(before, 2, 0), robot) == 0)
    robot[40:50, 20:30] = True
    flow = flow_near(DisFlow(), before, shifted(before, 2, 0), robot)
    assert np.all(flow[:, -10:] == 0)
    assert flow[40:50, 20:30, 0].mean() == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_accuracy_on_the_rendered_finger() -> None:
    """Measured over 80 pairs: end-point error 0.114 px, cosine 0.994 on moving pixels."""
    robot = load_robot(FINGER)
    model = RobotModel.from_robot(robot)
    renderer, truth = Renderer(model), GroundTruth(model)
    states = list(plan(robot, 12, 1, seed=3))
    errors, cosines = [], []
    for before, after in zip(states[::2], states[1::2], strict=True):
        images = []
        for state in (before, after):
            renderer.pose(state.setpoint)
            images.append(renderer.render("camera_1").rgb)
        exact = truth.flow("camera_1", before.setpoint, after.setpoint)
        flow = checked_flow(DisFlow(), *images)
        seen = exact.visible & np.isfinite(flow[..., 0])
        fast = seen & (np.linalg.norm(exact.flow, axis=-1) > 0.5)
        errors.append(np.linalg.norm(flow[seen] - exact.flow[seen], axis=-1))
        lengths = np.linalg.norm(flow[fast], axis=-1) * np.linalg.norm(exact.flow[fast], axis=-1)
        cosines.append((flow[fast] * exact.flow[fast]).sum(-1) / lengths)
    assert np.concatenate(errors).mean() < 0.25
    assert np.concatenate(cosines).mean() > 0.98
