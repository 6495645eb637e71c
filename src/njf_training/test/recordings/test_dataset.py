"""Opening datasets."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_perception.errors import DataError
from njf_training.convert import convert
from njf_training.dataset import Dataset
from njf_training.states import ConvertOptions


@pytest.fixture
def folder(make_bag: Callable[..., Path], tmp_path: Path) -> Path:
    convert(make_bag(trajectories=10, steps=2), tmp_path / "dataset", ConvertOptions(workers=1))
    return tmp_path / "dataset"


def test_the_last_trajectories_are_for_validation_and_testing(folder: Path) -> None:
    dataset = Dataset.open(folder)
    split = dataset.split()
    assert np.concatenate(split).tolist() == list(range(len(dataset.pairs)))
    training, validation, test = (set(dataset.trajectory[dataset.pairs[r, 0]]) for r in split)
    assert (training, validation, test) == (set(range(8)), {8}, {9})


def test_commands_are_normalised_to_the_recorded_range(folder: Path) -> None:
    dataset = Dataset.open(folder)
    normalised = dataset.normalized_commands()
    assert normalised.min(0) == pytest.approx([-1, -1]) and normalised.max(0) == pytest.approx(1)
    back = normalised * dataset.command_half_range + dataset.command_center
    assert np.allclose(back, dataset.commands)


def test_arrays_are_mapped_not_loaded(folder: Path) -> None:
    dataset = Dataset.open(folder)
    assert isinstance(dataset.images, np.memmap) and not dataset.images.flags.writeable
    assert dataset.control_camera.name == "camera_0"


def test_no_dataset_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file.*bag-to-dataset"):
        Dataset.open(tmp_path)


def test_another_format_is_refused(folder: Path) -> None:
    info = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(DataError, match="format 99, expected 1"):
        Dataset.open(folder)


def test_a_broken_description_is_refused(folder: Path) -> None:
    (folder / "dataset.json").write_text('{"robot": "toy"}')
    with pytest.raises(DataError, match="not a dataset description"):
        Dataset.open(folder)
