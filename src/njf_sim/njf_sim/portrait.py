"""Pictures for people: any size, every pixel anti-aliased, soft shadows; takes seconds."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from jaxtyping import Float, Float32, UInt8

from njf_perception.camera import Camera
from njf_sim.paint import KEY_LIGHT, Paint, haze, sky, to_bytes
from njf_sim.raycast import View, cast, to_bodies
from njf_sim.robot_model import RobotModel

_OVERSAMPLING = 2
_LIGHT_DISTANCE_M, _LIGHT_RADIUS_M = 3.0, 0.25
_LIGHT_SAMPLES = 16
_SURFACE_TOLERANCE_M = 1e-4


def portrait(
    robot: RobotModel, configuration: Float[np.ndarray, " q"], camera: Camera, width: int
) -> UInt8[np.ndarray, "h w 3"]:
    """The robot in a pose, `width` pixels wide, in the aspect ratio of `camera`.

    Unlike the cameras' images this one has shadows; do not train on it.
    """
    data = mujoco.MjData(robot.model)
    data.qpos[:] = configuration
    mujoco.mj_forward(robot.model, data)
    height = round(width * camera.height / camera.width)
    view = View(camera.scaled(width * _OVERSAMPLING, height * _OVERSAMPLING))
    hits = cast(robot.model, data, view.origin, view.directions)
    colour = sky(view.directions)
    met = np.flatnonzero(hits.geom >= 0)
    hits, directions = hits[met], view.directions[met]
    points = view.origin + hits.distance[:, None] * directions
    local = to_bodies(robot.model, data, hits.geom, points)
    lit = _key_light_share(robot.model, data, points)
    surface = Paint(robot.model).shade(hits.geom, local, hits.normal, directions, lit)
    colour[met] = haze(surface, hits.distance, colour[met], robot.haze_m)
    blocks = colour.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING, 3)
    return to_bytes(blocks.mean(axis=(1, 3)))


def _key_light_share(
    model: mujoco.MjModel, data: mujoco.MjData, points: Float[np.ndarray, "n 3"]
) -> Float32[np.ndarray, " n"]:
    """Share of a round lamp that each point sees."""
    random = np.random.default_rng(0)
    lit = np.zeros(len(points), np.float32)
    for _ in range(_LIGHT_SAMPLES):
        lamp = _LIGHT_DISTANCE_M * KEY_LIGHT + random.normal(0.0, _LIGHT_RADIUS_M / 2.0, 3)
        rays = points - lamp
        distance = np.linalg.norm(rays, axis=1)
        hits = cast(model, data, lamp, rays / distance[:, None])
        lit += hits.distance > distance - _SURFACE_TOLERANCE_M
    return lit / _LIGHT_SAMPLES
