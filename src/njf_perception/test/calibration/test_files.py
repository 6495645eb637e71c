"""Files of a calibration: what is written reads back, whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from njf_perception.calibration.files import (
    CameraPose,
    CameraPoses,
    camera_info_text,
    camera_poses_text,
    free_path,
    load_camera_poses,
    parameters_text,
    refuse_unwritable,
    write_files,
)
from njf_perception.calibration.lens import Lens
from njf_perception.cameras.calibration import load_calibration
from njf_perception.errors import ConfigError, DataError

LENS = Lens(640, 480, np.array([[611.3, 0, 318.2], [0, 612.9, 241.7], [0, 0, 1]]), np.arange(5.0))


def test_a_lens_reads_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "camera_0.yaml"
    write_files({path: camera_info_text("camera_0", LENS)}, overwrite=False)
    read = Lens.of(load_calibration(path))
    np.testing.assert_array_equal(read.K, LENS.K)
    np.testing.assert_array_equal(read.distortion, LENS.distortion)
    assert (read.width, read.height, read.model) == (640, 480, "plumb_bob")


def test_poses_read_back_as_they_were(tmp_path: Path) -> None:
    pose = CameraPose(
        frame="camera_0_optical_frame",
        position_m=[0.1, -0.2, 0.3],
        quaternion_xyzw=[0.6, 0.0, 0.0, 0.8],
    )
    path = tmp_path / "camera_poses.yaml"
    path.write_text(camera_poses_text(CameraPoses(cameras={"camera_0": pose})))
    read = load_camera_poses(path).cameras["camera_0"]
    assert read == pose
    np.testing.assert_allclose(read.matrix @ [0, 0, 1, 1], [0.1, -1.16, 0.58, 1])


def test_a_quaternion_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "poses.yaml"
    camera = "{frame: a, position_m: [0, 0, 0], quaternion_xyzw: [1, 1, 0, 0]}"
    path.write_text(f"cameras: {{a: {camera}}}")
    with pytest.raises(ConfigError, match="quaternion_xyzw has length 1.41"):
        load_camera_poses(path)


def test_parameters_name_the_camera_nodes_files(tmp_path: Path) -> None:
    parameters = yaml.safe_load(parameters_text(tmp_path, {"camera_0": LENS}))
    file = parameters["/**/camera_0_driver"]["ros__parameters"]["calibration"]
    assert file == str(tmp_path / "camera_0.yaml")


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "new" / "folder")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match=r"out cannot be written: .*file is no folder.*--out"):
        refuse_unwritable(tmp_path / "file" / "out")


def test_a_folder_that_one_may_not_even_look_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bool:  # what it does for a user who is not root
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DataError, match="cannot be written: .* is no folder that one may write to"):
        refuse_unwritable(tmp_path / "new")


def test_names_that_are_taken_are_numbered(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = free_path(tmp_path / "seen.json")
        path.write_text("")
        names.append(path.name)
    assert names == ["seen.json", "seen_2.json", "seen_3.json"]


def test_nothing_is_overwritten_unasked_nor_left_half_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("mine")
    with pytest.raises(DataError, match=r"old\.yaml exists already.*--overwrite"):
        write_files({new: "a", old: "b"}, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["old.yaml"]
    with pytest.raises(DataError, match="cannot be written"):
        write_files({new: "a", old / "below.yaml": "b"}, overwrite=True)
    assert old.read_text() == "mine" and [p.name for p in tmp_path.iterdir()] == ["old.yaml"]
    write_files({new: "a", old: "b"}, overwrite=True)
    assert old.read_text() == "b" and len(list(tmp_path.iterdir())) == 2
