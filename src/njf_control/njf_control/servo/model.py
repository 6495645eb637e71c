"""The trained model as the servo sees it: surface points and Jacobians at pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float

from njf_control.jacobian import JacobianField, load_jacobian
from njf_control.robot import RobotConfig
from njf_control.servo.commands import CommandSpace
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint
from njf_perception.scene import Encoding, PixelNerf, PixelNerfScene
from njf_perception.virtual_camera import turned_surface


@dataclass(frozen=True)
class SurfaceJacobians:
    """Model outputs at pixels.

    Attributes:
        points_m: surface points in the camera frame [m].
        confidence: that the surface is the robot's and its predicted motion is right, 0..1.
        jacobian_m: motion of each point per normalised command unit [m].
    """

    points_m: Float[np.ndarray, "n 3"]
    confidence: Float[np.ndarray, " n"]
    jacobian_m: Float[np.ndarray, "n 3 k"]


@runtime_checkable
class SurfaceModel(Protocol):
    """Anything that gives Jacobians at the visible surface."""

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: Float[np.ndarray, "n 2"],
        measured_m: Float[np.ndarray, " n"] | None = None,
    ) -> SurfaceJacobians:
        """Surface and Jacobians at pixels (u, v) of the image behind `encoding`.

        `measured_m` is a depth camera's word at the pixels [m], NaN where it has none.
        """
        ...


class CheckpointModel:
    """`SurfaceModel` of a checkpoint."""

    def __init__(self, path: str | Path, robot: RobotConfig) -> None:
        """Load a checkpoint for `robot`.

        Raises:
            CheckpointError: unreadable, or made for another robot; names the field that differs.
        """
        checkpoint = load_checkpoint(path)
        checkpoint.require(robot.name, robot.channel_names)
        info = checkpoint.info
        self.content_id = checkpoint.content_id
        self.camera_name = info.camera.name
        self.space = CommandSpace.of(
            robot, checkpoint.command_center, checkpoint.command_half_range
        )
        self._scene_model: PixelNerf = checkpoint.scene_model()
        self._field = load_jacobian(checkpoint, self._scene_model)

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: Float[np.ndarray, "n 2"],
        measured_m: Float[np.ndarray, " n"] | None = None,
    ) -> SurfaceJacobians:
        """See `SurfaceModel`."""
        scene = PixelNerfScene(self._scene_model, encoding, camera)
        return surface_jacobians(scene, self._field, pixels, measured_m)


def surface_jacobians(
    scene: PixelNerfScene,
    field: JacobianField,
    pixels: Float[np.ndarray, "n 2"],
    measured_m: Float[np.ndarray, " n"] | None = None,
) -> SurfaceJacobians:
    """What a model says at pixels of its image; `measured_m` as in `CheckpointModel.evaluate`.

    The confidence is the probability that the pixel shows the robot, times the probability that
    the robot's motion there is right.
    """
    points, robot = turned_surface(scene, pixels, measured_m)
    jacobian, right = field.evaluate(scene, points)
    R = torch.from_numpy(scene.encoding.R_trained_camera).float()
    points, jacobian = points @ R, R.T @ jacobian  # from the frame of training to the camera's
    return SurfaceJacobians(points.numpy(), (robot * right).numpy(), jacobian.numpy())
