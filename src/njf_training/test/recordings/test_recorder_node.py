"""The recorder on a live graph: streams, stills, crashes."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader

from njf_perception.bag import BagReader
from njf_perception.nodes.services import call, handshake
from njf_training.bag_contents import read_contents, read_images

pytestmark = pytest.mark.ros
MODULE = "njf_training.nodes.recorder"

Wait = Callable[..., None]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def record(start_process: Start, robot_file: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the recorder's process."""

    def start(
        output: Path, mode: str, transport: str = "raw", **options: Any
    ) -> subprocess.Popen[str]:
        parameters = {"robot_file": robot_file, "output": output, "mode": mode}
        parameters["image_transport"] = transport
        arguments = [a for k, v in parameters.items() for a in ("-p", f"{k}:={v}")]
        return start_process(MODULE, "--ros-args", *arguments, **options)

    return start


@pytest.fixture
def capture(spin: Callable[..., None]) -> Iterator[Callable[..., Any]]:
    """`capture(trajectory, step, ...)` calls the service and returns the response."""
    from rclpy.node import Node
    from rclpy.time import Time

    from njf_msgs.srv import Capture

    node = Node("asker")
    client = node.create_client(Capture, "capture")
    spin(node)

    def ask(trajectory: int, step: int, timeout_s: float = 20.0, ahead_s: float = 0.0) -> Any:
        handshake(node, "recorder", time.sleep, 60.0)
        not_before = node.get_clock().now().nanoseconds + int(ahead_s * 1e9)
        request = Capture.Request(trajectory=trajectory, step=step, timeout_s=timeout_s)
        request.not_before = Time(nanoseconds=not_before).to_msg()
        return call(client, request, time.sleep, timeout_s + 30.0), not_before

    yield ask


def finish(process: subprocess.Popen[str], signum: int = signal.SIGINT) -> str:
    process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


def counts(path: Path) -> Counter[str]:
    return Counter(message.topic for message in BagReader(path).messages())


def test_stills_are_written_with_their_label(
    fake_robot: Any, record: Start, capture: Callable[..., Any], tmp_path: Path
) -> None:
    process = record(tmp_path / "bag", "stills", stdout=subprocess.PIPE)
    asked = []
    for step in range(3):
        response, not_before = capture(4, step)
        assert response.success, response.message
        asked.append(not_before)
    table = finish(process)
    assert "3 captures, 0 failed" in table and "/capture_mark" in table
    contents = read_contents(tmp_path / "bag")
    assert contents.complete and contents.robot.name == "toy"
    assert [(mark.trajectory, mark.step) for mark in contents.marks] == [(4, 0), (4, 1), (4, 2)]
    for mark, not_before in zip(contents.marks, asked, strict=True):
        assert min(mark.image_stamps_ns.values()) >= not_before
        assert np.array_equal(mark.applied, fake_robot.position)
    assert len(list(read_images(contents))) == 9
    assert counts(tmp_path / "bag")["/camera_0/image_raw"] == 3
    assert np.allclose(contents.cameras[2].T_world_camera[:3, 3], [0.2, 0, 1])


def test_compressed_images_are_recorded_in_place_of_raw_ones(
    fake_robot: Any,
    record: Start,
    capture: Callable[..., Any],
    toy_picture: Callable[..., Any],
    tmp_path: Path,
) -> None:
    process = record(tmp_path / "bag", "stills", "compressed", stdout=subprocess.PIPE)
    assert capture(0, 0)[0].success
    finish(process)
    assert counts(tmp_path / "bag")["/camera_1/image_raw/compressed"] == 1
    assert counts(tmp_path / "bag")["/camera_1/image_raw"] == 0
    images = {name: image for name, _, image in read_images(read_contents(tmp_path / "bag"))}
    assert np.array_equal(images["camera_1"], toy_picture(1, fake_robot.position)[0])


def test_a_silent_camera_is_named(
    fake_robot: Any, record: Start, capture: Callable[..., Any], tmp_path: Path
) -> None:
    process = record(tmp_path / "bag", "stills", stdout=subprocess.PIPE)
    assert capture(0, 0)[0].success
    fake_robot.silent_cameras = {"camera_1"}
    response, _ = capture(0, 1, timeout_s=1.0, ahead_s=0.5)
    assert not response.success
    assert "camera_1" in response.message and "camera_0" not in response.message
    fake_robot.silent_cameras = set()
    assert capture(0, 2)[0].success
    assert "2 captures, 1 failed" in finish(process, signal.SIGTERM)


def test_images_without_a_label_are_not_captured(
    fake_robot: Any, record: Start, capture: Callable[..., Any], tmp_path: Path
) -> None:
    process = record(tmp_path / "bag", "stills", stdout=subprocess.PIPE)
    assert capture(0, 0)[0].success
    fake_robot.silent_driver = True
    response, _ = capture(0, 1, timeout_s=1.5, ahead_s=0.3)
    assert not response.success and "no command_applied" in response.message
    finish(process)
    assert len(read_contents(tmp_path / "bag").marks) == 1


def test_a_stream_reads_back_with_every_tool(
    fake_robot: Any, record: Start, wait_until: Wait, tmp_path: Path
) -> None:
    """Round trip through DDS into one plain file that mcap and rosbags both open."""
    process = record(tmp_path / "run.mcap", "stream", stdout=subprocess.PIPE)
    folder = tmp_path / "run"  # until the recording is closed
    wait_until(lambda: (folder / "run.mcap").exists(), 60.0, "the file")
    wait_until(lambda: counts(folder)["/camera_2/image_raw"] > 10, 60.0, "images")
    wait_until(lambda: counts(folder)["/command_applied"] > 20, 60.0, "labels")
    finish(process)
    written = counts(tmp_path / "run.mcap")
    assert written["/camera_0/camera_info"] > 10 and written["/command_applied"] > 20
    assert written["/tf_static"] == 1 and written["/safety_state"] > 5
    with (tmp_path / "run.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        images = [m for _, _, _, m in reader.iter_decoded_messages(topics=["/camera_0/image_raw"])]
    assert (images[0].width, images[0].height, images[0].encoding) == (112, 80, "rgb8")
    with AnyReader([tmp_path / "run.mcap"]) as reader:
        assert reader.message_count == sum(written.values())
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)


@pytest.mark.fault
def test_kill_9_loses_at_most_the_last_seconds(
    fake_robot: Any, record: Start, wait_until: Wait, tmp_path: Path
) -> None:
    process = record(tmp_path / "bag", "stream", stdout=subprocess.DEVNULL)
    bag = tmp_path / "bag"
    wait_until(
        lambda: (bag / "bag.mcap").exists() and counts(bag)["/camera_0/image_raw"] > 10,
        60.0,
        "images",
    )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed_ns = fake_robot.node.get_clock().now().nanoseconds
    assert not (bag / "metadata.yaml").exists()
    reader = BagReader(bag)
    messages = list(reader.messages())
    assert not reader.complete and "recovered" in reader.describe()
    assert all(reader.decode(message) is not None for message in messages)
    # One flush period, and generous room for a machine shared with others.
    assert killed_ns - messages[-1].time_ns < 5e9


@pytest.mark.fault
def test_wrong_parameters_end_it_with_one_sentence(record: Start, tmp_path: Path) -> None:
    process = record(tmp_path / "bag", "film", stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: mode is 'film'" in errors and "Traceback" not in errors
    assert not (tmp_path / "bag").exists()
