"""Lenses of camera_info messages."""

from types import SimpleNamespace

import numpy as np
import pytest

from njf_perception.calibration.bags import lens_of_info
from njf_perception.errors import DataError


def info(model: str, coefficients: int) -> SimpleNamespace:
    K = [600.0, 0, 320, 0, 600, 240, 0, 0, 1]
    return SimpleNamespace(
        k=K, d=[0.0] * coefficients, distortion_model=model, width=640, height=480
    )


def test_no_model_is_a_lens_without_distortion() -> None:
    lens = lens_of_info("camera_0", info("", 0))
    np.testing.assert_allclose(lens.undistort(np.array([[380.0, 240]])), [[0.1, 0]])


@pytest.mark.parametrize(
    ("model", "count", "complaint"),
    [
        ("magic", 5, "distortion_model 'magic', expected one of plumb_bob, rational_polynomial"),
        ("equidistant", 0, "0 distortion coefficients, expected 4 for equidistant"),
        ("plumb_bob", 3, "3 distortion coefficients, expected 0 or 4 or 5 for plumb_bob"),
    ],
)
def test_an_unknown_distortion_is_refused(model: str, count: int, complaint: str) -> None:
    with pytest.raises(DataError, match=f"^camera_0/camera_info: {complaint}.*Correct the camera"):
        lens_of_info("camera_0", info(model, count))
