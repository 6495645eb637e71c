"""`ros2 bag` records and plays what this project's recorder and player do."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from njf_bringup.paths import robot_file, root
from njf_bringup.ros2_bag import play_command, record_command, write_qos
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import ConfigError, DataError
from njf_perception.image_compression import Compression, compress_image
from njf_training.bag import BagWriter, message_types
from njf_training.recording.topics import recorded_topics


@pytest.fixture
def robot() -> RobotConfig:
    return load_robot(robot_file("finger"))


def write_bag(folder: Path, image_topic: str) -> Path:
    """One image and one command."""
    types, store = message_types().types, message_types()
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 0), "")
    small = compress_image(np.zeros((4, 4, 3), np.uint8), Compression())
    compressed = types["sensor_msgs/msg/CompressedImage"](header, small.format, small.data)
    raw = types["sensor_msgs/msg/Image"](header, 4, 4, "rgb8", 0, 12, np.zeros(48, np.uint8))
    message = compressed if image_topic.endswith("compressed") else raw
    zero = types["builtin_interfaces/msg/Time"](0, 0)
    command = types["njf_msgs/msg/Command"](header, ["a"], np.zeros(1), zero, "")
    writer = BagWriter(folder)
    for topic, content in ((image_topic, message), ("/command", command)):
        kind = content.__msgtype__
        writer.add_topic(topic, kind)
        writer.write(topic, 10**9, bytes(store.serialize_cdr(content, kind)))
    writer.close()
    return folder


def values(command: list[str], option: str) -> list[str]:
    """What follows an option, up to the next one."""
    rest = command[command.index(option) + 1 :]
    end = next((i for i, text in enumerate(rest) if text.startswith("--")), len(rest))
    return rest[:end]


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_the_recorders_topics_are_recorded(
    robot: RobotConfig, tmp_path: Path, transport: str
) -> None:
    qos = tmp_path / "run" / "qos.yaml"
    write_qos(qos, robot, transport, "lab")
    command = record_command(robot, tmp_path / "bag", transport, "lab", qos)
    assert command[:3] == ["ros2", "bag", "record"]
    assert values(command, "--storage") == ["mcap"]
    topics = values(command, "--topics")
    expected = [topic.name for topic in recorded_topics(robot, transport)]
    assert topics == [n if n[0] == "/" else f"/lab/{n}" for n in [*expected, "capture_mark"]]
    profile = {"raw": "zstd_fast", "compressed": "fastwrite"}[transport]
    assert values(command, "--storage-preset-profile") == [profile]
    overrides = yaml.safe_load(qos.read_text())
    images = {topic for topic in topics if "image_raw" in topic}
    assert images and set(overrides) == set(topics) - images - {"/lab/capture_mark"}
    assert overrides["/tf_static"]["durability"] == "transient_local"
    assert overrides["/lab/command"]["reliability"] == "reliable"
    with pytest.raises(ConfigError, match="makes a folder"):
        record_command(robot, tmp_path / "bag.mcap", transport, "", qos)


def test_commands_are_played_under_another_name(robot: RobotConfig, tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", "/camera_0/image_raw")
    command = play_command(robot, bag, 0.5, "lab")
    assert command[:4] == ["ros2", "bag", "play", str(bag)]
    assert values(command, "--clock") == ["100"] and values(command, "--rate") == ["0.5"]
    assert set(values(command, "--topics")) == {"/camera_0/image_raw", "/command"}
    assert set(values(command, "--remap")) == {
        "/camera_0/image_raw:=/lab/camera_0/image_raw",
        "/command:=/lab/recorded/command",
    }


def test_compressed_images_are_left_to_the_player_that_unpacks_them(
    robot: RobotConfig, tmp_path: Path
) -> None:
    bag = write_bag(tmp_path / "bag", "/camera_0/image_raw/compressed")
    with pytest.raises(DataError, match="is compressed.*njf replay"):
        play_command(robot, bag, 1.0, "")


def entities_of(name: str, **arguments: str) -> list[Any]:
    """The actions that a launch file comes down to."""
    pytest.importorskip("launch_ros", reason="launch_ros has no wheel; a ROS installation has it")
    from launch import LaunchContext

    spec = importlib.util.spec_from_file_location("a_launch_file", root() / "launch" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    entities = module.generate_launch_description().entities
    return [action for entity in entities for action in entity.visit(context) or []]


def test_recording_is_one_process(tmp_path: Path) -> None:
    from_launch = entities_of(
        "record.launch.py", bag=str(tmp_path / "bag"), run_dir=str(tmp_path / "run")
    )
    (process,) = from_launch
    texts = [part[0].text for part in process.cmd]
    assert texts[:3] == ["ros2", "bag", "record"] and "/command_applied" in texts
    assert (tmp_path / "run" / "recording_qos.yaml").is_file()


def test_a_replay_has_every_node_but_the_player(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", "/camera_0/image_raw")
    actions = entities_of("replay.launch.py", play_bag=str(bag), run_dir=str(tmp_path / "run"))
    from launch_ros.actions import Node

    names = [action.node_executable for action in actions if isinstance(action, Node)]
    assert names == ["perception", "jacobian_field", "shadow", "visualizer"]
