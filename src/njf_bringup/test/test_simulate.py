"""The simulator's fast path: a whole dataset, the same however often it is interrupted."""

from pathlib import Path

import numpy as np
import pytest

from njf_bringup import simulate as fast
from njf_bringup.paths import robot_file
from njf_bringup.simulate import SimulateOptions, simulate
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import DataError
from njf_training.check import check_dataset
from njf_training.dataset import Dataset

OPTIONS = SimulateOptions(
    states=24, steps_per_trajectory=5, flow_cameras=2, depth=True, exact_flow=True, workers=1
)


@pytest.fixture(scope="module")
def robot() -> RobotConfig:
    """The finger in three small cameras."""
    robot = load_robot(robot_file("finger"))
    size = {"width": 160, "height": 120}
    cameras = [robot.cameras[i].model_copy(update=size) for i in (0, 1, 6)]
    return robot.model_copy(update={"cameras": cameras})


@pytest.fixture(scope="module")
def dataset(robot: RobotConfig, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return simulate(robot, tmp_path_factory.mktemp("sim") / "dataset", OPTIONS)


def test_it_is_fit_for_training(dataset: Dataset, robot: RobotConfig) -> None:
    check_dataset(dataset, robot)
    assert (len(dataset.commands), len(dataset.pairs)) == (24, 20)
    assert [camera.role for camera in dataset.cameras] == ["control", "training", "held_out"]


def test_estimated_and_exact_flow_agree_where_both_are_known(dataset: Dataset) -> None:
    exact = dataset.exact_flow
    assert exact is not None
    moving = np.linalg.norm(np.nan_to_num(exact.astype(np.float32)), axis=-1) > 1
    gap = np.linalg.norm((dataset.flow - exact).astype(np.float32), axis=-1)[moving]
    assert moving.sum() > 1000 and np.nanmedian(gap) < 0.25


def test_depth_is_that_of_the_scene_and_unknown_across_edges(dataset: Dataset) -> None:
    assert dataset.depth is not None
    depth = dataset.depth[:, 0].astype(np.float32)
    assert 0.5 < np.nanmedian(depth) < 1.0
    assert 0 < np.isnan(depth).mean() < 0.4


def test_an_interrupted_run_ends_like_a_whole_one(
    dataset: Dataset, robot: RobotConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = fast.render_block, iter(range(100))

    def interrupted(*args: object) -> object:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fast, "render_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(robot, tmp_path / "dataset", OPTIONS)
    assert not (tmp_path / "dataset").exists()
    again = simulate(robot, tmp_path / "dataset", OPTIONS)
    assert next(calls) == 5  # of four blocks, two were not rendered again
    assert again.info.content_id == dataset.info.content_id


def test_nothing_is_written_over(dataset: Dataset, robot: RobotConfig) -> None:
    with pytest.raises(DataError, match="exists already"):
        simulate(robot, dataset.folder, OPTIONS)


def test_a_finer_control_camera_is_reduced_for_training(robot: RobotConfig) -> None:
    fine = robot.cameras[0].model_copy(update={"width": 320, "height": 240})
    robot = robot.model_copy(update={"cameras": [fine, *robot.cameras[1:]]})
    assert robot.training_size == (160, 120)
    assert {camera.width for camera in robot.with_training_size().cameras} == {160}
