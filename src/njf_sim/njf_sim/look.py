"""Looking at a robot before anything is learned: what its cameras see and where it reaches."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from jaxtyping import Float, UInt8

from njf_control.robot import RobotConfig
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
_TOUCH_M = 1e-3  # bodies that go deeper into each other than this pass through each other


@dataclass(frozen=True)
class Reach:
    """Where a robot was in a number of poses.

    Attributes:
        low, high: corners of the box around everything visible that moves [m], world frame.
        poses: how many there were.
        touching: in how many of them two bodies pass through each other, by the bodies' names.
    """

    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    poses: int
    touching: dict[str, int]


def random_setpoints(robot: RobotConfig, count: int, seed: int) -> Float[np.ndarray, "p n"]:
    """Set-points all over the ranges [channel unit]: the middle, and then as many as are asked for.

    Every other one has all channels at an end of their ranges, where a robot reaches farthest.
    """
    random = np.random.default_rng(seed)
    share = random.random((count, len(robot.channels)))
    share[::2] = np.rint(share[::2])
    share = np.concatenate([np.full((1, len(robot.channels)), 0.5), share])
    return robot.lower + share * (robot.upper - robot.lower)


def reach(model: RobotModel, setpoints: Iterable[Float[np.ndarray, " n"]]) -> Reach:
    """Settle at each set-point and note where the robot is."""
    corners, touching, poses = [], {}, 0
    moving = _visible_moving(model.model)
    for setpoint in setpoints:
        model.set_configuration(model.settle(setpoint))
        points = np.concatenate([_points(model, geom) for geom in moving])
        corners.append([points.min(axis=0), points.max(axis=0)])
        for pair in _touching(model):
            touching[pair] = touching.get(pair, 0) + 1
        poses += 1
    bounds = np.array(corners)
    return Reach(bounds[:, 0].min(axis=0), bounds[:, 1].max(axis=0), poses, touching)


def contact_sheet(
    model: RobotModel, robot: RobotConfig, setpoints: Iterable[Float[np.ndarray, " n"]]
) -> UInt8[np.ndarray, "h w 3"]:
    """One row per set-point, one column per camera, all at the size of the training's images."""
    renderer = Renderer(model)
    rows = []
    for setpoint in setpoints:
        renderer.pose(model.settle(setpoint))
        frames = [renderer.render(name).rgb for name in robot.camera_names]
        small = [cv2.resize(f, robot.training_size, interpolation=cv2.INTER_AREA) for f in frames]
        rows.append(np.concatenate(small, axis=1))
    return np.concatenate(rows)


def _visible_moving(model: mujoco.MjModel) -> list[int]:
    moves = model.body_weldid[model.geom_bodyid] != 0
    visible = (model.geom_matid >= 0) | (model.geom_rgba[:, 3] > 0)
    return np.flatnonzero(moves & visible).tolist()


def _points(model: RobotModel, geom: int) -> Float[np.ndarray, "k 3"]:
    """Points in the world that hold a geom between them: a mesh's own, else its box's corners."""
    compiled, data = model.model, model.data
    if compiled.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = compiled.geom_dataid[geom]
        first = compiled.mesh_vertadr[mesh]
        local = compiled.mesh_vert[first : first + compiled.mesh_vertnum[mesh]]
    else:
        local = compiled.geom_aabb[geom, :3] + _CORNERS * compiled.geom_aabb[geom, 3:]
    return local @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


def _touching(model: RobotModel) -> set[str]:
    """Pairs of bodies that pass through each other, as the model's collision shapes say."""
    body = model.model.geom_bodyid
    contacts = model.data.contact[: model.data.ncon]
    pairs = [sorted(body[c.geom]) for c in contacts if c.dist < -_TOUCH_M]
    return {" and ".join(model.model.body(b).name or "world" for b in pair) for pair in pairs}
