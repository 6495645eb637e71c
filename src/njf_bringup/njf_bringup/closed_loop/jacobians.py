"""Interchangeable answers to "how does this pixel move per command?": a model's and the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from njf_bringup.closed_loop.plant import View
from njf_control.robot import RobotConfig
from njf_control.servo.commands import CommandSpace
from njf_control.servo.model import CheckpointModel, SurfaceJacobians, SurfaceModel
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint
from njf_perception.scene import Encoding
from njf_perception.virtual_camera import COMPARE_PERIOD_S, CameraWatch, encode_turned
from njf_sim.flow import GroundTruth
from njf_sim.robot_model import RobotModel

_STALE_SHARE = 0.03  # of half the range: further away a derivative is computed anew
_SEARCH_PX = 2
_EMPTY = Encoding(torch.zeros(0, 0, 0), torch.zeros(0))


@runtime_checkable
class Eyes(Protocol):
    """What stands for perception and Jacobian field."""

    @property
    def space(self) -> CommandSpace:
        """The commands in the model's units."""
        ...

    @property
    def model(self) -> SurfaceModel:
        """What the servo asks for Jacobians."""
        ...

    def encode(self, view: View, camera: Camera) -> Encoding:
        """Understand one image; `model` is asked about it next."""
        ...


class LearnedEyes:
    """A checkpoint; sees nothing but the image.

    Attributes:
        watch: tells how the camera is turned; None: taken to stand as it did in training.
    """

    def __init__(self, path: str | Path, robot: RobotConfig, unturn: bool = False) -> None:
        """Load a checkpoint for `robot`; `unturn` looks through a turned camera as if it were not.

        Raises:
            CheckpointError: unreadable, or made for another robot.
        """
        self.model = CheckpointModel(path, robot)
        self.space = self.model.space
        checkpoint = load_checkpoint(path)
        self._scene_model = checkpoint.scene_model()
        reference = checkpoint.reference_view() if unturn else None
        self.watch = CameraWatch(reference, COMPARE_PERIOD_S) if reference else None

    def encode(self, view: View, camera: Camera) -> Encoding:
        """See `Eyes`."""
        model, watch = self._scene_model, self.watch
        if watch is None:
            return model.encode(view.rgb, camera).encoding
        if watch.due(view.stamp_ns):
            watch.compare(view.rgb, camera, view.stamp_ns)
        return encode_turned(watch, model, view.rgb, camera).encoding


class ExactEyes:
    """The simulator's own surface and Jacobians: the bound for every model."""

    def __init__(self, robot: RobotConfig, simulated: RobotModel) -> None:
        """`simulated` may be disturbed; it serves for derivatives and is not the plant's."""
        self.space = CommandSpace.of(
            robot, (robot.lower + robot.upper) / 2, (robot.upper - robot.lower) / 2
        )
        self.model: SurfaceModel = _ExactModel(self)
        self.view: View | None = None
        self._simulated, self._truth = simulated, GroundTruth(simulated)
        self._derivative: tuple[Float[np.ndarray, " n"], Float[np.ndarray, "v n"]] | None = None

    def encode(self, view: View, camera: Camera) -> Encoding:
        """Keep the image's state, which `model` speaks of until the next call."""
        self.view = view
        return _EMPTY

    def evaluate(self, camera: Camera, pixels: Float[np.ndarray, "n 2"]) -> SurfaceJacobians:
        """Surface and Jacobians at the robot's pixel that is nearest to each of `pixels`."""
        assert self.view is not None, "encode() comes first"
        at, found = nearest_robot_pixels(self.view.robot, pixels)
        derivative = self._derivative_at(self.view)
        exact = self._truth.jacobian(camera.name, self.view.configuration, at, derivative)
        return SurfaceJacobians(
            points_m=np.nan_to_num(exact.points, nan=1.0),
            confidence=found.astype(np.float64),
            jacobian_m=exact.metric * self.space.half_range,
        )

    def _derivative_at(self, view: View) -> Float[np.ndarray, "v n"]:
        """How the joints follow the channels near the set-point of an image."""
        if self._derivative is not None:
            moved = np.abs(view.setpoint - self._derivative[0]) / self.space.half_range
            if self._simulated.is_kinematic or (moved < _STALE_SHARE).all():
                return self._derivative[1]
        self._simulated.set_configuration(view.configuration)
        derivative = self._simulated.derivative(view.setpoint, self.space.half_range)
        self._derivative = view.setpoint.copy(), derivative
        return derivative


@dataclass(frozen=True)
class _ExactModel:
    """`SurfaceModel` of `ExactEyes`."""

    eyes: ExactEyes

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: Float[np.ndarray, "n 2"],
        measured_m: Float[np.ndarray, " n"] | None = None,
    ) -> SurfaceJacobians:
        """See `SurfaceModel`."""
        return self.eyes.evaluate(camera, pixels)


def nearest_robot_pixels(
    robot: Bool[np.ndarray, "h w"], pixels: Float[np.ndarray, "n 2"]
) -> tuple[Int[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """Integer pixels (u, v) of the robot, at most two away from `pixels`, and where there is one.

    Where there is none the rounded pixel itself is returned, moved into the image.
    """
    size = np.array([robot.shape[1], robot.shape[0]])
    reach = np.arange(-_SEARCH_PX, _SEARCH_PX + 1)
    around = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    nearest = np.rint(np.nan_to_num(pixels, nan=-1e6)).clip(-1e6, 1e6).astype(int)
    candidates = nearest[:, None] + around
    inside = ((candidates >= 0) & (candidates < size)).all(axis=-1)
    u, v = candidates.clip(0, size - 1).transpose(2, 0, 1)
    distance = np.linalg.norm(candidates - pixels[:, None], axis=-1)
    distance = np.where(inside & robot[v, u], distance, np.inf)
    best = distance.argmin(axis=1)
    rows = np.arange(len(pixels))
    found = np.isfinite(distance[rows, best])
    chosen = np.where(found[:, None], candidates[rows, best], nearest)
    return chosen.clip(0, size - 1), found
