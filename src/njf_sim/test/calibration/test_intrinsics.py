"""Lenses from views with known truth, and views that leave them open."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.intrinsics import IntrinsicsLimits, calibrate_lens
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.camera import transform
from njf_perception.errors import DataError

BOARD, SIZE = Board(), (640, 480)
LENS = Lens(
    640,
    480,
    np.array([[611.0, 0, 325], [0, 609, 236], [0, 0, 1]]),
    np.array([-0.2, 0.06, 0.001, -0.0005, 0.0]),
)
PLACES = np.array([[x, y, 0.45] for x in (-0.16, 0.0, 0.16) for y in (-0.1, 0.0, 0.1)])


def views(
    rng: np.random.Generator, places: np.ndarray = PLACES, tilt_rad: float = 0.5
) -> list[View]:
    """Views from around each place, with noise of 0.3 px."""
    found = []
    for index, place in enumerate(places):
        direction = rng.uniform(-np.pi, np.pi)
        turn = tilt_rad * np.array([np.cos(direction), np.sin(direction), 0.0])
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec(turn).as_matrix() @ np.diag([1.0, -1.0, -1.0])
        T[:3, 3] = place
        pixels = LENS.project(transform(T, BOARD.corners_m.reshape(-1, 3)))[0]
        whole = LENS.inside(pixels).reshape(-1, 4).all(1)
        noisy = (pixels + 0.3 * rng.standard_normal(pixels.shape)).reshape(-1, 4, 2)
        found.append(View("eye", f"{index:03d}", Sighting(BOARD.ids[whole], noisy[whole])))
    return found


def test_the_lens_comes_out_within_its_standard_deviations(rng: np.random.Generator) -> None:
    result = calibrate_lens(BOARD, "eye", SIZE, views(rng))
    truth = np.array([611, 609, 325, 236, -0.2, 0.06, 0.001, -0.0005, 0])
    K = result.lens.K
    found = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2], *result.lens.distortion])
    assert (np.abs(found - truth) < 4 * result.std).all()
    assert (result.std[:2] < 2.5).all() and 0.35 < result.error_px < 0.5
    corners = np.array([[0.0, 0], [639, 0], [639, 479], [0, 479]])
    rays = np.column_stack([LENS.undistort(corners), np.ones(4)])
    apart = result.lens.project(rays)[0] - corners
    assert np.linalg.norm(apart, axis=-1).max() < 5.0


def test_too_few_views(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match="eye: 5 usable views, expected at least 8 for intrinsics"):
        calibrate_lens(BOARD, "eye", SIZE, views(rng)[:5])


def test_frontal_views(rng: np.random.Generator) -> None:
    message = r"0 of 9 views have the board tilted by 15 deg or more, expected at least 4; frontal"
    with pytest.raises(DataError, match=message):
        calibrate_lens(BOARD, "eye", SIZE, views(rng, tilt_rad=0.05))


def test_a_corner_of_the_image_that_was_never_seen(rng: np.random.Generator) -> None:
    left = np.where(PLACES[:, :1] > 0, PLACES * [-1, 1, 1], PLACES)
    message = "no tag was seen in the image's top right and bottom right corner"
    with pytest.raises(DataError, match=message):
        calibrate_lens(BOARD, "eye", SIZE, views(rng, left - [0.05, 0, 0]))


def test_a_focal_length_that_is_open(rng: np.random.Generator) -> None:
    limits = IntrinsicsLimits(focal_std=0.0001)
    with pytest.raises(DataError, match=r"leave the focal length open by 0\.\d %"):
        calibrate_lens(BOARD, "eye", SIZE, views(rng), limits)


def test_a_board_that_is_not_flat(rng: np.random.Generator) -> None:
    bent = []
    for view in views(rng):
        corners = view.sighting.corners_px + 4 * rng.standard_normal((len(view.sighting.ids), 1, 2))
        bent.append(replace(view, sighting=replace(view.sighting, corners_px=corners)))
    with pytest.raises(DataError, match=r"reprojection error of \d.* expected at most 1"):
        calibrate_lens(BOARD, "eye", SIZE, bent)
