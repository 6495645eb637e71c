"""What is right, and how signs of it become a probability."""

import math

import numpy as np
import pytest
import torch

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_control.jacobian.confidence import (
    Calibration,
    confidence_signs,
    is_right,
    is_telling,
)
from njf_perception.camera import Camera
from njf_perception.scene import Encoding
from njf_perception.workspace import Box, Workspace

CALIBRATION = Calibration(bias=0.5, log_spread=-1.2, log_motion=0.3, motions=1, points=1, right=0.5)
POINTS = torch.tensor([[0.0, 0.0, 0.5], [0.05, 0.0, 0.5], [0.0, 0.1, 0.45]])


class BlankScene:
    """Features are zero everywhere."""

    encoding = Encoding(torch.zeros(4, 2, 2), torch.zeros(8))

    def features(self, points: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(points), 4)


def make_field(spread: float) -> JacobianField:
    """A field that states the same spread everywhere."""
    torch.manual_seed(0)
    camera = Camera("camera_0", 64, 48, np.eye(3), np.eye(4))
    box = Box.from_world(np.array([-0.2, -0.2, 0.4]), np.array([0.2, 0.2, 0.6]), camera)
    field = JacobianField(JacobianConfig(), Workspace(box), 4, 8, 3)
    with torch.no_grad():
        field.log_spread.last.weight.zero_()
        field.log_spread.last.bias.fill_(math.log(spread))
    return field


def test_right_means_half_a_pixel_or_a_quarter() -> None:
    true = np.array([[1.0, 0.0], [1.0, 0.0], [10.0, 0.0], [10.0, 0.0]])
    predicted = true + [[0.0, 0.4], [0.0, 0.6], [2.4, 0.0], [2.6, 0.0]]
    assert is_right(predicted, true).tolist() == [True, False, True, False]


def test_only_motion_tells_whether_a_model_is_right() -> None:
    still, small, large = np.zeros(2), np.array([0.0, 0.9]), np.array([1.1, 0.0])
    unknown = np.full(2, np.nan)
    predicted = np.stack([still, small, large, still, large])
    true = np.stack([still, small, still, large, unknown])
    assert is_telling(predicted, true).tolist() == [False, False, True, True, False]


def test_signs_are_the_spread_and_the_motion_across_the_view() -> None:
    jacobian = torch.zeros(3, 3, 2)
    jacobian[0, 0] = torch.tensor([0.03, 0.04])  # two channels move it to the right
    jacobian[1, :, 0] = POINTS[1]  # along its own ray
    jacobian[2, 1, 1] = 0.045
    found = confidence_signs(POINTS, jacobian, torch.tensor([0.1, 1.0, 2.0]))
    np.testing.assert_allclose(found[:, 0], np.log([0.1, 1.0, 2.0]), atol=1e-6)
    np.testing.assert_allclose(found[[0, 2], 1], np.log([0.05 / 0.5, 0.045 / 0.45]), atol=1e-5)
    assert found[1, 1] < -10, "what moves along its ray does not move in the image"


@pytest.mark.parametrize("spread", [0.05, 0.25, 2.0])
def test_without_a_calibration_the_spread_alone_speaks(spread: float) -> None:
    _, right = make_field(spread).evaluate(BlankScene(), POINTS)
    np.testing.assert_allclose(right, 1 - math.exp(-0.25 / spread), rtol=1e-4)


def test_a_calibration_is_applied_to_the_signs() -> None:
    field = make_field(0.3)
    plain, _ = field.evaluate(BlankScene(), POINTS)
    field.calibration = CALIBRATION
    jacobian, right = field.evaluate(BlankScene(), POINTS)
    assert torch.equal(jacobian, plain), "the Jacobian is not touched"
    log_spread, log_motion = field.signs(BlankScene(), POINTS).T
    expected = torch.sigmoid(0.5 - 1.2 * log_spread + 0.3 * log_motion)
    torch.testing.assert_close(right, expected)
    assert math.log(0.3) == pytest.approx(float(log_spread[0]), abs=1e-5)
