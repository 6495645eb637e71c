"""From a bag to a dataset: right contents, the same every time, clear errors."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training import convert as convert_module
from njf_training.bag_contents import read_contents
from njf_training.convert import convert
from njf_training.dataset import Dataset
from njf_training.flow import DisFlow
from njf_training.states import ConvertOptions, check_same_rig

INLINE = ConvertOptions(workers=1)


def files_of(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.suffix in (".npy", ".json")}


@pytest.fixture
def dataset(make_bag: Callable[..., Path], tmp_path: Path) -> Dataset:
    convert(make_bag(), tmp_path / "dataset", INLINE)
    return Dataset.open(tmp_path / "dataset")


def test_states_and_images_are_those_recorded(
    dataset: Dataset, toy_positions: np.ndarray, toy_picture: Callable[..., Any]
) -> None:
    assert np.array_equal(dataset.commands, toy_positions)
    assert dataset.trajectory.tolist() == np.repeat(range(8), 4).tolist()
    for state in (0, 13, 31):
        for camera in range(3):
            expected = toy_picture(camera, toy_positions[state])[0]
            assert np.array_equal(dataset.images[state, camera], expected)


def test_pairs_join_neighbours_of_one_trajectory(dataset: Dataset) -> None:
    assert len(dataset.pairs) == 8 * 3
    assert np.all(dataset.pairs[:, 1] == dataset.pairs[:, 0] + 1)
    assert np.all(np.diff(dataset.trajectory[dataset.pairs], axis=1) == 0)


def test_masks_show_the_block(
    dataset: Dataset, toy_positions: np.ndarray, toy_picture: Callable[..., Any]
) -> None:
    for state in range(0, 32, 5):
        truth = toy_picture(1, toy_positions[state])[1]
        mask = dataset.mask(state, 1)
        assert (mask & truth).sum() / (mask | truth).sum() > 0.85


def test_flow_is_the_motion_of_the_block(dataset: Dataset) -> None:
    """The block moves by 22 px per radian, the other way in camera_1."""
    for row in range(0, len(dataset.pairs), 5):
        before, after = dataset.pairs[row]
        moved = 22.0 * (dataset.commands[after] - dataset.commands[before])
        for camera, sign in ((0, 1), (1, -1)):
            # Well inside the block, where no edge is near.
            center = np.array([56, 40]) + sign * 22.0 * dataset.commands[before]
            column, line = (center / 2).astype(int)
            inner = dataset.flow[row, camera, line - 2 : line + 3, column - 2 : column + 3]
            assert np.allclose(np.nanmedian(inner, axis=(0, 1)), sign * moved, atol=0.3)
            assert np.nanmedian(np.abs(dataset.flow[row, camera])) < 0.05  # the table stands still


def test_held_out_cameras_get_no_flow(dataset: Dataset) -> None:
    assert np.isnan(dataset.flow[:, 2]).all()
    assert not np.isnan(dataset.flow[:, :2]).all()


def test_cameras_carry_their_calibration(dataset: Dataset) -> None:
    camera = dataset.cameras[1]
    assert (camera.role, camera.width, camera.height) == ("training", 112, 80)
    assert camera.K[0] == [90.0, 0.0, 55.5]
    # world -> rig (1 m up) -> camera (0.1 m along x, turned by a quarter about z).
    expected = [[0, -1, 0, 0.1], [1, 0, 0, 0], [0, 0, 1, 1.0], [0, 0, 0, 1]]
    assert np.allclose(camera.T_world_camera, expected, atol=1e-9)


def test_poses_are_found_behind_a_prefix_of_all_frames(
    make_bag: Callable[..., Path], tmp_path: Path, dataset: Dataset
) -> None:
    convert(make_bag("left", trajectories=2, tf_prefix="left/"), tmp_path / "other", INLINE)
    cameras = Dataset.open(tmp_path / "other").cameras
    assert [c.T_world_camera for c in cameras] == [c.T_world_camera for c in dataset.cameras]


def test_truth_is_kept_apart_for_evaluation(dataset: Dataset, toy_positions: np.ndarray) -> None:
    truth = np.load(dataset.folder / "truth.npz")
    assert np.allclose(truth["joint_positions"], toy_positions + 0.001)
    assert truth["joint_names"].tolist() == ["slide_x", "slide_y"]


def test_the_same_bag_gives_the_same_bytes(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    bag = make_bag(trajectories=3)
    convert(bag, tmp_path / "one", INLINE)
    convert(bag, tmp_path / "two", INLINE)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@pytest.mark.slow
def test_more_processes_change_nothing(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    bag = make_bag(trajectories=3)
    convert(bag, tmp_path / "one", INLINE)
    convert(bag, tmp_path / "two", ConvertOptions(workers=2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_all_pairs_stay_within_the_distance(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    options = ConvertOptions(workers=1, pairs="all", max_distance=0.2)
    convert(make_bag(trajectories=4), tmp_path / "dataset", options)
    dataset = Dataset.open(tmp_path / "dataset")
    step = np.abs(dataset.commands[dataset.pairs[:, 1]] - dataset.commands[dataset.pairs[:, 0]])
    assert step.max() <= 0.2
    assert (dataset.pairs[:, 1] - dataset.pairs[:, 0]).max() > 1


def test_several_bags_number_their_trajectories_through(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    bags = [make_bag("a", trajectories=2), make_bag("b", trajectories=3)]
    convert(bags, tmp_path / "dataset", INLINE)
    assert np.unique(Dataset.open(tmp_path / "dataset").trajectory).tolist() == [0, 1, 2, 3, 4]


def test_a_state_without_one_image_is_left_out_and_said(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    report = convert(make_bag(lose=(5, "camera_1")), tmp_path / "dataset", INLINE)
    assert (report.states, report.states_without_all_images) == (31, 1)
    assert any("lack an image" in warning for warning in report.warnings)
    # The neighbours of the lost state are not neighbours of each other.
    assert [4, 5] not in Dataset.open(tmp_path / "dataset").pairs.tolist()


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("/recording_info", "no /recording_info"),
        ("/capture_mark", "no /capture_mark"),
        ("/camera_1/camera_info", "no camera_1/camera_info"),
        ("/tf_static", "does not lead from camera_0_optical_frame to world"),
        ("/camera_2/image_raw", "has an image of every camera"),
    ],
)
def test_a_missing_topic_is_named(
    make_bag: Callable[..., Path], tmp_path: Path, topic: str, message: str
) -> None:
    bag = make_bag(trajectories=2, without=(topic,))
    with pytest.raises(DataError, match=message):
        convert(bag, tmp_path / "dataset", INLINE)
    assert not (tmp_path / "dataset").exists()


def test_another_robots_bag_is_refused(
    make_bag: Callable[..., Path], tmp_path: Path, toy_robot: RobotConfig
) -> None:
    bag = make_bag(trajectories=2, robot="other")
    with pytest.raises(DataError, match="recorded with robot other, expected toy"):
        convert(bag, tmp_path / "dataset", INLINE, robot=toy_robot)


def test_an_existing_dataset_is_not_overwritten(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "dataset").mkdir()
    with pytest.raises(DataError, match="exists already"):
        convert(make_bag(trajectories=1), tmp_path / "dataset", INLINE)


@pytest.mark.fault
def test_a_truncated_bag_gives_what_it_has(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    bag = make_bag()
    file = bag / "bag.mcap"
    os.truncate(file, file.stat().st_size * 2 // 3)
    (bag / "metadata.yaml").unlink()
    report = convert(bag, tmp_path / "dataset", INLINE)
    assert 4 < report.states < 32
    assert any("not closed properly" in warning for warning in report.warnings)


@pytest.mark.fault
def test_a_bag_cut_before_the_first_state_is_refused(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    bag = make_bag(trajectories=2)
    os.truncate(bag / "bag.mcap", 100)
    with pytest.raises(DataError, match="no /recording_info"):
        convert(bag, tmp_path / "dataset", INLINE)


class StoppedError(Exception):
    """What ends an interrupted conversion here."""


class InterruptedFlow(DisFlow):
    """Fails after some pairs; then works. The class counts, as blocks make their own."""

    left = 0

    def estimate(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        type(self).left -= 1
        if type(self).left == 0:
            raise StoppedError
        return super().estimate(before, after)


@pytest.mark.fault
def test_an_interrupted_conversion_continues(
    make_bag: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag, out = make_bag(), tmp_path / "dataset"
    InterruptedFlow.left = 60  # of 24 pairs x 2 cameras x 2 directions
    with pytest.raises(StoppedError):
        convert(bag, out, INLINE, make_estimator=InterruptedFlow)
    assert not out.exists()
    monkeypatch.setattr(convert_module, "read_images", lambda _: pytest.fail("done already"))
    convert(bag, out, INLINE, make_estimator=InterruptedFlow)
    assert InterruptedFlow.left < -20  # not all of it again
    monkeypatch.undo()
    convert(bag, tmp_path / "whole", INLINE)
    assert files_of(out) == files_of(tmp_path / "whole")


def test_tracks_follow_the_block_in_the_cameras_that_train(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    convert(make_bag(trajectories=4), tmp_path / "dataset", ConvertOptions(workers=1, tracks=8))
    dataset = Dataset.open(tmp_path / "dataset")
    tracks = dataset.tracks
    assert tracks is not None and tracks.shape == (12, 3, 16, 4)
    assert np.isnan(tracks[:, 2]).all()  # held out
    moved_px = 22.0 * np.diff(dataset.commands[dataset.pairs], axis=1)[:, 0]
    for camera, sign in ((0, 1), (1, -1)):
        error = tracks[:, camera, :8, 2:] - sign * moved_px[:, None]
        assert np.isfinite(error).mean() > 0.5
        assert np.nanmedian(np.linalg.norm(error, axis=-1)) < 0.15
        assert np.all(tracks[:, camera, 8:, 2:] == 0)


def test_bags_with_reordered_channels_are_refused(
    make_bag: Callable[..., Path], toy_robot: RobotConfig
) -> None:
    first = read_contents(make_bag(trajectories=1))
    reordered = toy_robot.model_copy(update={"channels": toy_robot.channels[::-1]})
    second = replace(first, robot=reordered)
    message = r"channels \['slide_y', 'slide_x'\], expected \['slide_x', 'slide_y'\]"
    with pytest.raises(DataError, match=message):
        check_same_rig([first, second], robot=None)
    with pytest.raises(DataError, match=message):
        check_same_rig([second], robot=toy_robot)
