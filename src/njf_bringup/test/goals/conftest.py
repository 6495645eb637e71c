"""A textured disc that a fixed camera sees, moving as it is told."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

RADIUS_PX, AT = 40, np.array([110.0, 120.0])


def texture(seed: int, contrast: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (240, 320, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return 128 + contrast * smooth / smooth.std()


def moved_by(angle_rad: float, right_px: float) -> np.ndarray:
    """2 x 3, how the disc's points move: turned about its middle, then to the right."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack([linear, AT - linear @ AT + [right_px, 0]])


def picture(T: np.ndarray) -> np.ndarray:
    """The disc before a faint background, with noise."""
    disc = cv2.circle(np.zeros((240, 320), np.uint8), (110, 120), RADIUS_PX, 1, -1)
    mask = cv2.warpAffine(disc, T, (320, 240)) > 0
    surface = cv2.warpAffine(texture(1, 45.0), T, (320, 240), flags=cv2.INTER_LANCZOS4)
    image = np.where(mask[..., None], surface, texture(2, 12.0))
    image += np.random.default_rng(round(1e3 * T[0, 2])).normal(0, 2, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def disc() -> Callable[[float, float], np.ndarray]:
    """`disc(angle_rad, right_px)`: a picture (RGB, 320 x 240)."""
    return lambda angle_rad, right_px: picture(moved_by(angle_rad, right_px))


@pytest.fixture
def motion() -> Callable[[float, float], np.ndarray]:
    """`motion(angle_rad, right_px)`: 2 x 3, how the disc's points move."""
    return moved_by
