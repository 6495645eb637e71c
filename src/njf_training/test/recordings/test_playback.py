"""A recording is played again: right names, right times, and nothing that moves a robot."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_perception.image_compression import Compression, compress_image
from njf_training.bag import BagWriter
from njf_training.recording.playback import Playback
from njf_training.recording.topics import match_topic, replayed_names

STEP_NS = 20_000_000
MakeBag = Callable[..., Path]
Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path, toy_messages: Any) -> Record:
    """`record(namespace, compressed)`: half a second of camera_0, driver and commands."""

    def write(namespace: str = "", transports: tuple[str, ...] = ("raw",)) -> Path:
        writer = BagWriter(tmp_path / "recording")
        types = {
            "camera_0/image_raw": "sensor_msgs/msg/Image",
            "camera_0/image_raw/compressed": "sensor_msgs/msg/CompressedImage",
            "command": "njf_msgs/msg/Command",
            "command_applied": "njf_msgs/msg/CommandApplied",
        }
        for name, kind in types.items():
            writer.add_topic(f"{namespace}/{name}", kind)
        writer.add_topic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray")
        header, zero = toy_messages.header, toy_messages.header(0).stamp
        for index in range(25):
            stamp = 10**9 + index * STEP_NS
            pixels = np.full((80, 112, 3), 8 * index, np.uint8)
            small = compress_image(pixels, Compression("png"))
            command = toy_messages.bytes_of(
                "njf_msgs/msg/Command",
                header=header(stamp),
                channel_names=["slide_x", "slide_y"],
                values=np.zeros(2),
                image_stamp=zero,
                source="then",
            )
            if "compressed" in transports:
                image = toy_messages.compressed(stamp, "frame", small)
                writer.write(f"{namespace}/camera_0/image_raw/compressed", stamp, image)
            if "raw" in transports:
                image = toy_messages.image(stamp, "frame", pixels)
                writer.write(f"{namespace}/camera_0/image_raw", stamp, image)
            writer.write(f"{namespace}/command", stamp, command)
            applied = toy_messages.applied(stamp, np.zeros(2))
            writer.write(f"{namespace}/command_applied", stamp, applied)
        writer.close()
        return tmp_path / "recording"

    return write


def test_commands_come_back_under_another_name(toy_robot: RobotConfig) -> None:
    names = replayed_names(toy_robot)
    assert names["command"] == "recorded/command"
    assert "command" not in names.values() and "joint_commands" not in names.values()
    assert names["camera_1/image_raw/compressed"] == "camera_1/image_raw"
    assert "/diagnostics" not in names and "/clock" not in names


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("/joint_states", "joint_states"),
        ("/lab/ground_truth/joint_states", "ground_truth/joint_states"),
        ("/lab/camera_0/image_raw", "camera_0/image_raw"),
        ("/tf_static", "/tf_static"),
        ("/lab/tf_static", None),
        ("/my_joint_states", None),
    ],
)
def test_topics_are_known_in_any_namespace(
    toy_robot: RobotConfig, topic: str, name: str | None
) -> None:
    assert match_topic(topic, replayed_names(toy_robot)) == name


@pytest.mark.parametrize("namespace", ["", "/lab"])
def test_messages_are_due_as_they_were_recorded(
    record: Record, toy_robot: RobotConfig, namespace: str
) -> None:
    playback = Playback(record(namespace), toy_robot, rate=2.0)
    due = list(playback)
    assert {item.name for item in due} == {
        "camera_0/image_raw",
        "recorded/command",
        "command_applied",
    }
    assert playback.duration_s == pytest.approx(0.48)
    assert due[0].after_s == 0 and due[-1].after_s == pytest.approx(0.24)
    assert due[-1].clock_ns == 10**9 + 24 * STEP_NS


@pytest.mark.parametrize(
    ("transports", "leaf"),
    [(("raw", "compressed"), "image_raw"), (("compressed",), "compressed")],
)
def test_compressed_images_stand_in_for_raw_ones_only(
    record: Record, toy_robot: RobotConfig, transports: tuple[str, ...], leaf: str
) -> None:
    images = [d for d in Playback(record("", transports), toy_robot) if "image" in d.name]
    assert len(images) == 25
    assert {d.message.topic.split("/")[-1] for d in images} == {leaf}


def test_another_robots_recording_is_refused(record: Record, toy_robot: RobotConfig) -> None:
    first, *others = toy_robot.cameras
    cameras = [first.model_copy(update={"name": "eye"}), *others]
    with pytest.raises(DataError, match="no images of 'eye'.*/camera_0/image_raw.*Name the robot"):
        Playback(record(), toy_robot.model_copy(update={"cameras": cameras}))


@pytest.mark.ros
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_the_player_publishes_sensors_and_clock_but_no_command(
    record: Record, robot_file: Path, transport: str, spin: Callable[..., None], wait_until: Any
) -> None:
    from rclpy.lifecycle import TransitionCallbackReturn
    from rclpy.node import Node
    from rclpy.parameter import Parameter
    from rclpy.qos import qos_profile_sensor_data
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image

    from njf_msgs.msg import Command
    from njf_training.nodes.player import PlayerNode

    values = {"robot_file": str(robot_file), "bag": str(record("/lab", (transport,)))}
    player = PlayerNode([Parameter(name, value=value) for name, value in values.items()])
    listener, images, clocks, commands = Node("listener"), [], [], []
    listener.create_subscription(
        Image, "camera_0/image_raw", images.append, qos_profile_sensor_data
    )
    listener.create_subscription(Clock, "/clock", clocks.append, qos_profile_sensor_data)
    listener.create_subscription(Command, "recorded/command", commands.append, 30)
    assert player.trigger_configure() == TransitionCallbackReturn.SUCCESS
    spin(listener)
    assert player.trigger_activate() == TransitionCallbackReturn.SUCCESS
    deadline_s = time.monotonic() + 60
    while not player._ended and time.monotonic() < deadline_s:
        time.sleep(0.05)
    wait_until(lambda: len(images) > 5 and len(commands) > 5)
    assert listener.count_publishers("command") == 0
    assert listener.count_publishers("recorded/command") == 1
    assert images[0].encoding == "rgb8" and images[0].header.frame_id == "frame"
    levels = [image.data[0] for image in images]
    assert levels == sorted(levels) and set(levels) <= set(range(0, 200, 8))
    times = [clock.clock.sec * 10**9 + clock.clock.nanosec for clock in clocks]
    assert times == sorted(times) and times[0] >= 10**9 and times[-1] <= 10**9 + 24 * STEP_NS
    player.destroy_node()


@pytest.mark.ros
def test_a_player_without_a_bag_says_so(robot_file: Path, ros_context: None) -> None:
    from rclpy.lifecycle import TransitionCallbackReturn
    from rclpy.parameter import Parameter

    from njf_training.nodes.player import PlayerNode

    player = PlayerNode([Parameter("robot_file", value=str(robot_file))])
    assert player.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "bag is empty" in player.refusal
    player.destroy_node()
