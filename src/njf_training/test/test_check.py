"""What makes a dataset unfit is named before training starts, and nothing is written over."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.check import check_dataset, sampled
from njf_training.dataset import Dataset, DatasetCamera, DatasetInfo


@pytest.fixture
def ball(ball_dataset: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "ball"
    shutil.copytree(ball_dataset, folder)
    return folder


def robot(**changes: Any) -> RobotConfig:
    channel = {"name": "slide", "unit": "rad", "lower": -1, "upper": 1, "max_rate": 1}
    return RobotConfig.model_validate(
        {
            "name": "ball",
            "channels": [channel],
            "driver": {"kind": "simulated", "rate_hz": 50},
            "safety": {},
            "cameras": [{"name": "camera_0", "role": "control", "width": 64, "height": 48}],
            "simulation": {"mjcf": "ball.xml"},
            "workspace_min_m": [-1, -1, -1],
            "workspace_max_m": [1, 1, 1],
            **changes,
        }
    )


def set_array(name: str, where: Any, value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        array = np.load(folder / f"{name}.npy")
        array[where] = value
        np.save(folder / f"{name}.npy", array)

    return change


def set_camera(index: int, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        info = json.loads((folder / "dataset.json").read_text())
        info["cameras"][index].update(values)
        (folder / "dataset.json").write_text(json.dumps(info))

    return change


def drop_last_state(folder: Path) -> None:
    np.save(folder / "images.npy", np.load(folder / "images.npy")[:-1])


def cut_off(folder: Path) -> None:
    file = folder / "images.npy"
    os.truncate(file, file.stat().st_size // 2)


def lone_trajectory(folder: Path) -> None:
    np.save(folder / "trajectory.npy", np.zeros(40, np.int32))


def depth_of_nothing(folder: Path) -> None:
    np.save(folder / "depth.npy", np.full((40, 3, 24, 32), np.nan, np.float16))


NO_FOCUS = [[0.0, 0, 31.5], [0, 80, 23.5], [0, 0, 1]]
SHEARED = [[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_last_state, r"images.npy has shape \(39, 3, 48, 64, 3\), dataset.json says \(40"),
        (cut_off, "images.npy is damaged or cut off"),
        (lambda folder: (folder / "flow.npy").unlink(), "flow.npy: no such file"),
        (set_camera(1, K=NO_FOCUS), "camera_1 is not calibrated: its focal lengths are 0 and 80"),
        (set_camera(2, T_world_camera=SHEARED), "camera_2 is not calibrated: the rotation"),
        (set_camera(0, role="training"), "0 cameras have the role control, expected one"),
        (set_camera(2, width=32), "cameras differ in image size"),
        (set_array("images", (slice(None), 1), 0), "image of camera_1 in state 0 is black"),
        (set_array("images", (slice(None), 2), 90), "camera_2 in state 0 is of one value, 90"),
        (depth_of_nothing, "knows no depth at all"),
        (set_array("commands", slice(None), 0.3), "slide never moves"),
        (set_array("commands", 7, np.nan), "commands of slide are not all finite"),
        (set_array("flow", slice(None), np.nan), "neither flow nor tracks are known in camera_0"),
        (set_array("masks", (slice(None), 2), 0), "camera_2 never sees anything move"),
        (set_array("pairs", 3, 40), r"must lie in 0\.\.39"),
        (lone_trajectory, "1 trajectories leave no motion to train on"),
    ],
)
def test_every_defect_is_named(ball: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(ball)
    with pytest.raises(DataError, match=message):
        check_dataset(Dataset.open(ball))


def test_a_good_dataset_passes_and_stays_as_it_is(ball: Path) -> None:
    before = {file.name: file.read_bytes() for file in ball.iterdir()}
    check_dataset(Dataset.open(ball), robot())
    assert {file.name: file.read_bytes() for file in ball.iterdir()} == before


def test_not_a_number_in_a_calibration_is_refused_at_opening(ball: Path) -> None:
    set_camera(1, K=[[float("nan"), 0, 31.5], [0, 80, 23.5], [0, 0, 1]])(ball)
    with pytest.raises(DataError, match=r"cameras\.1\.K"):
        check_dataset(Dataset.open(ball))


def test_tracks_may_stand_in_for_flow_but_still_points_alone_may_not(ball: Path) -> None:
    set_array("flow", slice(None), np.nan)(ball)
    tracks = np.zeros((20, 3, 4, 4), np.float32)
    np.save(ball / "tracks.npy", tracks)
    check_dataset(Dataset.open(ball))
    tracks[:, :, :2] = np.nan
    np.save(ball / "tracks.npy", tracks)
    with pytest.raises(DataError, match="neither flow nor tracks"):
        check_dataset(Dataset.open(ball))


def test_another_robot_and_another_order_are_named_with_both(ball: Path) -> None:
    with pytest.raises(DataError, match="has robot ball, but the robot's file says cube"):
        check_dataset(Dataset.open(ball), robot(name="cube"))
    info = json.loads((ball / "dataset.json").read_text())
    info.update(channel_names=["b", "a"], channel_units=["rad", "rad"])
    (ball / "dataset.json").write_text(json.dumps(info))
    limits = {"unit": "rad", "lower": -1, "upper": 1, "max_rate": 1}
    ordered = robot(channels=[{"name": name, **limits} for name in "ab"])
    with pytest.raises(DataError, match=r"channels \['b', 'a'\].*file says \['a', 'b'\]"):
        check_dataset(Dataset.open(ball), ordered)


def test_gigabytes_are_checked_at_once(tmp_path: Path) -> None:
    """Four gigabytes of images, nearly all a hole in the file: only some states are looked at."""
    states, cameras, height, width = 1500, 12, 240, 320
    shape = (states, cameras, height, width, 3)
    images = open_memmap(tmp_path / "images.npy", "w+", np.uint8, shape)
    assert images.nbytes > 4e9
    images[sampled(states), :, 0, 0] = 200
    half = (height // 2, width // 2)
    open_memmap(tmp_path / "flow.npy", "w+", np.float16, (20, cameras, *half, 2)).flush()
    masks = open_memmap(tmp_path / "masks.npy", "w+", np.uint8, (states, cameras, 9600))
    masks[sampled(states), :, 0] = 1
    arrays = {
        "background": np.zeros((cameras, height, width, 3), np.uint8),
        "commands": np.random.default_rng(0).normal(size=(states, 2)),
        "trajectory": np.arange(states, dtype=np.int32) // 10,
        "pairs": np.stack([np.arange(20), np.arange(20) + 1], 1).astype(np.int32),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    K = [[300.0, 0, 159.5], [0, 300, 119.5], [0, 0, 1]]
    info = DatasetInfo(
        robot="big",
        channel_names=["a", "b"],
        channel_units=["rad", "rad"],
        cameras=[
            DatasetCamera(
                name=f"camera_{i}",
                role="training" if i else "control",
                width=width,
                height=height,
                K=K,
                T_world_camera=np.eye(4).tolist(),
            )
            for i in range(cameras)
        ],
        states=states,
        pairs=20,
        bags=[],
        settings={},
        content_id="",
    )
    (tmp_path / "dataset.json").write_text(info.model_dump_json())
    begin_s = time.process_time()
    check_dataset(Dataset.open(tmp_path))
    assert time.process_time() - begin_s < 2
