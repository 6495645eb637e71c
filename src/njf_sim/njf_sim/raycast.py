"""Rays of a camera, what they hit, and which pixels are worth a ray."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from jaxtyping import Bool, Float, Int, Int32, UInt64

from njf_perception.camera import Camera, invert, pixel_grid, transform

FAR_M = 30.0
# MuJoCo's geom groups, the way mj_multiRay selects geoms.
STATIC_GROUP, MOVING_GROUP, _CHOSEN_GROUP = 0, 1, 2
_GROUPS = np.eye(6, dtype=np.uint8)
_BOX_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_OUTLINE_MARGIN_PX = 1
_NEAR_M = 0.01
_TILE_PX = 32


class View:
    """Rays of one camera: unit directions in the world, flattened row by row."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.shape = (camera.height, camera.width)
        self.origin = camera.T_world_camera[:3, 3].copy()
        self.pixels = pixel_grid(camera.width, camera.height).reshape(-1, 2)
        self.directions, length = self.rays(self.pixels)
        self.z_per_distance = 1.0 / length
        v, u = np.indices(self.shape) // _TILE_PX
        self.tile = (v * (u.max() + 1) + u).ravel()  # number of each pixel's tile, see `batches`

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

    def __getitem__(self, index: Bool[np.ndarray, " n"] | Int[np.ndarray, " m"] | slice) -> "Hits":
        return Hits(self.geom[index], self.distance[index], self.normal[index])

    @staticmethod
    def nothing(count: int) -> "Hits":
        """For MuJoCo to write into."""
        return Hits(np.full(count, -1, np.int32), np.full(count, -1.0), np.zeros((count, 3)))

    def finished(self) -> "Hits":
        """What MuJoCo wrote, with its distance of -1 made infinite."""
        return Hits(self.geom, np.where(self.geom >= 0, self.distance, np.inf), self.normal)


def cast(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "n 3"],
    group: int | None = None,
) -> Hits:
    """Cast rays from one point along unit `directions`, at the geoms of one group or at all."""
    hits = Hits.nothing(len(directions))
    _cast_into(model, data, origin, np.ascontiguousarray(directions), group, hits)
    return hits.finished()


def _cast_into(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "n 3"],
    group: int | None,
    hits: Hits,
) -> None:
    """See `cast`; writes into `hits`. All arrays are contiguous."""
    groups = None if group is None else _GROUPS[group]
    count = len(directions)
    if count:
        mujoco.mj_multiRay(
            model,
            data,
            origin,
            directions.reshape(-1),
            groups,
            True,
            -1,
            hits.geom,
            hits.distance,
            hits.normal.reshape(-1),
            count,
            FAR_M,
        )


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


@dataclass(frozen=True)
class Batch:
    """Pixels whose rays can meet the same few geoms and no others.

    Attributes:
        geoms: ids of those geoms.
        pixels: flat indices.
    """

    geoms: Int[np.ndarray, " g"]
    pixels: Int[np.ndarray, " n"]


def batches(
    model: mujoco.MjModel, data: mujoco.MjData, geoms: Int[np.ndarray, " n"], view: View
) -> list[Batch]:
    """The pixels inside the outlines of the bounding boxes of `geoms`, tile by tile.

    A ray is tried against every geom of the group that it is cast at: of a hand's forty geoms two
    or three can be in its tile. Tiles with the same geoms are one batch.
    """
    # A bit per geom; beyond 64 geoms a bit stands for several.
    bit = np.arange(len(geoms)) % 64
    seen = np.zeros(view.shape, np.uint64)
    for corners, shift in zip(_corners(model, data, geoms, view.camera), bit, strict=True):
        _mark(seen, corners, view.camera, np.uint64(1) << np.uint64(shift))
    pixels = np.flatnonzero(seen)
    starts = [np.arange(0, size, _TILE_PX) for size in view.shape]
    tiles = np.bitwise_or.reduceat(np.bitwise_or.reduceat(seen, starts[0]), starts[1], axis=1)
    distinct, label = np.unique(tiles, return_inverse=True)
    found = label.ravel()[view.tile[pixels]].astype(np.uint16)
    order = np.argsort(found, kind="stable")
    ends = np.searchsorted(found[order], np.arange(1, len(distinct)))
    return [
        Batch(geoms[(mask >> bit.astype(np.uint64)) & np.uint64(1) != 0], part)
        for mask, part in zip(distinct, np.split(pixels[order], ends), strict=True)
        if len(part)
    ]


def _corners(
    model: mujoco.MjModel, data: mujoco.MjData, geoms: Int[np.ndarray, " n"], camera: Camera
) -> Float[np.ndarray, "n 8 3"]:
    """Corners of the bounding boxes of `geoms` in the camera frame [m]."""
    centre, half = model.geom_aabb[geoms, None, :3], model.geom_aabb[geoms, None, 3:]
    rotation = data.geom_xmat[geoms].reshape(-1, 3, 3)
    local = centre + _BOX_CORNERS * half
    corners = np.einsum("gij,gcj->gci", rotation, local) + data.geom_xpos[geoms, None]
    return transform(invert(camera.T_world_camera), corners)


def _mark(
    seen: UInt64[np.ndarray, "h w"],
    corners: Float[np.ndarray, "n 3"],
    camera: Camera,
    bit: np.uint64,
) -> None:
    """Set a bit in the pixels inside the convex hull of points in the camera frame [m]."""
    if (corners[:, 2] < _NEAR_M).any():
        seen |= bit
        return
    points = np.rint(camera.project(corners)).astype(np.int32)
    margin = _OUTLINE_MARGIN_PX + 1
    left, top = np.maximum(points.min(axis=0) - margin, 0)
    right, bottom = points.max(axis=0) + margin + 1
    window = seen[top : max(bottom, 0), left : max(right, 0)]
    if window.size == 0:
        return
    mask = np.zeros(window.shape, np.uint8)
    hull = cv2.convexHull(points - np.array([left, top], np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    cv2.polylines(mask, [hull], True, 1, 2 * _OUTLINE_MARGIN_PX + 1)
    window |= mask * bit


def cast_batches(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "n 3"],
    batches: Sequence[tuple[Int[np.ndarray, " _"], int]],
) -> Hits:
    """Cast `directions` batch by batch, each at some geoms: (geoms, number of rays) in order."""
    hits = Hits.nothing(len(directions))
    group, begin = model.geom_group, 0
    for geoms, count in batches:
        before, group[geoms] = group[geoms], _CHOSEN_GROUP
        rows = slice(begin, begin + count)
        _cast_into(model, data, origin, directions[rows], _CHOSEN_GROUP, hits[rows])
        group[geoms] = before
        begin += count
    return hits.finished()
