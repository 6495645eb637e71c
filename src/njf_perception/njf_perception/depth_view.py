"""Depth and confidence images of a scene, for people and logs."""

import numpy as np
import torch
from jaxtyping import Float32

from njf_perception.camera import pixel_grid
from njf_perception.scene import PixelNerfScene
from njf_perception.virtual_camera import turned_surface

_SMALLEST_CONFIDENCE = 0.5


def depth_view(
    scene: PixelNerfScene, width: int
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Depth [m] and confidence (0 to 1) in the image that was encoded, `width` pixels wide.

    These are the surface points the controller uses. Depth is NaN where nothing is seen.
    """
    camera = scene.camera
    height = round(width * camera.height / camera.width)
    scale = np.array([camera.width / width, camera.height / height])
    pixels = (pixel_grid(width, height) + 0.5) * scale - 0.5
    points, confidence = turned_surface(scene, pixels.reshape(-1, 2))
    forward = torch.from_numpy(scene.encoding.R_trained_camera[:, 2]).float()
    depth = torch.where(confidence >= _SMALLEST_CONFIDENCE, points @ forward, torch.nan)
    return depth.view(height, width).numpy(), confidence.view(height, width).numpy()
