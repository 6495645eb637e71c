"""A recording with a depth camera becomes a dataset with depth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.bag_contents import read_contents
from njf_training.convert import convert
from njf_training.dataset import Dataset
from njf_training.recording.topics import recorded_topics
from njf_training.states import ConvertOptions

INLINE = ConvertOptions(workers=1)
STREAM = "camera_0/aligned_depth_to_color"
MakeBag = Callable[..., Path]
DepthImage = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def depth_robot(toy_robot: RobotConfig) -> RobotConfig:
    first, *others = toy_robot.cameras
    return toy_robot.model_copy(
        update={"cameras": [first.model_copy(update={"depth": True}), *others]}
    )


def test_depth_is_recorded_where_the_robot_file_says_so(
    toy_robot: RobotConfig, depth_robot: RobotConfig
) -> None:
    topic = f"{STREAM}/image_raw"
    assert topic in {t.name for t in recorded_topics(depth_robot)}
    assert topic not in {t.name for t in recorded_topics(toy_robot)}
    assert depth_robot.image_streams == ["camera_0", "camera_1", "camera_2", STREAM]


@pytest.mark.parametrize("in_metres", [False, True])
def test_depth_of_the_states_is_in_the_dataset(
    make_bag: MakeBag,
    toy_depth_mm: DepthImage,
    tmp_path: Path,
    in_metres: bool,
    toy_positions: np.ndarray,
) -> None:
    def floats(position: np.ndarray) -> np.ndarray:
        return np.where(toy_depth_mm(position) > 0, toy_depth_mm(position) / 1e3, np.nan).astype(
            np.float32
        )

    convert(make_bag(depth=floats if in_metres else toy_depth_mm), tmp_path / "dataset", INLINE)
    dataset = Dataset.open(tmp_path / "dataset")
    assert dataset.depth is not None
    assert dataset.depth.shape == (32, 3, 40, 56)
    assert np.isnan(dataset.depth[:, 1:]).all(), "cameras without depth"
    for state in (0, 13, 31):
        truth = toy_depth_mm(toy_positions[state]).reshape(40, 2, 56, 2)
        whole = np.ptp(truth, axis=(1, 3)) == 0
        expected = np.where(truth[:, 0, :, 0] > 0, truth[:, 0, :, 0] / 1e3, np.nan)
        found = dataset.depth[state, 0].astype(float)
        np.testing.assert_allclose(found[whole], expected[whole], rtol=1e-3)


def test_a_recording_without_depth_has_none(make_bag: MakeBag, tmp_path: Path) -> None:
    convert(make_bag(), tmp_path / "dataset", INLINE)
    assert Dataset.open(tmp_path / "dataset").depth is None


def test_a_state_without_its_depth_image_is_left_out(
    make_bag: MakeBag, toy_depth_mm: DepthImage, tmp_path: Path
) -> None:
    bag = make_bag(depth=toy_depth_mm, without=(f"/{STREAM}/image_raw",))
    assert STREAM not in read_contents(bag).image_stamps_ns
    with pytest.raises(DataError, match="not one settled state.*aligned_depth_to_color"):
        convert(bag, tmp_path / "dataset", INLINE)


def test_unknown_encodings_and_sizes_are_named(
    make_bag: MakeBag, toy_depth_mm: DepthImage, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="'8UC1'; expected 16UC1"):
        bag = make_bag("bytes", depth=lambda p: toy_depth_mm(p).astype(np.uint8))
        convert(bag, tmp_path / "dataset", INLINE)
    with pytest.raises(DataError, match="camera_0: depth image of 56 x 40"):
        bag = make_bag("small", depth=lambda p: np.ascontiguousarray(toy_depth_mm(p)[::2, ::2]))
        convert(bag, tmp_path / "other", INLINE)
