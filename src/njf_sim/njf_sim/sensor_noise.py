"""What real cameras do to images, cheap enough for every frame."""

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

_PATTERNS = 8
_EDGE_M = 0.01  # neighbouring pixels whose depths differ by more lie on both sides of an edge
_FARTHEST_M = 65.535  # what 16 bits of millimetres hold


class SensorNoise:
    """Adds Gaussian noise to images: a random one of a few fixed patterns, randomly shifted."""

    def __init__(self, height: int, width: int, levels: float, seed: int) -> None:
        """Prepare noise of standard deviation `levels` [grey levels of 255]."""
        self._silent = levels == 0
        self._random = np.random.default_rng(seed)
        noise = self._random.standard_normal((_PATTERNS, height, width, 3), dtype=np.float32)
        self._patterns = np.rint(levels * noise).clip(-127, 127).astype(np.int16)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The image with noise, clipped to 0..255; the image itself when there is none."""
        if self._silent:
            return image
        pattern = self._patterns[self._random.integers(_PATTERNS)]
        pattern = np.roll(pattern, self._random.integers(image.shape[0]), axis=0)
        return (image + pattern).clip(0, 255).astype(np.uint8)


def depth_image_mm(depth_m: Float32[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """What a depth camera sends of a true depth: millimetres, 0 where it measures nothing.

    That is where no surface is, or none near enough, and on both sides of every edge: there a
    stereo camera finds no match and a time-of-flight camera mixes two surfaces.
    """
    known = np.isfinite(depth_m) & (depth_m <= _FARTHEST_M)
    filled = np.where(known, depth_m, np.float32(2 * _FARTHEST_M))
    across = np.abs(np.diff(filled, axis=1)) > _EDGE_M
    down = np.abs(np.diff(filled, axis=0)) > _EDGE_M
    known[:, 1:] &= ~across
    known[:, :-1] &= ~across
    known[1:] &= ~down
    known[:-1] &= ~down
    return np.where(known, np.rint(1e3 * filled), 0).astype(np.uint16)
