"""Tags in rendered images: where, how sharp, which way round."""

import cv2
import numpy as np
import pytest
from jaxtyping import Float

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import TagDetector
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import BLURRED_PX
from njf_perception.camera import transform
from njf_sim.board_pictures import Optics, board_picture

BOARD = Board()
LENS = Lens(
    640, 480, np.array([[600.0, 0, 322], [0, 601, 238], [0, 0, 1]]), np.array([-0.2, 0.05, 0, 0, 0])
)


def pose(distance_m: float) -> Float[np.ndarray, "4 4"]:
    """The board in front of the camera, tilted by half a radian."""
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.3, 0.4, 0.0]))[0] @ np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = 0.03, -0.02, distance_m
    return T


@pytest.mark.parametrize(("distance_m", "bound_px"), [(0.35, 0.08), (0.6, 0.1), (0.9, 0.15)])
def test_corners_are_a_tenth_of_a_pixel_off(
    distance_m: float, bound_px: float, rng: np.random.Generator
) -> None:
    T = pose(distance_m)
    seen = TagDetector(BOARD)(board_picture(BOARD, LENS, T, rng, Optics(0.7, 2.0)))
    assert len(seen.ids) >= 18
    true = LENS.project(transform(T, BOARD.corners_m[seen.ids].reshape(-1, 3)))[0]
    assert np.sqrt(((seen.corners_px.reshape(-1, 2) - true) ** 2).mean()) < bound_px


def test_blur_is_measured(rng: np.random.Generator) -> None:
    blurs = [
        TagDetector(BOARD)(board_picture(BOARD, LENS, pose(0.3), rng, Optics(blur))).blur_px
        for blur in (0.8, 1.6, 3.5)
    ]
    assert blurs == sorted(blurs)
    assert blurs[0] == pytest.approx(0.8, abs=0.3)
    assert blurs[1] == pytest.approx(1.6, abs=0.4) and blurs[1] < BLURRED_PX < blurs[2]


def test_a_mirrored_board_is_told_from_none(rng: np.random.Generator) -> None:
    image = board_picture(BOARD, LENS, pose(0.5), rng)
    mirrored = TagDetector(BOARD)(np.ascontiguousarray(image[:, ::-1]))
    assert mirrored.mirrored and len(mirrored.ids) == 0
    empty = TagDetector(BOARD)(np.full((480, 640), 128, np.uint8))
    assert not empty.mirrored and len(empty.ids) == 0


def test_tags_of_another_board_are_foreign(rng: np.random.Generator) -> None:
    seen = TagDetector(Board(first_id=100))(board_picture(BOARD, LENS, pose(0.5), rng))
    assert len(seen.ids) == 0 and set(seen.foreign_ids) <= set(range(20)) != set()
    assert seen.foreign_ids
