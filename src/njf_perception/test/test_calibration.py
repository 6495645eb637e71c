"""Calibration files and the removal of lens distortion."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_perception.cameras.calibration import Undistorter, load_calibration
from njf_perception.errors import ConfigError, DataError

TEXT = """
camera_name: camera_0
image_width: 64
image_height: 48
camera_matrix: {rows: 3, cols: 3, data: [60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    return path


def test_calibration_is_read(tmp_path):
    calibration = load_calibration(write(tmp_path, TEXT))
    assert calibration.intrinsics[0].tolist() == [60.0, 0.0, 31.5]
    assert calibration.distortion.tolist() == [-0.3, 0.1, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("image_width: 64", "image_widht: 64", "image_widht"),
        ("plumb_bob", "magic", "distortion_model"),
        ("23.5, 0, 0, 1]", "23.5, 0, 0]", "8 values for 3 x 3"),
    ],
)
def test_broken_calibrations_are_refused(tmp_path, old, new, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load_calibration(write(tmp_path, TEXT.replace(old, new)))


def test_undistorted_dot_is_where_the_pinhole_sees_it(tmp_path):
    calibration = load_calibration(write(tmp_path, TEXT))
    K, direction = calibration.intrinsics, np.array([[[0.35, 0.25, 1.0]]])
    seen, _ = cv2.projectPoints(direction, np.zeros(3), np.zeros(3), K, calibration.distortion)
    v, u = np.mgrid[0:48, 0:64]
    dot = np.exp(-((u - seen[0, 0, 0]) ** 2 + (v - seen[0, 0, 1]) ** 2) / 4.0)
    image = np.repeat((255 * dot).astype(np.uint8)[..., None], 3, axis=2)
    straight = Undistorter(calibration)(image)[..., 0].astype(float)
    centre = np.array([(straight * u).sum(), (straight * v).sum()]) / straight.sum()
    np.testing.assert_allclose(centre, (K @ direction[0, 0])[:2], atol=0.2)


def test_image_of_another_size_is_refused(tmp_path):
    undistort = Undistorter(load_calibration(write(tmp_path, TEXT)))
    with pytest.raises(DataError, match="Calibrate at the size in use"):
        undistort(np.zeros((24, 32, 3), np.uint8))
