"""A robot in MuJoCo: joints by channel name, cameras in this project's conventions."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from importlib import resources
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float

from njf_control.robot import CameraConfig, RobotConfig
from njf_perception.camera import Camera
from njf_perception.errors import ConfigError

# MuJoCo's cameras look along -z with y up; OpenCV's look along +z with y down.
_MUJOCO_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])


class RobotModel:
    """One simulated robot: the physics, the camera rig and the fingertip.

    Positions and goals are arrays over channels, in the order of the robot's configuration. Not
    safe for use from several threads; `njf_sim.plant` adds the lock.

    Attributes:
        model: the compiled MuJoCo model.
        data: its state.
        channel_names: the joints (and actuators), in the robot's channel order.
        cameras: the rig by camera name.
        qpos_address, dof_address: where the channels' joints are in MuJoCo's vectors.
    """

    def __init__(self, model: mujoco.MjModel, robot: RobotConfig) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.channel_names = robot.channel_names
        joints = [_named(model, "joint", name) for name in robot.channel_names]
        self.qpos_address = np.array([joint.qposadr[0] for joint in joints])
        self.dof_address = np.array([joint.dofadr[0] for joint in joints])
        self._ctrl = np.array([_named(model, "actuator", n).id for n in robot.channel_names])
        self._tip = _named(model, "site", "tip").id
        mujoco.mj_forward(model, self.data)
        self.cameras = {camera.name: self._camera(camera) for camera in robot.cameras}

    @classmethod
    def from_robot(cls, robot: RobotConfig) -> "RobotModel":
        """Compile the robot's MJCF file.

        Raises:
            ConfigError: the file is missing or broken, or a channel, camera or the site `tip` of
                the configuration is not in it.
        """
        path = resources.files("njf_sim") / "models" / robot.simulation.mjcf
        if not path.is_file():
            raise ConfigError(
                f"simulation.mjcf is '{robot.simulation.mjcf}', but {path} does not exist. "
                "Name a file of njf_sim/models."
            )
        try:
            model = mujoco.MjModel.from_xml_string(path.read_text())
        except ValueError as error:
            raise ConfigError(f"{path}: MuJoCo does not compile it: {error}") from None
        return cls(model, robot)

    @property
    def position(self) -> Float[np.ndarray, " n"]:
        """Joint positions [rad]."""
        return self.data.qpos[self.qpos_address].copy()

    @property
    def velocity(self) -> Float[np.ndarray, " n"]:
        """Joint velocities [rad/s]."""
        return self.data.qvel[self.dof_address].copy()

    @property
    def tip(self) -> Float[np.ndarray, "3"]:
        """The fingertip in the world [m]."""
        return self.data.site_xpos[self._tip].copy()

    def set_position(self, position_rad: Float[np.ndarray, " n"] | Sequence[float]) -> None:
        """Place the joints at rest, goals included, without physics."""
        self.data.qpos[self.qpos_address] = position_rad
        self.data.qvel[:] = 0.0
        self.data.ctrl[self._ctrl] = position_rad
        mujoco.mj_forward(self.model, self.data)

    def set_goal(self, goal_rad: Float[np.ndarray, " n"] | Sequence[float]) -> None:
        """Set the goals of the position servos [rad]; motion comes with `step`."""
        self.data.ctrl[self._ctrl] = goal_rad

    def step(self, count: int = 1) -> None:
        """Advance the physics by `count` time steps of `timestep_s`."""
        mujoco.mj_step(self.model, self.data, count)
        # mj_step leaves body and site poses one step behind the joints.
        mujoco.mj_kinematics(self.model, self.data)

    @property
    def timestep_s(self) -> float:
        """Duration of one physics step [s]."""
        return float(self.model.opt.timestep)

    @property
    def time_s(self) -> float:
        """Simulated time since the start [s]."""
        return float(self.data.time)

    def _camera(self, config: CameraConfig) -> Camera:
        camera = _named(self.model, "camera", config.name)
        if camera.bodyid[0] != 0:
            raise ConfigError(f"camera '{config.name}' is on a moving body; put it into the world.")
        f = 0.5 * config.height / np.tan(0.5 * np.deg2rad(camera.fovy[0]))
        K = np.array(
            [
                [f, 0.0, 0.5 * (config.width - 1)],
                [0.0, f, 0.5 * (config.height - 1)],
                [0.0, 0.0, 1.0],
            ]
        )
        T_world_camera = np.eye(4)
        rotation = self.data.cam_xmat[camera.id].reshape(3, 3)
        T_world_camera[:3, :3] = rotation @ _MUJOCO_FROM_OPENCV
        T_world_camera[:3, 3] = self.data.cam_xpos[camera.id]
        return Camera(config.name, config.width, config.height, K, T_world_camera)


def _named(model: mujoco.MjModel, kind: str, name: str) -> Any:
    """Look up a part of the model by name, or say which names of that kind there are."""
    try:
        return getattr(model, kind)(name)
    except KeyError as error:
        raise ConfigError(f"the MJCF file has no {kind} '{name}': {error}") from None
