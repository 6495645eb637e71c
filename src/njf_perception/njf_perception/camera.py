"""Pinhole camera: pixels, rays and poses.

Conventions (docs/conventions.md): OpenCV axes (x right, y down, z forward), intrinsics in pixels,
pixel centres at integer coordinates, `T_world_camera` maps camera coordinates to world coordinates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Camera:
    """A calibrated, undistorted camera.

    Attributes:
        name: topic namespace and frame prefix, such as "camera_0".
        width, height: image size [px].
        K: intrinsic matrix [px].
        T_world_camera: pose of the camera's optical frame in the world [m].
    """

    name: str
    width: int
    height: int
    K: Float[np.ndarray, "3 3"]
    T_world_camera: Float[np.ndarray, "4 4"]

    def scaled(self, width: int, height: int) -> "Camera":
        """The same camera with images resized to `width` x `height` [px]."""
        sx, sy = width / self.width, height / self.height
        K = self.K.copy()
        K[0] *= sx
        K[1] *= sy
        # Pixel centres are integers, so the image starts at -0.5 and that edge stays fixed.
        K[0, 2] = sx * (self.K[0, 2] + 0.5) - 0.5
        K[1, 2] = sy * (self.K[1, 2] + 0.5) - 0.5
        return Camera(self.name, width, height, K, self.T_world_camera)

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Project points in the camera frame [m] to pixels (u, v); NaN at or behind the camera."""
        return project(points, self.K)

    def rays(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
        """Directions with unit depth (z = 1) in the camera frame through `pixels` (u, v)."""
        uv = (pixels - self.K[:2, 2]) / self.K[[0, 1], [0, 1]]
        return np.concatenate([uv, np.ones_like(uv[..., :1])], axis=-1)


def project(
    points: Float[np.ndarray, "*n 3"], K: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "*n 2"]:
    """Pinhole projection of camera-frame points [m] to pixels (u, v); NaN where z <= 0."""
    z = points[..., 2:3]
    z = np.where(z > 0, z, np.nan)
    return points[..., :2] / z * K[[0, 1], [0, 1]] + K[:2, 2]


def pixel_grid(width: int, height: int) -> Float[np.ndarray, "height width 2"]:
    """Pixel centres (u, v) of an image."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([u, v], axis=-1)


def transform(
    T: Float[np.ndarray, "4 4"], points: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Apply a rigid transform to points."""
    return points @ T[:3, :3].T + T[:3, 3]


def invert(T: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """Inverse of a rigid transform."""
    R, t = T[:3, :3], T[:3, 3]
    inverse = np.eye(4)
    inverse[:3, :3] = R.T
    inverse[:3, 3] = -R.T @ t
    return inverse
