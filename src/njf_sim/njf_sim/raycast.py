"""Rays of a camera, what they hit, and which pixels are worth a ray."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import itertools
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int, Int32

from njf_perception.camera import Camera, invert, pixel_grid, transform

FAR_M = 30.0
STATIC_GROUP, MOVING_GROUP = 0, 1  # MuJoCo's geom groups, the way mj_multiRay selects geoms
_BOX_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_OUTLINE_MARGIN_PX = 1
_NEAR_M = 0.01


class View:
    """Rays of one camera: unit directions in the world, flattened row by row."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.shape = (camera.height, camera.width)
        self.origin = camera.T_world_camera[:3, 3].copy()
        self.pixels = pixel_grid(camera.width, camera.height).reshape(-1, 2)
        self.directions, length = self.rays(self.pixels)
        self.z_per_distance = 1.0 / length

    def rays(
        self, pixels: Float[np.ndarray, "n 2"]
    ) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
        """Unit directions through `pixels` in world axes, and the rays' length at z = 1."""
        rays = self.camera.rays(pixels)
        length = np.linalg.norm(rays, axis=1)
        return (rays / length[:, None]) @ self.camera.T_world_camera[:3, :3].T, length


@dataclass(frozen=True)
class Hits:
    """What rays met. Where they met nothing, geom is -1 and the distance infinite."""

    geom: Int32[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    normal: Float[np.ndarray, "n 3"]

    def __getitem__(self, index: Bool[np.ndarray, " n"] | Int[np.ndarray, " m"]) -> "Hits":
        return Hits(self.geom[index], self.distance[index], self.normal[index])


def cast(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "n 3"],
    group: int | None = None,
) -> Hits:
    """Cast rays from one point along unit `directions`, at the geoms of one group or at all."""
    count = len(directions)
    geom = np.full(count, -1, np.int32)
    distance = np.full(count, -1.0)
    normal = np.zeros((count, 3))
    groups = None if group is None else (np.arange(6) == group).astype(np.uint8)
    if count:
        mujoco.mj_multiRay(
            model,
            data,
            origin,
            np.ascontiguousarray(directions).ravel(),
            groups,
            True,
            -1,
            geom,
            distance,
            normal.ravel(),
            count,
            FAR_M,
        )
    return Hits(geom, np.where(geom >= 0, distance, np.inf), normal)


def to_bodies(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    geom: Int32[np.ndarray, " n"],
    points: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, "n 3"]:
    """World points on geoms, in the coordinates of the geoms' bodies [m]."""
    local = np.empty_like(points)
    bodies = model.geom_bodyid[geom]
    for body in np.unique(bodies):
        at = np.flatnonzero(bodies == body)
        local[at] = (points[at] - data.xpos[body]) @ data.xmat[body].reshape(3, 3)
    return local


def outlined_pixels(
    model: mujoco.MjModel, data: mujoco.MjData, geoms: Int[np.ndarray, " n"], camera: Camera
) -> Int[np.ndarray, " m"]:
    """Flat indices of the pixels inside the outlines of the bounding boxes of `geoms`."""
    centre, half = model.geom_aabb[geoms, None, :3], model.geom_aabb[geoms, None, 3:]
    rotation = data.geom_xmat[geoms].reshape(-1, 3, 3)
    local = centre + _BOX_CORNERS * half
    corners = np.einsum("gij,gcj->gci", rotation, local) + data.geom_xpos[geoms, None]
    corners = transform(invert(camera.T_world_camera), corners)
    if (corners[..., 2] < _NEAR_M).any():
        return np.arange(camera.width * camera.height)
    outlines = np.rint(camera.project(corners)).astype(np.int32)
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for outline in outlines:
        hull = cv2.convexHull(outline)
        cv2.fillConvexPoly(mask, hull, 1)
        cv2.polylines(mask, [hull], True, 1, 2 * _OUTLINE_MARGIN_PX + 1)
    return np.flatnonzero(mask)
