"""A tiny, randomly initialised model for tests of everything around it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from njf_perception.camera import Camera
from njf_perception.checkpoint import (
    CameraRecord,
    CheckpointInfo,
    make_scene_model,
    save_checkpoint,
)
from njf_perception.encoder import EncoderConfig
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerfConfig


@pytest.fixture
def tiny_camera() -> Camera:
    """A camera half a metre above the world's origin, looking down."""
    T_world_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    T_world_camera[2, 3] = 0.5
    K = np.array([[60.0, 0.0, 31.5], [0.0, 60.0, 23.5], [0.0, 0.0, 1.0]])
    return Camera("camera_0", 64, 48, K, T_world_camera)


@pytest.fixture
def tiny_checkpoint(tiny_camera: Camera, tmp_path: Path) -> Path:
    """A checkpoint file of `tiny_camera` with random weights (seeded)."""
    torch.manual_seed(0)
    path, info = tmp_path / "tiny.pt", _tiny_info(tiny_camera)
    save_checkpoint(path, info, make_scene_model(info).state_dict(), {})
    return path


def _tiny_info(camera: Camera) -> CheckpointInfo:
    encoder = EncoderConfig(input_width=32, input_height=24, width=4, features=4, code=8)
    return CheckpointInfo(
        robot="finger",
        channel_names=["joint_0", "joint_1", "joint_2"],
        channel_units=["rad"] * 3,
        command_center=[0.0] * 3,
        command_half_range=[1.0] * 3,
        camera=CameraRecord.of(camera),
        workspace_min_m=[-0.2, -0.2, 0.0],
        workspace_max_m=[0.2, 0.2, 0.1],
        perception=PixelNerfConfig(encoder=encoder, field=FieldConfig(hidden=16, layers=2)),
        jacobian={},
    )
