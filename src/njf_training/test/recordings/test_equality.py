"""Storage changes nothing: a dataset is the same whatever its images went through on their way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from njf_control.robot import RobotConfig
from njf_perception.bag import BagReader
from njf_perception.errors import DataError
from njf_perception.image_compression import Compression
from njf_training.assemble import Assembly, Source
from njf_training.bag import message_types
from njf_training.bag_contents import read_contents
from njf_training.convert import convert
from njf_training.dataset import Dataset
from njf_training.flow import DisFlow
from njf_training.states import ConvertOptions
from njf_training.work_folder import WorkFolder

INLINE = ConvertOptions(workers=1)
TRAJECTORIES, STATES = 3, 4
MakeBag = Callable[..., Path]
LAYOUTS = {
    "sqlite3": (StoragePlugin.SQLITE3, None),
    "sqlite3-message": (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    "sqlite3-file": (StoragePlugin.SQLITE3, CompressionMode.FILE),
    "mcap": (StoragePlugin.MCAP, None),
    "mcap-message": (StoragePlugin.MCAP, CompressionMode.MESSAGE),
    "mcap-file": (StoragePlugin.MCAP, CompressionMode.FILE),
}


def rewritten(bag: Path, layout: str, without: tuple[str, ...] = ()) -> Path:
    """The bag as `ros2 bag record` lays it out with this storage and compression."""
    storage, mode = LAYOUTS[layout]
    writer = Writer(bag.parent / f"{bag.name}-{layout}", version=9, storage_plugin=storage)
    if mode is not None:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for message in BagReader(bag).messages():
            topic, kind = message.topic, message.type_name
            if topic in without:
                continue
            if topic not in connections:
                store = message_types()
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], message.time_ns, message.data)
    return bag.parent / f"{bag.name}-{layout}"


def hash_of(bag: Path, robot: RobotConfig | None = None) -> str:
    out = bag.parent / f"dataset-of-{bag.name}"
    convert(bag, out, INLINE, robot)
    return Dataset.open(out).info.content_id


@pytest.fixture
def never_in_a_bag(
    tmp_path: Path, toy_robot: RobotConfig, toy_picture: Callable[..., Any], make_bag: MakeBag
) -> str:
    """Hash of the dataset of the toy's images as they were drawn, which no bag has seen."""
    folder = tmp_path / "direct"
    positions = read_contents(make_bag("for-the-plan", trajectories=TRAJECTORIES)).marks
    commands = np.array([mark.applied for mark in positions])
    work = WorkFolder(folder, {})
    images = [[toy_picture(camera, u)[0] for camera in range(3)] for u in commands]
    trajectory = np.repeat(np.arange(TRAJECTORIES, dtype=np.int32), STATES)
    first = np.flatnonzero(trajectory[1:] == trajectory[:-1]).astype(np.int32)
    arrays = {
        "images": np.array(images, np.uint8),
        "commands": commands,
        "trajectory": trajectory,
        "pairs": np.stack([first, first + 1], axis=1),
    }
    for name, array in arrays.items():
        np.save(work.folder / f"{name}.npy", array)
    cameras = read_contents(tmp_path / "for-the-plan").cameras
    source = Source(toy_robot, cameras, ["drawn"], {})
    Assembly(work, source, 1, DisFlow, INLINE.flow_cameras).run()
    work.publish(folder)
    return Dataset.open(folder).info.content_id


@pytest.mark.parametrize("how", [None, Compression("png")], ids=["raw", "png"])
def test_a_bag_gives_the_dataset_of_what_never_was_in_one(
    make_bag: MakeBag, never_in_a_bag: str, how: Compression | None
) -> None:
    assert hash_of(make_bag(trajectories=TRAJECTORIES, compression=how)) == never_in_a_bag


def test_lossy_storage_is_another_dataset(make_bag: MakeBag, never_in_a_bag: str) -> None:
    bag = make_bag(trajectories=TRAJECTORIES, compression=Compression("jpeg"))
    assert hash_of(bag) != never_in_a_bag


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_storage_of_rosbag2_holds_the_same_messages(make_bag: MakeBag, layout: str) -> None:
    bag = make_bag(trajectories=1)
    other = rewritten(bag, layout)
    here, there = BagReader(bag), BagReader(other)
    expected, found = list(here.messages()), list(there.messages())
    order = lambda m: (m.time_ns, m.topic)  # noqa: E731  # SQLite sorts by time
    assert sorted(found, key=order) == sorted(expected, key=order)
    assert there.complete
    (mark, *_) = there.messages(["/capture_mark"])
    assert there.decode(mark).camera_names == ["camera_0", "camera_1", "camera_2"]


@pytest.mark.parametrize("layout", ["sqlite3", "mcap-message"])
def test_bags_of_rosbag2_become_the_same_dataset(make_bag: MakeBag, layout: str) -> None:
    bag = make_bag(trajectories=TRAJECTORIES)
    assert hash_of(rewritten(bag, layout)) == hash_of(bag)


def test_a_bag_that_names_no_robot_is_that_of_the_robot_asked_for(
    make_bag: MakeBag, toy_robot: RobotConfig
) -> None:
    bag = make_bag(trajectories=TRAJECTORIES)
    nameless = rewritten(bag, "mcap", without=("/recording_info",))
    with pytest.raises(DataError, match="no /recording_info"):
        read_contents(nameless)
    assert hash_of(nameless, toy_robot) == hash_of(bag)


def test_a_single_file_of_sqlite_reads_without_its_metadata(make_bag: MakeBag) -> None:
    bag = rewritten(make_bag(trajectories=1), "sqlite3")
    (file,) = bag.glob("*.db3")
    assert len(list(BagReader(file).messages())) == len(list(BagReader(bag).messages()))
    (bag / "metadata.yaml").unlink()
    assert len(list(BagReader(bag).messages(["/capture_mark"]))) == 4


@pytest.mark.fault
@pytest.mark.parametrize(
    ("layout", "told"),
    [("sqlite3", "not readable as a bag.*ros2 bag convert"), ("mcap-file", "no metadata.yaml")],
)
def test_a_broken_bag_is_told_in_one_sentence(make_bag: MakeBag, layout: str, told: str) -> None:
    bag = rewritten(make_bag(trajectories=1), layout)
    (bag / "metadata.yaml").unlink()
    for file in bag.iterdir():
        file.write_bytes(b"neither fish nor fowl")
    with pytest.raises(DataError, match=told):
        list(BagReader(bag).messages())


@pytest.mark.fault
def test_messages_that_a_bag_promises_and_does_not_give_are_missed(make_bag: MakeBag) -> None:
    bag = rewritten(make_bag(trajectories=1), "mcap-message")
    metadata = yaml.safe_load((bag / "metadata.yaml").read_text())
    described = metadata["rosbag2_bagfile_information"]["topics_with_message_count"]
    described[0]["message_count"] += 2
    (bag / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    with pytest.raises(DataError, match=r"only \d+ of \d+ messages can be read"):
        list(BagReader(bag).messages())
