"""Scores of one view."""

import numpy as np
import pytest

from njf_training.judge.predictor import PredictedView, thin
from njf_training.judge.truth import TrueView
from njf_training.judge.views import composite, psnr_db, robot_pixels, score_view

SHAPE = (8, 12)


def perfect() -> tuple[PredictedView, TrueView, np.ndarray, np.ndarray]:
    """A view that is predicted exactly: prediction, truth, image, background."""
    robot = np.zeros(SHAPE, bool)
    robot[2:6, 3:9] = True
    flow = np.where(robot[..., None], [3.0, -1.0], 0.0)
    background = np.full((*SHAPE, 3), 51, np.uint8)
    image = np.where(robot[..., None], np.uint8(204), background)
    depth = np.where(robot, 0.5, np.nan)
    opacity = robot.astype(float)
    predicted = PredictedView(flow, depth, opacity, opacity[..., None] * np.full(3, 0.8))
    return predicted, TrueView(flow, depth, robot), image, background


def test_a_perfect_prediction_scores_best() -> None:
    score = score_view(*perfect(), stride=1)
    assert score is not None
    assert score.cosine == pytest.approx(1.0)
    assert score.error_px == score.error_off_robot_px == score.depth_error_mm == 0.0
    assert score.motion_px == pytest.approx(np.hypot(3, 1))
    assert score.opacity_iou == 1.0
    assert score.psnr_db == score.psnr_robot_db == 60.0


def test_every_error_shows_in_its_own_figure() -> None:
    predicted, truth, image, background = perfect()
    beside = ~truth.robot
    wrong = predicted._replace(
        flow=np.where(beside[..., None], [0.0, 2.0], -predicted.flow),
        depth=predicted.depth + 0.004,
        rgb=predicted.rgb + 0.1 * predicted.opacity[..., None],
    )
    score = score_view(wrong, truth, image, background, stride=1)
    assert score is not None
    assert score.cosine == pytest.approx(-1.0)
    assert score.error_off_robot_px == pytest.approx(2.0)
    assert score.error_px == pytest.approx(2 * np.hypot(3, 1))
    assert score.depth_error_mm == pytest.approx(4.0)
    assert score.psnr_robot_db == pytest.approx(20.0)
    assert score.psnr_robot_db < score.psnr_db < 60.0


def test_without_the_robot_there_is_nothing_to_score() -> None:
    predicted, truth, image, background = perfect()
    empty = truth._replace(robot=np.zeros(SHAPE, bool))
    assert score_view(predicted, empty, image, background, stride=1) is None


def test_where_the_model_sees_nothing_the_background_is_shown() -> None:
    predicted, _, image, background = perfect()
    assert np.abs(composite(predicted, background) - image / 255).max() < 1e-12


def test_psnr_of_an_error_of_one_tenth_is_twenty_decibels() -> None:
    assert psnr_db(np.full((4, 3), 0.01)) == pytest.approx(20.0)
    assert np.isnan(psnr_db(np.zeros((0, 3))))


def test_robot_pixels_are_those_that_thinning_keeps() -> None:
    robot = np.random.default_rng(0).random((24, 32)) < 0.3
    pixels = robot_pixels(robot, 4).astype(int)
    assert robot[pixels[:, 1], pixels[:, 0]].all()
    assert len(pixels) == thin(robot, 4).sum()
