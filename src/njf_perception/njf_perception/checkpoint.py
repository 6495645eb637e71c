"""Self-contained checkpoints: a node needs nothing else to know what a model is for."""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field

from njf_perception.camera import Camera
from njf_perception.config import Config
from njf_perception.errors import CheckpointError
from njf_perception.registration import ReferenceView
from njf_perception.scene import PixelNerf, PixelNerfConfig
from njf_perception.workspace import Box

FORMAT = 1


class CameraRecord(Config):
    """Calibration of the context camera at training time."""

    name: str
    width: int
    height: int
    K: list[list[float]]
    T_world_camera: list[list[float]]

    def camera(self) -> Camera:
        """As the geometry code wants it."""
        pose = np.array(self.T_world_camera)
        return Camera(self.name, self.width, self.height, np.array(self.K), pose)

    @staticmethod
    def of(camera: Camera) -> "CameraRecord":
        """Record of a camera."""
        return CameraRecord(
            name=camera.name,
            width=camera.width,
            height=camera.height,
            K=camera.K.tolist(),
            T_world_camera=camera.T_world_camera.tolist(),
        )


class CheckpointInfo(Config):
    """What a model is for and how it was made."""

    format: int = Field(default=FORMAT, description="layout of the file")
    robot: str
    channel_names: list[str]
    channel_units: list[str]
    command_center: list[float] = Field(description="set-point that is 0 normalised [unit]")
    command_half_range: list[float] = Field(description="one normalised unit [unit]")
    camera: CameraRecord
    workspace_min_m: list[float]
    workspace_max_m: list[float]
    perception: PixelNerfConfig
    jacobian: dict[str, Any] = Field(description="configuration of the Jacobian head")
    confidence: dict[str, Any] | None = Field(
        default=None, description="how raw signs become a confidence; none: not calibrated"
    )
    training: dict[str, Any] = Field(default={}, description="configuration and data of training")
    git_revision: str = "unknown"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        info: what the model is for.
        content_id: hash of the file's content, equal on both ends of a scene encoding.
        perception: weights of the `PixelNerf`.
        jacobian: weights of the Jacobian head.
        reference: the context camera's view of the scene without the robot, in training; None in
            files that were written before there was one.
    """

    info: CheckpointInfo
    content_id: str
    perception: dict[str, torch.Tensor]
    jacobian: dict[str, torch.Tensor]
    reference: UInt8[np.ndarray, "h w 3"] | None = None

    @property
    def command_center(self) -> Float[np.ndarray, " n"]:
        """Set-point that is zero in normalised units [channel unit]."""
        return np.array(self.info.command_center)

    @property
    def command_half_range(self) -> Float[np.ndarray, " n"]:
        """Size of one normalised unit [channel unit]."""
        return np.array(self.info.command_half_range)

    def scene_model(self) -> PixelNerf:
        """The perception model with its weights, in evaluation mode."""
        model = make_scene_model(self.info)
        model.load_state_dict(self.perception)
        return model.eval()

    def reference_view(self) -> ReferenceView | None:
        """What images are compared with to see whether the camera has turned since training."""
        if self.reference is None:
            return None
        return ReferenceView(self.reference, self.info.camera.camera())

    def require(self, robot: str, channel_names: list[str]) -> None:
        """Refuse a checkpoint that was made for another robot.

        Raises:
            CheckpointError: names the field that differs, with both values.
        """
        wanted = {"robot": robot, "channel_names": channel_names}
        for field, expected in wanted.items():
            found = getattr(self.info, field)
            if found != expected:
                raise CheckpointError(
                    f"checkpoint has {field} {found}, the robot file has {expected}. "
                    "Use the checkpoint trained for this robot, or train one."
                )


def make_scene_model(info: CheckpointInfo) -> PixelNerf:
    """A perception model of the described size, with fresh weights."""
    low, high = np.array(info.workspace_min_m), np.array(info.workspace_max_m)
    return PixelNerf(info.perception, Box.from_world(low, high, info.camera.camera()))


def save_checkpoint(
    path: str | Path,
    info: CheckpointInfo,
    perception: dict[str, torch.Tensor],
    jacobian: dict[str, torch.Tensor],
    reference: UInt8[np.ndarray, "h w 3"] | None = None,
) -> None:
    """Write a checkpoint atomically: a crash leaves the old file or the new one, never half."""
    content: dict[str, Any] = {
        "info": info.model_dump_json(),
        "perception": perception,
        "jacobian": jacobian,
    }
    if reference is not None:
        content["reference"] = torch.from_numpy(np.array(reference))
    save_atomically(content, Path(path))


def save_atomically(content: Any, path: Path) -> None:
    """torch.save so that not even a power cut leaves half a file under the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name must reach the disc, too
    finally:
        os.close(folder)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: missing, unreadable, or of another format.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot read checkpoint ({error.strerror}). Train one or check the path."
        ) from None
    try:
        data = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        info = CheckpointInfo.model_validate_json(data["info"])
    except Exception as error:  # unpickling damaged files raises nearly any type
        raise _unreadable(path, error) from None
    if info.format != FORMAT:
        raise CheckpointError(
            f"{path}: checkpoint format {info.format}, this version reads {FORMAT}. Train it again."
        )
    digest = hashlib.sha256(content).hexdigest()[:12]
    reference = data["reference"].numpy() if "reference" in data else None
    return Checkpoint(info, digest, data["perception"], data["jacobian"], reference)


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CheckpointError(
        f"{path}: not a readable checkpoint ({first_line}). The file is damaged or something else; "
        "copy it again or train a new one."
    )
