"""Depth and confidence images of a scene, for people and logs."""

import numpy as np
import torch
from jaxtyping import Float32

from njf_perception.camera import Camera, pixel_grid
from njf_perception.scene import Scene

_SMALLEST_CONFIDENCE = 0.5


def depth_view(
    scene: Scene, camera: Camera, width: int
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Depth [m] and confidence (0 to 1) of the scene in `camera`, `width` pixels wide.

    These are the surface points the controller uses. Depth is NaN where nothing is seen.
    """
    height = round(width * camera.height / camera.width)
    scale = np.array([camera.width / width, camera.height / height])
    pixels = (pixel_grid(width, height) + 0.5) * scale - 0.5
    points, confidence = scene.surface(torch.from_numpy(pixels.reshape(-1, 2)).float())
    depth = torch.where(confidence >= _SMALLEST_CONFIDENCE, points[:, 2], torch.nan)
    return depth.view(height, width).numpy(), confidence.view(height, width).numpy()
