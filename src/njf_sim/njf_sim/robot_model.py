"""A robot in MuJoCo: actuators by channel name, cameras in this project's conventions."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence

import mujoco
import numpy as np
from jaxtyping import Float

from njf_control.robot import CameraConfig, RobotConfig
from njf_perception.camera import Camera
from njf_perception.errors import ConfigError
from njf_sim.actuators import check_channels, is_kinematic, named, servo_joints
from njf_sim.camera_places import MUJOCO_FROM_OPENCV
from njf_sim.model_file import compile_model
from njf_sim.paint import HAZE_M

_COORDINATES = {int(mujoco.mjtJoint.mjJNT_FREE): 7, int(mujoco.mjtJoint.mjJNT_BALL): 4}
_CAMERA_HINT = "`simulation.add.cameras: {}` puts missing cameras around the robot."
_SITE_HINT = "`simulation.add.sites` puts points on bodies."
_SETTLE_BLOCK_S = 0.1
_DIFFERENCE_SHARE = 0.02
_HAZE_SHARE = 3.0  # of the distance of the farthest camera
_REST_SPEED = 2e-3  # [rad/s, m/s]


class RobotModel:
    """One simulated robot: the physics, the camera rig and the points it is judged by.

    Set-points and positions are arrays over channels in the order of the robot's configuration; a
    channel is the actuator of the same name, and the actuator's control has the channel's unit. A
    configuration is the whole state of rest, MuJoCo's qpos: a soft robot has far more joints than
    channels. Not safe for use from several threads; `njf_sim.plant` adds the lock.

    Attributes:
        model: the compiled MuJoCo model.
        data: its state.
        channel_names: the actuators, in the robot's channel order.
        cameras: the rig by camera name.
        is_kinematic: every joint is a position servo's and nothing else pulls at it, so that the
            robot always comes to rest exactly at its set-points.
        haze_m: distance over which what stands still fades into the sky [m].
    """

    def __init__(self, model: mujoco.MjModel, robot: RobotConfig) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self.channel_names = robot.channel_names
        self._ctrl = np.array([named(model, "actuator", n).id for n in robot.channel_names])
        held = [named(model, "actuator", name).id for name in robot.simulation.hold]
        self.data.ctrl[held] = list(robot.simulation.hold.values())
        self._servo_joint = servo_joints(model)
        check_channels(model, robot, self._servo_joint[self._ctrl])
        self.data.ctrl[self._ctrl] = np.clip(0.0, robot.lower, robot.upper)
        self._tips = np.array(
            [named(model, "site", name, _SITE_HINT).id for name in robot.simulation.tips]
        )
        self._settle_s = robot.simulation.settle_s
        self.is_kinematic = is_kinematic(model, self._servo_joint)
        self._first_ctrl = self.data.ctrl.copy()
        self.reset()
        self.cameras = {camera.name: self._camera(camera) for camera in robot.cameras}
        self.haze_m = self._haze(robot)

    @classmethod
    def from_robot(cls, robot: RobotConfig) -> "RobotModel":
        """Compile the robot's MJCF file, with what `simulation.add` adds to it.

        Raises:
            ConfigError: the file is missing or broken; a channel, camera or site of the
                configuration is not in it; or an actuator is none for its channel's unit or range.
        """
        return cls(compile_model(robot), robot)

    def reset(self) -> None:
        """Back to the state after loading: at rest, channels at zero or next to it."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.ctrl[:] = self._first_ctrl
        self._place(self.data.ctrl)

    @property
    def configuration(self) -> Float[np.ndarray, " q"]:
        """All of MuJoCo's joint coordinates [rad, m]."""
        return self.data.qpos.copy()

    @property
    def configuration_names(self) -> list[str]:
        """Name of each entry of `configuration`: its channel's, else its joint's."""
        names: list[str] = []
        for joint in range(self.model.njnt):
            count = _COORDINATES.get(int(self.model.jnt_type[joint]), 1)
            name = self.model.joint(joint).name
            names += [name] if count == 1 else [f"{name}[{i}]" for i in range(count)]
        for name, joint in zip(self.channel_names, self._servo_joint[self._ctrl], strict=True):
            if joint >= 0:
                names[self.model.jnt_qposadr[joint]] = name
        return names

    def set_configuration(self, configuration: Float[np.ndarray, " q"]) -> None:
        """Place the robot at rest without physics; goals stay as they are."""
        self.data.qpos[:] = configuration
        self.data.qvel[:] = 0.0
        mujoco.mj_forward(self.model, self.data)

    @property
    def position(self) -> Float[np.ndarray, " n"]:
        """What a driver measures per channel: a servo's joint, otherwise the actuator's state."""
        joint = self._servo_joint[self._ctrl]
        measured = self.data.ctrl[self._ctrl].copy()
        act = self.model.actuator_actadr[self._ctrl]
        measured[act >= 0] = self.data.act[act[act >= 0]]
        servo = joint >= 0
        measured[servo] = self.data.qpos[self.model.jnt_qposadr[joint[servo]]]
        return measured

    @property
    def velocity(self) -> Float[np.ndarray, " n"]:
        """Rate of change of `position`; zero for channels that are no servo."""
        joint = self._servo_joint[self._ctrl]
        velocity = np.zeros(len(joint))
        servo = joint >= 0
        velocity[servo] = self.data.qvel[self.model.jnt_dofadr[joint[servo]]]
        return velocity

    @property
    def setpoint(self) -> Float[np.ndarray, " n"]:
        """The goals in effect [channel unit]."""
        return self.data.ctrl[self._ctrl].copy()

    @property
    def tips(self) -> Float[np.ndarray, "m 3"]:
        """Positions of the sites the robot is judged by, in the world [m]."""
        return self.data.site_xpos[self._tips].copy()

    @property
    def tip(self) -> Float[np.ndarray, "3"]:
        """The first of `tips`."""
        return self.tips[0]

    def set_position(self, position: Float[np.ndarray, " n"] | Sequence[float]) -> None:
        """Place the servos' joints at rest, goals included, without physics."""
        self.data.ctrl[self._ctrl] = position
        self._place(self.data.ctrl)

    def set_goal(self, goal: Float[np.ndarray, " n"] | Sequence[float]) -> None:
        """Set the set-points [channel unit]; motion comes with `step`."""
        self.data.ctrl[self._ctrl] = goal

    def step(self, count: int = 1) -> None:
        """Advance the physics by `count` time steps of `timestep_s`."""
        mujoco.mj_step(self.model, self.data, count)
        # mj_step leaves body and site poses one step behind the joints.
        mujoco.mj_kinematics(self.model, self.data)

    def settle(self, setpoint: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
        """Go to a set-point and come to rest; returns the configuration.

        Rest is when no joint moves faster than `_REST_SPEED`, or `settle_s` later.
        """
        if self.is_kinematic:
            self.set_position(setpoint)
            return self.configuration
        self.set_goal(setpoint)
        block = max(1, round(_SETTLE_BLOCK_S / self.timestep_s))
        for _ in range(max(1, round(self._settle_s / _SETTLE_BLOCK_S))):
            self.step(block)
            if np.abs(self.data.qvel).max() < _REST_SPEED:
                break
        return self.configuration

    @property
    def servo_derivative(self) -> Float[np.ndarray, "v n"]:
        """How the joints follow the channels where every channel is a servo: ones and zeros."""
        derivative = np.zeros((self.model.nv, len(self._ctrl)))
        joint = self._servo_joint[self._ctrl]
        servo = np.flatnonzero(joint >= 0)
        derivative[self.model.jnt_dofadr[joint[servo]], servo] = 1.0
        return derivative

    def derivative(
        self, setpoint: Float[np.ndarray, " n"], half_range: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "v n"]:
        """How the joints at rest follow the channels at a set-point [rad, m per channel unit].

        Central differences over 2 % of `half_range` either way, for robots that are not kinematic.
        The state is the same afterwards.
        """
        if self.is_kinematic:
            return self.servo_derivative
        before = self.data.qpos.copy(), self.data.qvel.copy(), self.data.ctrl.copy()
        derivative = np.zeros((self.model.nv, len(setpoint)))
        for channel, step in enumerate(_DIFFERENCE_SHARE * half_range):
            offset = step * (np.arange(len(setpoint)) == channel)
            ahead, back = self.settle(setpoint + offset), self.settle(setpoint - offset)
            column = np.zeros(self.model.nv)
            mujoco.mj_differentiatePos(self.model, column, 2 * step, back, ahead)
            derivative[:, channel] = column
        self.data.qpos[:], self.data.qvel[:], self.data.ctrl[:] = before
        mujoco.mj_forward(self.model, self.data)
        return derivative

    @property
    def timestep_s(self) -> float:
        """Duration of one physics step [s]."""
        return float(self.model.opt.timestep)

    @property
    def time_s(self) -> float:
        """Simulated time since the start [s]."""
        return float(self.data.time)

    def _place(self, ctrl: Float[np.ndarray, " a"]) -> None:
        """Put every servo's joint at its actuator's goal, at rest."""
        servo = self._servo_joint >= 0
        self.data.qpos[self.model.jnt_qposadr[self._servo_joint[servo]]] = ctrl[servo]
        self.data.qvel[:] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def _haze(self, robot: RobotConfig) -> float:
        """Far behind the robot, as its cameras see it."""
        middle = np.add(robot.workspace_min_m, robot.workspace_max_m) / 2
        places = [camera.T_world_camera[:3, 3] for camera in self.cameras.values()]
        return max(HAZE_M, _HAZE_SHARE * float(np.linalg.norm(places - middle, axis=1).max()))

    def _camera(self, config: CameraConfig) -> Camera:
        camera = named(self.model, "camera", config.name, _CAMERA_HINT)
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
        T_world_camera[:3, :3] = rotation @ MUJOCO_FROM_OPENCV
        T_world_camera[:3, 3] = self.data.cam_xpos[camera.id]
        return Camera(config.name, config.width, config.height, K, T_world_camera)
