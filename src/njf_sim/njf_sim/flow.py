"""Exact depth, optical flow and Jacobians from the simulation's own state: for evaluation only.

Nothing that learns or controls may use this module; it says how good they are.
"""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import mujoco
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32

from njf_perception.camera import Camera, invert, pixel_grid, transform
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel


@dataclass(frozen=True)
class ExactFlow:
    """What every pixel of one camera shows in state A and where that point is in state B.

    Attributes:
        flow: displacement A -> B [px], (u, v); zero on everything that does not move, sky included.
        depth: z in A [m]; NaN where no surface is.
        moving: pixels that show a moving geom in A.
        visible: pixels of `moving` whose point is inside the image and unoccluded in B.
    """

    flow: Float32[np.ndarray, "h w 2"]
    depth: Float32[np.ndarray, "h w"]
    moving: Bool[np.ndarray, "h w"]
    visible: Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class ExactJacobian:
    """Motion of surface points per channel.

    Attributes:
        points: surface points in the camera frame [m]; NaN where no surface is.
        metric: derivative of the points [m per channel unit], camera axes; zero where they rest.
        pixel: derivative of their projections [px per channel unit].
    """

    points: Float[np.ndarray, "n 3"]
    metric: Float[np.ndarray, "n 3 c"]
    pixel: Float[np.ndarray, "n 2 c"]


class GroundTruth:
    """Exact motion of one robot as its cameras see it. Has its own state."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self._data = mujoco.MjData(robot.model)
        self._renderer = Renderer(robot)

    def flow(
        self,
        camera_name: str,
        configuration_a: Float[np.ndarray, " q"],
        configuration_b: Float[np.ndarray, " q"],
        occlusion_tolerance_m: float = 0.003,
    ) -> ExactFlow:
        """Flow from configuration A to B at every pixel of A.

        A point counts as visible in B when the surface that B shows at its pixel is not nearer
        than the point by more than `occlusion_tolerance_m`.
        """
        camera = self._robot.cameras[camera_name]
        depth, geom = self._trace(camera_name, configuration_a)
        moving = self._renderer.is_moving[geom] & (geom >= 0)
        pixels = pixel_grid(camera.width, camera.height)[moving]
        points = _back_project(camera, pixels, depth[moving])
        moved = self._carry(camera, points, geom[moving], configuration_a, configuration_b)
        target = camera.project(moved)
        flow = np.zeros((*depth.shape, 2), np.float32)
        flow[moving] = target - pixels
        visible = np.zeros_like(moving)
        depth_b, _ = self._trace(camera_name, configuration_b)
        visible[moving] = _unoccluded(target, moved[:, 2], depth_b, occlusion_tolerance_m)
        return ExactFlow(flow, depth, moving, visible)

    def jacobian(
        self,
        camera_name: str,
        configuration: Float[np.ndarray, " q"],
        pixels: Int[np.ndarray, "n 2"],
        derivative: Float[np.ndarray, "v c"] | None = None,
    ) -> ExactJacobian:
        """Jacobian of the surface points seen at integer `pixels` (u, v).

        `derivative` says how the joints follow the channels, `RobotModel.derivative`; a kinematic
        robot needs none.
        """
        by_channel = self._robot.servo_derivative if derivative is None else derivative
        camera = self._robot.cameras[camera_name]
        depth, geom = self._trace(camera_name, configuration)
        u, v = pixels.T
        points = _back_project(camera, pixels.astype(float), depth[v, u])
        world = transform(camera.T_world_camera, points)
        self._pose(configuration)
        metric = np.zeros((len(pixels), 3, by_channel.shape[1]))
        for i in np.flatnonzero(geom[v, u] >= 0):
            body = int(self._robot.model.geom_bodyid[geom[v[i], u[i]]])
            in_world = self._point_jacobian(world[i], body) @ by_channel
            metric[i] = camera.T_world_camera[:3, :3].T @ in_world
        return ExactJacobian(points, metric, projection_jacobian(points, camera) @ metric)

    def _trace(
        self, camera_name: str, configuration: Float[np.ndarray, " q"]
    ) -> tuple[Float32[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
        self._renderer.pose(configuration)
        return self._renderer.trace(camera_name)

    def _pose(self, configuration: Float[np.ndarray, " q"]) -> None:
        self._data.qpos[:] = configuration
        mujoco.mj_kinematics(self._robot.model, self._data)
        mujoco.mj_comPos(self._robot.model, self._data)

    def _point_jacobian(self, point: Float[np.ndarray, "3"], body: int) -> Float[np.ndarray, "3 v"]:
        full = np.zeros((3, self._robot.model.nv))
        mujoco.mj_jac(self._robot.model, self._data, full, None, point, body)
        return full

    def _carry(
        self,
        camera: Camera,
        points: Float[np.ndarray, "n 3"],
        geom: Int32[np.ndarray, " n"],
        configuration_a: Float[np.ndarray, " q"],
        configuration_b: Float[np.ndarray, " q"],
    ) -> Float[np.ndarray, "n 3"]:
        """Points of geoms, camera frame, moved along with their bodies from A to B."""
        body = self._robot.model.geom_bodyid[geom]
        world = transform(camera.T_world_camera, points)
        self._pose(configuration_a)
        rotation = self._data.xmat.reshape(-1, 3, 3)[body]
        local = np.einsum("nji,nj->ni", rotation, world - self._data.xpos[body])
        self._pose(configuration_b)
        rotation = self._data.xmat.reshape(-1, 3, 3)[body]
        world = np.einsum("nij,nj->ni", rotation, local) + self._data.xpos[body]
        return transform(invert(camera.T_world_camera), world)


def projection_jacobian(
    points: Float[np.ndarray, "n 3"], camera: Camera
) -> Float[np.ndarray, "n 2 3"]:
    """Derivative of the pinhole projection at camera-frame points [px/m]."""
    x, y, z = points.T
    jacobian = np.zeros((len(points), 2, 3))
    jacobian[:, 0, 0] = camera.K[0, 0] / z
    jacobian[:, 0, 2] = -camera.K[0, 0] * x / z**2
    jacobian[:, 1, 1] = camera.K[1, 1] / z
    jacobian[:, 1, 2] = -camera.K[1, 1] * y / z**2
    return jacobian


def _back_project(
    camera: Camera, pixels: Float[np.ndarray, "n 2"], depth: Float32[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    return camera.rays(pixels) * depth[:, None]


def _unoccluded(
    target: Float[np.ndarray, "n 2"],
    z: Float[np.ndarray, " n"],
    depth: Float32[np.ndarray, "h w"],
    tolerance_m: float,
) -> Bool[np.ndarray, " n"]:
    """Whether points of depth `z` that project to `target` are what the depth image shows."""
    height, width = depth.shape
    u, v = np.rint(np.nan_to_num(target, nan=-1.0)).astype(int).T
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    seen = depth[v.clip(0, height - 1), u.clip(0, width - 1)]
    # No surface at all (NaN) hides nothing: the point lies on the silhouette.
    return inside & ~(seen < z - tolerance_m)
