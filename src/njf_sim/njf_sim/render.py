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
from njf_sim.raycast import MOVING_GROUP, STATIC_GROUP, Hits, View, cast, outlined_pixels, to_bodies
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
    """Moving geoms in front of the static layer: per pixel, and where the moving ones are."""

    geom: Int32[np.ndarray, " hw"]
    distance: Float[np.ndarray, " hw"]
    moving_pixels: Int[np.ndarray, " m"]
    moving_hits: Hits


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
        directions = view.directions[seen.moving_pixels]
        rgb[seen.moving_pixels] = to_bytes(self._colour(view, directions, seen.moving_hits))
        edges = _edges(seen.geom.reshape(view.shape), self.is_moving)
        rgb[edges] = to_bytes(self._antialiased(view, static, edges))
        return Frame(rgb.reshape(*view.shape, 3), *_maps(view, seen))

    def trace(
        self, camera_name: str
    ) -> tuple[Float32[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
        """Depth and geom of `Frame`, without the cost of colours."""
        view = self._views[camera_name]
        return _maps(view, self._composite(view, self._static(camera_name)))

    def _composite(self, view: View, static: _StaticLayer) -> _Composite:
        geoms = np.flatnonzero(self.is_moving)
        pixels = outlined_pixels(self._model, self._data, geoms, view.camera)
        hits = self._cast(view, view.directions[pixels], MOVING_GROUP)
        front = hits.distance < static.hits.distance[pixels]
        pixels, hits = pixels[front], hits[front]
        geom, distance = static.hits.geom.copy(), static.hits.distance.copy()
        geom[pixels], distance[pixels] = hits.geom, hits.distance
        return _Composite(geom, distance, pixels, hits)

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

    def _antialiased(
        self, view: View, static: _StaticLayer, pixels: Int[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 3"]:
        """Colours of edge pixels: the mean over four rays; the static layer where they miss."""
        samples = (view.pixels[pixels, None] + _SAMPLES).reshape(-1, 2)
        directions, _ = view.rays(samples)
        hits = self._cast(view, directions, MOVING_GROUP)
        behind = np.repeat(pixels, len(_SAMPLES))
        colour = static.rgb[behind].astype(np.float32) / 255.0
        front = np.flatnonzero(hits.distance < static.hits.distance[behind])
        colour[front] = self._colour(view, directions[front], hits[front])
        return colour.reshape(len(pixels), len(_SAMPLES), 3).mean(axis=1)


def _maps(
    view: View, seen: _Composite
) -> tuple[Float32[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
    depth = np.where(seen.geom >= 0, seen.distance * view.z_per_distance, np.nan)
    return depth.astype(np.float32).reshape(view.shape), seen.geom.reshape(view.shape)


def _edges(
    geom: Int32[np.ndarray, "h w"], is_moving: Bool[np.ndarray, " g"]
) -> Int[np.ndarray, " n"]:
    """Flat indices of the pixels beside a border between two geoms of which one moves."""
    # Static geoms are alike here: their borders are in the static layer, already smooth.
    label = np.where(np.append(is_moving, False)[geom], geom, -1)
    edge = np.zeros(geom.shape, bool)
    across, down = label[:, 1:] != label[:, :-1], label[1:] != label[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return np.flatnonzero(edge)
