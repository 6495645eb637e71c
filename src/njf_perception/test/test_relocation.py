"""Points of an earlier picture found again, on a textured disc whose motion is known exactly."""

import cv2
import numpy as np
import pytest

from njf_perception.errors import DataError
from njf_perception.relocation import relocate
from njf_perception.trackers.lucas_kanade import pick_points

RADIUS_PX, AT = 50, (100.0, 120.0)


def texture(seed: int, contrast: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (240, 320, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return 128 + contrast * smooth / smooth.std()


def motion(angle_rad: float, right_px: float) -> np.ndarray:
    """2 x 3, how the disc's points move: turned about its middle, then to the right."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack([linear, AT - linear @ AT + [right_px, 0]])


def picture(T: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The disc before a faint background, with noise; and where it is."""
    disc = cv2.circle(np.zeros((240, 320), np.uint8), (100, 120), RADIUS_PX, 1, -1)
    mask = cv2.warpAffine(disc, T, (320, 240)) > 0
    moved = cv2.warpAffine(texture(1, 45.0), T, (320, 240), flags=cv2.INTER_LANCZOS4)
    image = np.where(mask[..., None], moved, texture(2, 10.0))
    image += np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


@pytest.mark.parametrize(("angle_rad", "right_px"), [(0.0, 0.0), (0.05, 3.0), (0.6, 60.0)])
def test_points_are_found_near_and_far(angle_rad: float, right_px: float) -> None:
    first, mask = picture(motion(0.0, 0.0), seed=3)
    points = pick_points(first, mask, 40)
    T = motion(angle_rad, right_px)
    found = relocate(first, points, picture(T, seed=4)[0])
    expected = points @ T[:, :2].T + T[:, 2]
    error_px = np.linalg.norm(found.points - expected, axis=1)[found.visible]
    assert found.visible.sum() >= 0.6 * len(points)
    assert np.median(error_px) < 0.3 and (error_px < 2).all()
    assert ((found.confidence > 0.5) == found.visible).all()


def test_what_is_gone_is_not_found() -> None:
    first, mask = picture(motion(0.0, 0.0), seed=3)
    empty = np.clip(texture(2, 10.0), 0, 255).astype(np.uint8)
    found = relocate(first, pick_points(first, mask, 40), empty)
    assert found.visible.sum() <= 2
    assert (found.confidence[~found.visible] == 0).all()


def test_another_size_is_refused() -> None:
    first, mask = picture(motion(0.0, 0.0), seed=3)
    with pytest.raises(DataError, match="320 x 240 px, the image 160 x 120"):
        relocate(first, pick_points(first, mask, 9), np.ascontiguousarray(first[::2, ::2]))
