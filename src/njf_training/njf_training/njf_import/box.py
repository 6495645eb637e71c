"""The box in which a robot moved: the visual hulls of its silhouettes, together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from njf_perception.camera import Camera, invert, transform
from njf_perception.errors import DataError

GRID = 48  # points per edge of the searched cube
SEEING = 0.75  # share of the cameras that must have a point in their image
AGREEING = 0.9  # ... and share of those that must have the robot there, in one and the same state
MARGIN = 0.1  # of the box, on each side


def moving_box(
    cameras: Sequence[Camera], masks: Bool[np.ndarray, "s c h w"]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Smallest and largest corner [m, world] of the robot's visual hulls in some states.

    Args:
        cameras: calibrated cameras.
        masks: per state and camera, where the robot is.

    Raises:
        DataError: in no state do the cameras see the robot in the same place.
    """
    center = _nearest_to_rays(cameras, np.asarray(masks.any(0)))
    distances = [np.linalg.norm(camera.T_world_camera[:3, 3] - center) for camera in cameras]
    half = np.full(3, 0.75 * float(np.median(distances)))
    low, high = center - half, center + half
    for _ in range(3):  # the first pass sees the box roughly, each of the next more finely
        points = _grid(low, high)
        kept = points[_in_a_hull(points, cameras, masks)]
        if not len(kept):
            raise DataError(
                "in no state do the cameras see the robot in the same place. Do the poses belong "
                "to these images, in metres?"
            )
        cell = (high - low) / (GRID - 1)
        low, high = kept.min(0) - cell, kept.max(0) + cell
    margin = MARGIN * (high - low)
    return low - margin, high + margin


def _nearest_to_rays(
    cameras: Sequence[Camera], moving: Bool[np.ndarray, "c h w"]
) -> Float[np.ndarray, "3"]:
    """The point nearest, in least squares, to every camera's ray through the middle of motion."""
    normal, right = np.zeros((3, 3)), np.zeros(3)
    for camera, mask in zip(cameras, moving, strict=True):
        if mask.any():
            middle = np.argwhere(mask).mean(0)[::-1]
            ray = camera.T_world_camera[:3, :3] @ camera.rays(middle)
            ray /= np.linalg.norm(ray)
            across = np.eye(3) - np.outer(ray, ray)
            normal += across
            right += across @ camera.T_world_camera[:3, 3]
    return np.linalg.lstsq(normal, right, rcond=None)[0]


def _grid(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]) -> Float[np.ndarray, "n 3"]:
    axes = [np.linspace(a, b, GRID) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _in_a_hull(
    points: Float[np.ndarray, "n 3"],
    cameras: Sequence[Camera],
    masks: Bool[np.ndarray, "s c h w"],
) -> Bool[np.ndarray, " n"]:
    views, hits = np.zeros(len(points)), np.zeros((len(masks), len(points)), np.uint8)
    for column, camera in enumerate(cameras):
        pixels = camera.project(transform(invert(camera.T_world_camera), points))
        u, v = np.nan_to_num(pixels, nan=-1.0).round().T
        inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        views += inside
        hits[:, inside] += masks[:, column, v[inside].astype(int), u[inside].astype(int)]
    enough = views >= max(min(2, len(cameras)), SEEING * len(cameras))
    return enough & (hits.max(0) >= AGREEING * views)
