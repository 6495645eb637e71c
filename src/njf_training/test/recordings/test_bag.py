"""Bags: what is written reads back, also with other tools and after a crash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.interfaces import ConnectionExtRosbag2
from rosbags.typesys import Stores, get_typestore

from njf_perception.bag import BagReader
from njf_perception.errors import ConfigError, DataError
from njf_perception.image_compression import Compression
from njf_training import bag as bag_module
from njf_training.bag import BagWriter, message_types, repair, single_file

TOPIC, TYPE = "/text", "std_msgs/msg/String"


def text(content: str) -> bytes:
    message = message_types().types[TYPE](data=content)
    return bytes(message_types().serialize_cdr(message, TYPE))


@pytest.fixture
def writer(tmp_path: Path) -> BagWriter:
    writer = BagWriter(tmp_path / "bag")
    writer.add_topic(TOPIC, TYPE, transient_local=True)
    return writer


def contents(path: Path) -> tuple[list[str], bool]:
    reader = BagReader(path)
    return [reader.decode(m).data for m in reader.messages()], reader.complete


def test_messages_come_back_in_order_with_topic_type_and_time(writer: BagWriter) -> None:
    for i in range(5):
        writer.write(TOPIC, 100 + i, text(f"number {i}"))
    writer.close()
    reader = BagReader(writer.folder)
    messages = list(reader.messages())
    assert [(m.topic, m.type_name, m.time_ns) for m in messages] == [
        (TOPIC, TYPE, 100 + i) for i in range(5)
    ]
    assert [reader.decode(m).data for m in messages] == [f"number {i}" for i in range(5)]
    assert reader.complete and "complete" in reader.describe()


def test_only_the_topics_asked_for(make_bag: Callable[..., Path]) -> None:
    found = {m.topic for m in BagReader(make_bag()).messages(["/capture_mark", "/tf_static"])}
    assert found == {"/capture_mark", "/tf_static"}


def test_mcap_and_rosbags_open_folder_and_file(make_bag: Callable[..., Path]) -> None:
    folder = make_bag(trajectories=2)
    file = folder / "bag.mcap"
    expected = len(list(BagReader(folder).messages()))
    for path in (folder, file):
        with AnyReader([path]) as reader:
            decoded = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages()]
        assert len(decoded) == expected
    with file.open("rb") as stream:
        mcap = make_reader(stream, decoder_factories=[DecoderFactory()])
        marks = [m for _, c, _, m in mcap.iter_decoded_messages(topics=["/capture_mark"])]
        summary = mcap.get_summary()
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == expected
    assert marks[0].camera_names == ["camera_0", "camera_1", "camera_2"]


@pytest.mark.parametrize("how", [None, Compression("jpeg")], ids=["raw", "compressed"])
def test_every_type_decodes_with_the_schemas_in_the_bag(
    make_bag: Callable[..., Path], toy_depth_mm: Callable[..., Any], how: Compression | None
) -> None:
    """Libraries that know nothing of this project, nor where a type is defined."""
    bag = make_bag(trajectories=1, depth=toy_depth_mm, compression=how)
    expected = {
        "sensor_msgs/msg/Image" if how is None else "sensor_msgs/msg/CompressedImage",
        "sensor_msgs/msg/CameraInfo",
        "tf2_msgs/msg/TFMessage",
        "njf_msgs/msg/CommandApplied",
        "njf_msgs/msg/CaptureMark",
        "std_msgs/msg/String",
    }
    by_mcap: dict[str, list[Any]] = {}
    with (bag / "bag.mcap").open("rb") as stream:
        mcap = make_reader(stream, decoder_factories=[DecoderFactory()])
        for schema, _, _, message in mcap.iter_decoded_messages():
            by_mcap.setdefault(schema.name if schema else "", []).append(message)
    with AnyReader([bag], default_typestore=get_typestore(Stores.EMPTY)) as reader:
        by_rosbags: dict[str, Any] = {
            c.msgtype: reader.deserialize(data, c.msgtype) for c, _, data in reader.messages()
        }
    assert expected <= set(by_mcap) and expected <= set(by_rosbags)
    (first, *_) = by_mcap["sensor_msgs/msg/CameraInfo"]
    assert (first.width, first.k[2]) == (112, 55.5)
    (transforms,) = by_mcap["tf2_msgs/msg/TFMessage"]
    assert transforms.transforms[0].child_frame_id == "rig"
    assert by_rosbags["njf_msgs/msg/CommandApplied"].channel_names == ["slide_x", "slide_y"]


def test_latched_topics_say_so_for_replay(writer: BagWriter) -> None:
    writer.write(TOPIC, 1, text("x"))
    writer.close()
    with AnyReader([writer.folder]) as reader:
        extension = reader.connections[0].ext
    assert isinstance(extension, ConnectionExtRosbag2)
    (qos,) = extension.offered_qos_profiles
    assert qos.durability.name == "TRANSIENT_LOCAL"


def test_type_hashes_are_those_of_the_installed_messages(make_bag: Callable[..., Path]) -> None:
    """rclpy refuses to connect types of different hash; a replayed bag must connect."""
    import json

    file = bag_module._njf_msgs_folder() / "CaptureMark.json"
    installed = json.loads(file.read_text())["type_hashes"][0]["hash_string"]
    with AnyReader([make_bag(trajectories=1)]) as reader:
        hashes = {c.msgtype: c.digest for c in reader.connections}
    assert hashes["njf_msgs/msg/CaptureMark"] == installed


@pytest.mark.fault
@pytest.mark.parametrize("cut", [1, 10, 37, 200])
def test_a_cut_file_gives_its_finished_chunks(writer: BagWriter, cut: int) -> None:
    writer.write(TOPIC, 1, text("first chunk"))
    writer.flush()
    size = writer.mcap.stat().st_size
    writer.write(TOPIC, 2, text("second chunk" * 100))
    writer.flush()
    whole = writer.mcap.read_bytes()  # as a kill leaves it: neither index nor metadata.yaml
    assert contents(writer.folder) == (["first chunk", "second chunk" * 100], False)
    writer.mcap.write_bytes(whole[: max(size, len(whole) - cut)])
    found, complete = contents(writer.folder)
    assert found[0] == "first chunk" and not complete


@pytest.mark.fault
def test_bags_that_are_not_compressed_are_as_safe(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag", compress=False)
    writer.add_topic(TOPIC, TYPE)
    writer.write(TOPIC, 1, text("safe" * 100))
    writer.flush()
    assert contents(writer.folder) == (["safe" * 100], False)
    assert b"safe" * 100 in writer.mcap.read_bytes()
    writer.close()
    assert contents(writer.folder) == (["safe" * 100], True)
    with AnyReader([writer.folder]) as reader:
        assert reader.message_count == 1


@pytest.mark.fault
def test_unflushed_messages_are_all_a_kill_loses(writer: BagWriter) -> None:
    writer.write(TOPIC, 1, text("safe"))
    writer.flush()
    writer.write(TOPIC, 2, text("lost"))
    assert contents(writer.folder) == (["safe"], False)


def test_repair_makes_a_whole_bag(writer: BagWriter, tmp_path: Path) -> None:
    writer.write(TOPIC, 1, text("safe"))
    writer.flush()
    assert repair(writer.folder, tmp_path / "whole") == 1
    assert contents(tmp_path / "whole") == (["safe"], True)
    with AnyReader([tmp_path / "whole"]) as reader:
        assert reader.message_count == 1


def test_single_file_replaces_the_folder(writer: BagWriter, tmp_path: Path) -> None:
    writer.write(TOPIC, 1, text("x"))
    writer.close()
    single_file(writer.folder, tmp_path / "run.mcap")
    assert not writer.folder.exists()
    assert contents(tmp_path / "run.mcap") == (["x"], True)
    with AnyReader([tmp_path / "run.mcap"]) as reader:
        assert reader.message_count == 1


def test_recordings_are_never_overwritten(writer: BagWriter) -> None:
    with pytest.raises(DataError, match="exists already"):
        BagWriter(writer.folder)


def test_a_folder_without_data_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .mcap file there.*njf explore"):
        BagReader(tmp_path)


def test_another_file_is_no_bag(tmp_path: Path) -> None:
    file = tmp_path / "x.mcap"
    file.write_bytes(b"not a bag at all")
    with pytest.raises(DataError, match="not an MCAP file"):
        list(BagReader(file).messages())


def test_missing_message_package_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag_module.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    with pytest.raises(ConfigError, match="njf_msgs not found"):
        bag_module._njf_msgs_folder()
