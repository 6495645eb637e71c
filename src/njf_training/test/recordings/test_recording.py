"""Recording without a graph: stamps, stills, the writing thread and the summary."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_perception.bag import BagReader, header_stamp_ns
from njf_perception.errors import ConfigError, DataError
from njf_training.bag import BagWriter
from njf_training.recording import thread as thread_module
from njf_training.recording.messages import mark_message
from njf_training.recording.session import Recording
from njf_training.recording.stills import StillPicker
from njf_training.recording.thread import RecordingThread
from njf_training.recording.topics import recorded_topics

PIXELS = np.zeros((4, 4, 3), np.uint8)


def absolute(name: str) -> str:
    return name if name.startswith("/") else f"/robot_1/{name}"


@pytest.mark.parametrize("stamp_ns", [0, 1, 999_999_999, 1_795_216_405_814_387_936])
def test_stamp_is_read_without_decoding(toy_messages: Any, stamp_ns: int) -> None:
    assert header_stamp_ns(toy_messages.image(stamp_ns, "frame", PIXELS)) == stamp_ns


def test_stamp_of_a_big_endian_message(toy_messages: Any) -> None:
    big = bytes([0, 0, 0, 0]) + (7).to_bytes(4, "big") + (5).to_bytes(4, "big")
    assert header_stamp_ns(big) == 7_000_000_005


def test_everything_a_dataset_needs_is_recorded(toy_robot: RobotConfig) -> None:
    names = {topic.name for topic in recorded_topics(toy_robot)}
    assert names >= {"camera_2/image_raw", "camera_2/camera_info", "/tf_static", "command_applied"}


def test_the_first_image_after_standstill_of_each_camera_is_taken(toy_messages: Any) -> None:
    picker = StillPicker(["left", "right"])
    for stamp_ns in (10, 20, 30):
        picker.offer("left", stamp_ns + 1, toy_messages.image(stamp_ns, "l", PIXELS))
    assert picker.pick(15) is None
    assert picker.silent(15) == ["right"]
    picker.offer("right", 40, toy_messages.image(26, "r", PIXELS))
    picked = picker.pick(15)
    assert picked is not None
    assert {name: still.stamp_ns for name, still in picked.items()} == {"left": 20, "right": 26}
    assert picked["left"].received_ns == 21


def test_mark_reads_back(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "bag")
    writer.add_topic("/capture_mark", "njf_msgs/msg/CaptureMark")
    writer.write("/capture_mark", 1, mark_message(2, 3, 4, ["a"], [0.5], {"camera_0": 5 * 10**9}))
    writer.close()
    reader = BagReader(tmp_path / "bag")
    (mark,) = [reader.decode(m) for m in reader.messages()]
    assert (mark.trajectory, mark.step, list(mark.applied)) == (3, 4, [0.5])
    assert mark.camera_names == ["camera_0"]
    assert mark.image_stamps[0].sec == 5


def test_a_full_queue_drops_and_counts(
    tmp_path: Path, toy_messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_module, "QUEUE_LIMIT_BYTES", 1000)
    writer = BagWriter(tmp_path / "bag")
    writer.add_topic("/a", "std_msgs/msg/String")
    monkeypatch.setattr(writer, "write", lambda *_: time.sleep(0.2))
    thread = RecordingThread(writer)
    kept = [thread.put("/a", 1, bytes(400)) for _ in range(6)]
    assert kept[:2] == [True, True] and not all(kept)
    assert thread.dropped["/a"] == kept.count(False)
    thread.close()
    assert thread.written["/a"] == kept.count(True)
    assert not thread.put("/a", 1, b"")


@pytest.mark.fault
def test_a_failing_disc_is_reported_not_hidden(
    tmp_path: Path, toy_robot: RobotConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(BagWriter, "write", full)
    recording = Recording(toy_robot, tmp_path / "bag", "stills", absolute)
    with pytest.raises(DataError, match="No space left"):
        recording.close()


def test_messages_reach_the_file_within_the_flush_period(
    tmp_path: Path, toy_robot: RobotConfig, toy_messages: Any
) -> None:
    recording = Recording(toy_robot, tmp_path / "bag", "stream", absolute)
    assert recording.write("/tf_static", 1, toy_messages.static_transforms(1))
    deadline_s = time.monotonic() + 20
    while not any(m.topic == "/tf_static" for m in BagReader(tmp_path / "bag").messages()):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    recording.close()


def test_summary_is_written_beside_the_bag_and_printed(
    tmp_path: Path, toy_robot: RobotConfig, toy_messages: Any
) -> None:
    recording = Recording(toy_robot, tmp_path / "bag", "stills", absolute)
    for _ in range(3):
        recording.write("command_applied", 1, toy_messages.applied(1, np.zeros(2)))
    recording.captures = 2
    line = recording.close().line()
    saved = json.loads((tmp_path / "bag" / "bag.json").read_text())
    assert saved["messages"] == {"/robot_1/recording_info": 1, "/robot_1/command_applied": 3}
    assert (saved["robot"], saved["captures"]) == ("toy", 2)
    assert "4 messages" in line and "2 captures" in line


def test_a_name_ending_in_mcap_gives_one_plain_file(tmp_path: Path, toy_robot: RobotConfig) -> None:
    Recording(toy_robot, tmp_path / "run.mcap", "stream", absolute).close()
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"run.mcap", "run.json", "run.report.json"}
    assert [m.topic for m in BagReader(tmp_path / "run.mcap").messages()] == [
        "/robot_1/recording_info"
    ]


def test_wrong_mode_and_existing_output_are_refused(tmp_path: Path, toy_robot: RobotConfig) -> None:
    with pytest.raises(ConfigError, match="'film'.*stills.*stream"):
        Recording(toy_robot, tmp_path / "bag", "film", absolute)
    with pytest.raises(DataError, match="exists already"):
        Recording(toy_robot, tmp_path, "stills", absolute)
