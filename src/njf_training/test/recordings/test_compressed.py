"""Recordings of compressed images become datasets like those of raw ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_perception.image_compression import Compression
from njf_training.convert import convert
from njf_training.dataset import Dataset
from njf_training.recording.topics import recorded_topics
from njf_training.states import ConvertOptions

INLINE = ConvertOptions(workers=1)
MakeBag = Callable[..., Path]
DepthImage = Callable[[np.ndarray], np.ndarray]


def test_topics_are_those_of_image_transport(toy_robot: RobotConfig) -> None:
    first, *others = toy_robot.cameras
    cameras = [first.model_copy(update={"depth": True}), *others]
    robot = toy_robot.model_copy(update={"cameras": cameras})
    images = [t for t in recorded_topics(robot, "compressed") if t.kind == "image"]
    assert [topic.name for topic in images] == [
        "camera_0/image_raw/compressed",
        "camera_1/image_raw/compressed",
        "camera_2/image_raw/compressed",
        "camera_0/aligned_depth_to_color/image_raw/compressedDepth",
    ]
    assert {topic.type_name for topic in images} == {"sensor_msgs/msg/CompressedImage"}
    with pytest.raises(ConfigError, match="'theora'; expected raw or compressed"):
        recorded_topics(robot, "theora")


def test_png_gives_the_very_dataset_of_raw_images(
    make_bag: MakeBag, toy_depth_mm: DepthImage, tmp_path: Path
) -> None:
    found = []
    for name, how in (("raw", None), ("png", Compression("png"))):
        bag = make_bag(name, trajectories=3, depth=toy_depth_mm, compression=how)
        convert(bag, tmp_path / f"dataset_{name}", INLINE)
        found.append(Dataset.open(tmp_path / f"dataset_{name}").info.content_id)
    assert found[0] == found[1]


def test_jpeg_changes_pixels_a_little(make_bag: MakeBag, tmp_path: Path) -> None:
    convert(make_bag("raw", trajectories=3), tmp_path / "one", INLINE)
    bag = make_bag("jpeg", trajectories=3, compression=Compression("jpeg", 95))
    convert(bag, tmp_path / "two", INLINE)
    one, two = Dataset.open(tmp_path / "one"), Dataset.open(tmp_path / "two")
    difference = np.abs(one.images[:].astype(int) - two.images[:])
    assert 0 < difference.mean() < 4
    assert one.info.content_id != two.info.content_id
