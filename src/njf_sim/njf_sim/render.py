"""Camera images by ray casting: no OpenGL, no display, one core.

Everything that never moves is cast once per camera and kept; a frame casts only the rays inside
the outlines of the moving geoms and composites them by depth. Silhouettes and edges inside the
robot are anti-aliased with four more rays per edge pixel. Depth and geom are those of the pixel
centre. No shadows: a moving shadow would be moving background.
"""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import copy
from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8

from njf_sim.paint import Paint, haze, sky, to_bytes
from njf_sim.raycast import (
    MOVING_GROUP,
    STATIC_GROUP,
    Batch,
    Hits,
    View,
    batches,
    cast,
    cast_batches,
    to_bodies,
)
from njf_sim.robot_model import RobotModel

# Four rays per pixel, no two in one row or column [px].
_SAMPLES = np.array([[-0.375, -0.125], [0.125, -0.375], [-0.125, 0.375], [0.375, 0.125]])


@dataclass(frozen=True)
class Frame:
    """One rendered image.

    Attributes:
        rgb: colours.
        depth: z in the camera frame [m]; NaN where no surface is.
        geom: id of the geom seen at the pixel centre; -1 where no surface is.
    """

    rgb: UInt8[np.ndarray, "h w 3"]
    depth: Float32[np.ndarray, "h w"]
    geom: Int32[np.ndarray, "h w"]


@dataclass(frozen=True)
class _StaticLayer:
    """All of a camera that does not change, flattened row by row."""

    rgb: UInt8[np.ndarray, "hw 3"]
    hits: Hits


@dataclass(frozen=True)
class _Composite:
    """Moving geoms in front of the static layer.

    Attributes:
        geom, distance: of all pixels, as in `Hits`.
        moving, moving_hits: flat indices of the pixels that show a moving geom, and the hits there.
        batches: the pixels that may show one.
    """

    geom: Int32[np.ndarray, " hw"]
    distance: Float[np.ndarray, " hw"]
    moving: Int[np.ndarray, " m"]
    moving_hits: Hits
    batches: list[Batch]


class Renderer:
    """Renders the cameras of one robot. Keeps its own state: `pose` it, then `render`."""

    def __init__(self, robot: RobotModel) -> None:
        self._model = copy.copy(robot.model)
        self.is_moving = self._model.body_weldid[self._model.geom_bodyid] != 0
        self._model.geom_group[:] = np.where(self.is_moving, MOVING_GROUP, STATIC_GROUP)
        self._data = mujoco.MjData(self._model)
        self._paint = Paint(self._model)
        self._haze_m = robot.haze_m
        self._views = {name: View(camera) for name, camera in robot.cameras.items()}
        self._static_layers: dict[str, _StaticLayer] = {}
        self.pose(robot.configuration)

    def pose(self, configuration: Float[np.ndarray, " q"]) -> None:
        """Place the robot for the following calls, see `RobotModel.configuration`."""
        self._data.qpos[:] = configuration
        mujoco.mj_kinematics(self._model, self._data)

    def show_body(self, name: str, visible: bool) -> None:
        """Show or hide the geoms of a body; rays pass through hidden ones."""
        body = self._model.body(name).id
        self._model.geom_rgba[self._model.geom_bodyid == body, 3] = float(visible)

    def prepare(self, camera_name: str) -> None:
        """Make the camera's static layer now instead of with its first image."""
        self._static(camera_name)

    def render(self, camera_name: str) -> Frame:
        """Render one camera in the current pose."""
        view, static = self._views[camera_name], self._static(camera_name)
        seen = self._composite(view, static)
        rgb = static.rgb.copy()
        is_edge = _edges(seen.geom.reshape(view.shape), self.is_moving)
        inner = np.flatnonzero(~is_edge[seen.moving])
        pixels, hits = seen.moving[inner], seen.moving_hits[inner]
        rgb[pixels] = to_bytes(self._colour(view, view.directions[pixels], hits))
        edges, colour = self._antialiased(view, static, seen.batches, is_edge)
        rgb[edges] = to_bytes(colour)
        return Frame(rgb.reshape(*view.shape, 3), *_maps(view, seen))

    def trace(
        self, camera_name: str
    ) -> tuple[Float32[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
        """Depth and geom of `Frame`, without the cost of colours."""
        view = self._views[camera_name]
        return _maps(view, self._composite(view, self._static(camera_name)))

    def _composite(self, view: View, static: _StaticLayer) -> _Composite:
        geoms = np.flatnonzero(self.is_moving)
        found = batches(self._model, self._data, geoms, view)
        pixels = _joined(found)
        hits = self._cast_batches(view, view.directions[pixels], found, 1)
        front = np.flatnonzero(hits.distance < static.hits.distance[pixels])
        pixels, hits = pixels[front], hits[front]
        geom, distance = static.hits.geom.copy(), static.hits.distance.copy()
        geom[pixels], distance[pixels] = hits.geom, hits.distance
        return _Composite(geom, distance, pixels, hits, found)

    def _static(self, camera_name: str) -> _StaticLayer:
        """The camera's static layer, made at first use with four rays per pixel."""
        if camera_name not in self._static_layers:
            view = self._views[camera_name]
            colour = np.zeros((len(view.pixels), 3), np.float32)
            for offset in _SAMPLES:
                directions, _ = view.rays(view.pixels + offset)
                hits = self._cast(view, directions, STATIC_GROUP)
                colour += self._static_colour(view, directions, hits)
            hits = self._cast(view, view.directions, STATIC_GROUP)
            layer = _StaticLayer(to_bytes(colour / len(_SAMPLES)), hits)
            self._static_layers[camera_name] = layer
        return self._static_layers[camera_name]

    def _cast(self, view: View, directions: Float[np.ndarray, "n 3"], group: int) -> Hits:
        return cast(self._model, self._data, view.origin, directions, group)

    def _static_colour(
        self, view: View, directions: Float[np.ndarray, "n 3"], hits: Hits
    ) -> Float32[np.ndarray, "n 3"]:
        """Colours of rays over the static geoms and the sky behind them."""
        colour = sky(directions)
        met = np.flatnonzero(hits.geom >= 0)
        surface = self._colour(view, directions[met], hits[met])
        colour[met] = haze(surface, hits.distance[met], colour[met], self._haze_m)
        return colour

    def _colour(
        self, view: View, directions: Float[np.ndarray, "n 3"], hits: Hits
    ) -> Float32[np.ndarray, "n 3"]:
        """Colours of rays that all hit a surface."""
        points = view.origin + hits.distance[:, None] * directions
        local = to_bodies(self._model, self._data, hits.geom, points)
        return self._paint.shade(hits.geom, local, hits.normal, directions)

    def _cast_batches(
        self, view: View, directions: Float[np.ndarray, "n 3"], parts: list[Batch], per_pixel: int
    ) -> Hits:
        counts = [(batch.geoms, per_pixel * len(batch.pixels)) for batch in parts]
        return cast_batches(self._model, self._data, view.origin, directions, counts)

    def _antialiased(
        self,
        view: View,
        static: _StaticLayer,
        batches: list[Batch],
        is_edge: Bool[np.ndarray, " hw"],
    ) -> tuple[Int[np.ndarray, " n"], Float32[np.ndarray, "n 3"]]:
        """Edge pixels and their colours: the mean over four rays, the static layer's on a miss."""
        parts = [Batch(part.geoms, part.pixels[is_edge[part.pixels]]) for part in batches]
        pixels = _joined(parts)
        count = len(_SAMPLES)
        directions, _ = view.rays((view.pixels[pixels, None] + _SAMPLES).reshape(-1, 2))
        hits = self._cast_batches(view, directions, parts, count)
        behind = np.repeat(pixels, count)
        colour = static.rgb[behind].astype(np.float32) / 255.0
        front = np.flatnonzero(hits.distance < static.hits.distance[behind])
        colour[front] = self._colour(view, directions[front], hits[front])
        return pixels, colour.reshape(len(pixels), count, 3).mean(axis=1)


def _joined(parts: list[Batch]) -> Int[np.ndarray, " n"]:
    """All pixels, batch after batch; none when the robot is out of view."""
    return np.concatenate([np.zeros(0, np.int64), *(part.pixels for part in parts)])


def _maps(
    view: View, seen: _Composite
) -> tuple[Float32[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
    depth = np.where(seen.geom >= 0, seen.distance * view.z_per_distance, np.nan)
    return depth.astype(np.float32).reshape(view.shape), seen.geom.reshape(view.shape)


def _edges(
    geom: Int32[np.ndarray, "h w"], is_moving: Bool[np.ndarray, " g"]
) -> Bool[np.ndarray, " hw"]:
    """Whether a pixel lies beside a border between two geoms of which one moves."""
    # Static geoms are alike here: their borders are in the static layer, already smooth.
    label = np.where(np.append(is_moving, False)[geom], geom, -1)
    edge = np.zeros(geom.shape, bool)
    across, down = label[:, 1:] != label[:, :-1], label[1:] != label[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge.ravel()
