"""Camera noise, cheap enough for every frame."""

import numpy as np
from jaxtyping import UInt8

_PATTERNS = 8


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
