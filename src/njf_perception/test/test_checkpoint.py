"""Checkpoints: round trip, identity, and refusals that say what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from njf_perception.camera import Camera
from njf_perception.checkpoint import (
    CameraRecord,
    CheckpointInfo,
    load_checkpoint,
    make_scene_model,
    save_checkpoint,
)
from njf_perception.encoder import EncoderConfig
from njf_perception.errors import CheckpointError
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerfConfig

CAMERA = Camera(
    "camera_0", 64, 48, np.array([[90.0, 0.0, 31.5], [0.0, 90.0, 23.5], [0.0, 0.0, 1.0]]), np.eye(4)
)
CONFIG = PixelNerfConfig(
    encoder=EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=8),
    field=FieldConfig(hidden=16, layers=2, frequencies=2),
)


def info(**changes: Any) -> CheckpointInfo:
    fields: dict[str, Any] = {
        "robot": "finger",
        "channel_names": ["a", "b"],
        "channel_units": ["rad", "rad"],
        "command_center": [0.1, 0.2],
        "command_half_range": [1.0, 1.1],
        "camera": CameraRecord.of(CAMERA),
        "workspace_min_m": [-0.1, -0.1, 0.0],
        "workspace_max_m": [0.1, 0.1, 0.06],
        "perception": CONFIG,
        "jacobian": {},
    }
    return CheckpointInfo(**(fields | changes))


def write(path: Path, **changes: Any) -> None:
    torch.manual_seed(0)
    model = make_scene_model(info())
    save_checkpoint(path, info(**changes), model.state_dict(), {})


def test_model_survives_the_round_trip(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    checkpoint = load_checkpoint(tmp_path / "a.pt")
    torch.manual_seed(0)
    original, camera = make_scene_model(info()).eval(), CAMERA
    image = np.full((48, 64, 3), 90, np.uint8)
    expected = original.encode(image, camera).encoding.feature_map
    assert torch.equal(
        checkpoint.scene_model().encode(image, camera).encoding.feature_map, expected
    )
    assert checkpoint.info == info()
    assert np.allclose(checkpoint.command_half_range, [1.0, 1.1])


def test_content_id_follows_the_content(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    write(tmp_path / "b.pt", robot="arm")
    first, second = load_checkpoint(tmp_path / "a.pt"), load_checkpoint(tmp_path / "b.pt")
    assert first.content_id == load_checkpoint(tmp_path / "a.pt").content_id != second.content_id


def test_another_robot_is_refused_by_field(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    checkpoint = load_checkpoint(tmp_path / "a.pt")
    checkpoint.require("finger", ["a", "b"])
    with pytest.raises(
        CheckpointError, match="checkpoint has robot finger, the robot file has arm"
    ):
        checkpoint.require("arm", ["a", "b"])
    with pytest.raises(CheckpointError, match="channel_names"):
        checkpoint.require("finger", ["b", "a"])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_damaged_files_get_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "a.pt")


def test_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "a.pt")


def test_missing_file_and_future_format(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot read checkpoint"):
        load_checkpoint(tmp_path / "none.pt")
    write(tmp_path / "a.pt", format=99)
    with pytest.raises(CheckpointError, match="format 99, this version reads 1"):
        load_checkpoint(tmp_path / "a.pt")


def test_reference_view_is_optional_and_survives_the_round_trip(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    without = load_checkpoint(tmp_path / "a.pt")
    assert without.reference is None
    view = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    save_checkpoint(tmp_path / "b.pt", without.info, without.perception, without.jacobian, view)
    found = load_checkpoint(tmp_path / "b.pt").reference
    assert found is not None and np.array_equal(found, view)
