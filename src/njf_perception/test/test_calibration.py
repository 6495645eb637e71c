"""Calibration files and the removal of lens distortion."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from njf_perception.calibration.lens import Lens
from njf_perception.cameras.calibration import (
    Calibration,
    Undistorter,
    check_distortion,
    load_calibration,
)
from njf_perception.config import parse_config
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
        ("plumb_bob", "equidistant", "5 distortion coefficients, expected 4 for equidistant"),
        ("plumb_bob", "rational_polynomial", "5 .*, expected 8 or 12 or 14 for rational"),
        ("cols: 5, data: [-0.3, 0.1, 0", "cols: 3, data: [-0.3", "3 .*, expected 0 or 4 or 5 for"),
    ],
)
def test_broken_calibrations_are_refused(tmp_path, old, new, complaint):
    with pytest.raises(ConfigError, match=complaint):
        load_calibration(write(tmp_path, TEXT.replace(old, new)))


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (model, n)
        for model in ("plumb_bob", "rational_polynomial", "equidistant")
        for n in range(15)
    ],
)
def test_every_distortion_that_is_accepted_is_computed(model: str, count: int) -> None:
    K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])
    try:
        check_distortion(model, count)
    except ValueError:
        with pytest.raises(DataError, match=f"^{count} distortion coefficients, expected .* for"):
            Lens(64, 48, K, np.zeros(count), model)
        return
    lens = Lens(64, 48, K, np.zeros(count), model)
    pixels, _ = lens.project(np.array([[0.1, 0, 1]]))
    np.testing.assert_allclose(lens.undistort(pixels), [[0.1, 0.0]], atol=1e-6)
    if count:  # a file's matrix has a value at least
        text = TEXT.replace("plumb_bob", model).replace("cols: 5", f"cols: {count}")
        content = yaml.safe_load(text.replace("[-0.3, 0.1, 0, 0, 0]", str([0.0] * count)))
        undistort = Undistorter(parse_config(content, Calibration, "test"))
        assert undistort(np.full((48, 64, 3), 9, np.uint8))[24, 32, 0] == 9


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
