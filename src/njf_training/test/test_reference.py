"""Checkpoints carry what their camera saw of the scene without the robot."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint, save_checkpoint
from njf_perception.errors import DataError
from njf_training.dataset import Dataset
from njf_training.reference import add_reference
from njf_training.train_config import TrainConfig
from njf_training.trainer import Trainer


@pytest.fixture
def dataset(ball_dataset: Path) -> Dataset:
    return Dataset.open(ball_dataset)


@pytest.fixture
def trained(
    dataset: Dataset, ball_robot: RobotConfig, ball_training: TrainConfig, tmp_path: Path
) -> Path:
    Trainer(dataset, ball_robot, ball_training).save(tmp_path)
    return tmp_path / "checkpoint.pt"


def test_training_writes_the_view_of_the_control_camera(dataset: Dataset, trained: Path) -> None:
    reference = load_checkpoint(trained).reference_view()
    assert reference is not None
    control = dataset.camera_names.index(dataset.control_camera.name)
    assert np.array_equal(reference.image, dataset.background[control])
    assert np.allclose(reference.camera.K, dataset.control_camera.K)


def test_older_checkpoints_get_theirs(dataset: Dataset, trained: Path) -> None:
    whole = load_checkpoint(trained)
    save_checkpoint(trained, whole.info, whole.perception, whole.jacobian)
    assert load_checkpoint(trained).reference_view() is None
    add_reference(trained, dataset)
    again = load_checkpoint(trained)
    assert again.info == whole.info and again.content_id == whole.content_id
    assert again.reference is not None and whole.reference is not None
    assert np.array_equal(again.reference, whole.reference)


def test_another_dataset_is_refused(dataset: Dataset, trained: Path) -> None:
    other = replace(dataset, info=dataset.info.model_copy(update={"robot": "cube"}))
    with pytest.raises(DataError, match="of robot 'ball', the dataset has .* of 'cube'"):
        add_reference(trained, other)
