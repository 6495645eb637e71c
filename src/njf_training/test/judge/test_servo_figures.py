"""Jacobians per channel, recovered commands, calibration."""

import numpy as np
import pytest

from njf_control.servo.model import SurfaceJacobians
from njf_perception.camera import project
from njf_training.judge.calibration import reliability
from njf_training.judge.channels import image_jacobian, score_jacobian
from njf_training.judge.recovery import recovered_command

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])


def surface(channels: int = 3) -> SurfaceJacobians:
    """Fifty points half a metre away that every channel moves differently."""
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.1, -0.1, 0.45], [0.1, 0.1, 0.55], (50, 3))
    return SurfaceJacobians(points, np.ones(50), 0.05 * rng.normal(size=(50, 3, channels)))


def linear_flow(found: SurfaceJacobians, step: np.ndarray) -> np.ndarray:
    """Motion in the image [px] of points that a step moves linearly in space."""
    moved = found.points_m + found.jacobian_m @ step
    return project(moved, K) - project(found.points_m, K)


def test_image_jacobian_is_the_derivative_of_the_projection() -> None:
    found = surface()
    step = np.array([1e-5, 0.0, 0.0])
    expected = linear_flow(found, step) / 1e-5
    np.testing.assert_allclose(image_jacobian(found, K)[..., 0], expected, rtol=1e-3, atol=1e-2)


def test_channels_are_judged_apart() -> None:
    exact = image_jacobian(surface(), K)
    predicted = exact * np.array([1.0, 0.5, -1.0])
    score = score_jacobian(predicted, exact)
    np.testing.assert_allclose(score.channel_cosine, [1.0, 1.0, -1.0])
    np.testing.assert_allclose(score.channel_gain, [1.0, 0.5, 1.0])
    assert -1 < score.cosine < 1
    assert score_jacobian(exact, exact).cosine == pytest.approx(1.0)


def test_a_channel_that_the_image_does_not_show_is_not_judged() -> None:
    exact = image_jacobian(surface(), K)
    exact[..., 1] = 1e-3
    score = score_jacobian(exact, exact)
    assert np.isnan(score.channel_cosine).tolist() == [False, True, False]


def test_the_command_behind_a_flow_is_found_within_the_range() -> None:
    found, command = surface(), np.array([0.1, -0.05, 0.2])
    pixels = found.points_m[:, :2] / found.points_m[:, 2:] * 300.0 + K[:2, 2]
    flow = linear_flow(found, command)
    step = recovered_command(found, K, pixels, flow, np.zeros(3))
    assert step is not None
    np.testing.assert_allclose(step, command, atol=1e-3)
    near_end = recovered_command(found, K, pixels, flow, np.array([0.95, 0.0, 0.0]))
    assert near_end is not None
    assert near_end[0] <= 0.05 + 1e-9


def test_too_few_known_points_give_no_command() -> None:
    flow = np.full((50, 2), np.nan)
    assert recovered_command(surface(), K, np.zeros((50, 2)), flow, np.zeros(3)) is None


def test_a_model_that_knows_itself_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    found = reliability(confidence, rng.random(20_000) < confidence)
    assert found["ece"] < 0.02
    assert found["auroc"] == pytest.approx(5 / 6, abs=0.02)
    boastful = reliability(np.ones(1000), rng.random(1000) < 0.3)
    assert boastful["ece"] == pytest.approx(1 - boastful["right"])
    assert np.isnan(reliability(np.ones(5), np.ones(5, bool))["auroc"])
