"""The report of a recording finds what was lost, repeated, frozen, apart and clipped."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_training.bag import BagWriter, report_file
from njf_training.recording.bag_report import (
    BagReport,
    make_bag_report,
    read_bag_report,
    sync_errors_ms,
)
from njf_training.recording.messages import info_message
from njf_training.recording.session import Recording
from njf_training.recording.statistics import BagStatistics

PERIOD_NS = 50_000_000
IMAGE, APPLIED = "sensor_msgs/msg/Image", "njf_msgs/msg/CommandApplied"
COMMAND = "njf_msgs/msg/Command"
RNG = np.random.default_rng(0)


class Stream:
    """A recording in the making."""

    def __init__(self, messages: Any, robot: RobotConfig) -> None:
        self.messages, self.statistics = messages, BagStatistics()
        self.take("/recording_info", "std_msgs/msg/String", 1, info_message(robot, "stream"))

    def take(self, topic: str, type_name: str, time_ns: int, data: bytes) -> None:
        self.statistics.take(topic, type_name, time_ns, data)

    def images(self, camera: str, stamps_ns: Sequence[int], frozen: Sequence[int] = ()) -> None:
        pixels = np.zeros((4, 4, 3), np.uint8)
        for index, stamp in enumerate(stamps_ns):
            if index not in frozen:
                pixels = RNG.integers(0, 256, (4, 4, 3), np.uint8)
            data = self.messages.image(stamp, camera, pixels)
            self.take(f"/{camera}/image_raw", IMAGE, stamp, data)

    def command(self, time_ns: int, values: Sequence[float]) -> None:
        header, zero = self.messages.header(time_ns), self.messages.header(0).stamp
        data = self.messages.bytes_of(
            COMMAND,
            header=header,
            channel_names=["slide_y", "slide_x"],  # not the driver's order
            values=np.array(values[::-1], float),
            image_stamp=zero,
            source="test",
        )
        self.take("/command", COMMAND, time_ns, data)

    def cycle(self, time_ns: int, values: Sequence[float], bits: int = 0) -> None:
        header, wanted = self.messages.header(time_ns), np.array(values, float)
        data = self.messages.bytes_of(
            APPLIED,
            header=header,
            channel_names=["slide_x", "slide_y"],
            requested=wanted,
            applied=wanted,
            measured=wanted,
            alterations=np.array([0, bits], np.uint8),
            reason="",
            image_stamp=self.messages.header(0).stamp,
        )
        self.take("/command_applied", APPLIED, time_ns, data)

    def report(self, rate_hz: float | None = None, **dropped: int) -> Any:
        lost = {f"/{name}/image_raw": count for name, count in dropped.items()}
        return make_bag_report(Path("bag"), self.statistics, lost, True, rate_hz)


@pytest.fixture
def stream(toy_messages: Any, toy_robot: RobotConfig) -> Stream:
    return Stream(toy_messages, toy_robot)


def of(report: Any, topic: str) -> Any:
    return next(found for found in report.topics if found.topic == topic)


def test_gaps_are_counted_with_what_would_have_filled_them(stream: Stream) -> None:
    stamps = [PERIOD_NS * i for i in range(40) if i not in (7, 20, 21, 22)]
    stream.images("camera_0", stamps)
    found = of(stream.report(camera_0=5), "/camera_0/image_raw")
    assert (found.gaps, found.missing, found.dropped, found.messages) == (2, 4, 5, 36)
    assert found.rate_hz == pytest.approx(20)
    assert stream.report(camera_0=5).missing_images == 9


def test_a_late_image_is_not_a_missing_one(stream: Stream) -> None:
    stamps = [PERIOD_NS * i for i in range(40)]
    stamps[20] = stamps[21] - 5_000_000
    stream.images("camera_0", stamps)
    found = of(stream.report(), "/camera_0/image_raw")
    assert (found.gaps, found.missing) == (1, 0)


def test_the_expected_rate_shows_a_camera_that_sends_every_second_image(stream: Stream) -> None:
    stream.images("camera_0", [2 * PERIOD_NS * i for i in range(20)])
    assert of(stream.report(), "/camera_0/image_raw").missing == 0
    assert of(stream.report(rate_hz=20.0), "/camera_0/image_raw").missing == 19


def test_repeated_stamps_and_frozen_images_are_counted(stream: Stream) -> None:
    stamps = [PERIOD_NS * i for i in (0, 1, 1, 2, 3, 4, 3, 5)]
    stream.images("camera_0", stamps, frozen=(4, 5))
    found = of(stream.report(), "/camera_0/image_raw")
    assert (found.repeated, found.unchanged) == (2, 2)


def test_cameras_are_compared_by_their_nearest_images(stream: Stream) -> None:
    begin = 10 * PERIOD_NS
    base = [begin + PERIOD_NS * i for i in range(100)]
    stream.images("camera_0", base)
    stream.images("camera_1", [stamp + 3_000_000 for stamp in base])
    late = [stamp - 8_000_000 if i % 10 == 0 else stamp for i, stamp in enumerate(base)]
    stream.images("camera_2", late)
    report = stream.report()
    assert report.cameras == ["camera_0", "camera_1", "camera_2"]
    assert report.sync_ms["p50"] == pytest.approx(3)
    assert report.sync_ms["max"] == pytest.approx(8)
    assert report.sync_histogram["below 5 ms"] == 90 and report.sync_histogram["below 10 ms"] == 9
    assert len(sync_errors_ms(stream.statistics)) == 99, "only while all three ran"
    assert "█" in report.text() and "3.0 ms (p50)" in report.text()


def test_one_camera_is_not_compared(stream: Stream) -> None:
    stream.images("camera_0", [PERIOD_NS * i for i in range(5)])
    assert stream.report().sync_ms == {} and "apart" not in stream.report().text()


def test_commands_are_told_by_what_the_driver_did_with_them(stream: Stream) -> None:
    second = 10**9
    for index, (values, bits) in enumerate(
        [([0.1, 0.1], 0), ([0.9, 0.2], 2), ([0.3, 5.0], 1), ([0.2, 0.2], 3)]
    ):
        stream.command(index * second, values)
        stream.cycle(index * second + 20_000_000, values, bits)
        stream.cycle(index * second + 40_000_000, values, 0)
    stream.command(4 * second, [float("nan"), 0.0])
    stream.cycle(4 * second + 20_000_000, [0.2, 0.2], 8)
    stream.command(6 * second, [0.7, 0.7])
    stream.cycle(6 * second + 20_000_000, [0.2, 0.2], 4)
    found = stream.report().commands
    assert (found.commands, found.range_limited, found.rate_limited) == (6, 2, 1)
    assert (found.rejected, found.unanswered, found.clipped) == (1, 1, 3)
    assert "6 commands: 3 clipped" in stream.report().text()


def test_without_commands_nothing_is_said_of_them(stream: Stream) -> None:
    stream.cycle(5, [0.0, 0.0])
    assert stream.report().commands is None


def test_stills_are_apart_by_their_marks_and_have_no_rate(make_bag: Callable[..., Path]) -> None:
    bag = make_bag(trajectories=2)
    report, _ = read_bag_report(bag)
    assert (report.robot, report.mode, report.complete) == ("toy", "stills", True)
    assert report.sync_ms["max"] == pytest.approx(0.002)
    image = of(report, "/camera_0/image_raw")
    assert (image.messages, image.rate_hz, image.missing) == (8, None, 0)


def test_the_recorder_saves_the_report_that_the_bag_gives(
    tmp_path: Path, toy_robot: RobotConfig, toy_messages: Any
) -> None:
    bag = tmp_path / "bag"
    recording = Recording(toy_robot, bag, "stream", lambda n: n if n[0] == "/" else f"/{n}")
    for index in range(20):
        stamp = index * PERIOD_NS + (index > 9) * 2 * PERIOD_NS
        pixels = RNG.integers(0, 256, (4, 4, 3), np.uint8)
        image = toy_messages.image(stamp, "camera_0", pixels)
        recording.write("camera_0/image_raw", stamp + 1, image)
    recording.close()
    saved = json.loads(report_file(bag).read_text())
    read, _ = read_bag_report(bag)
    assert BagReport.load(report_file(bag)) == read
    read.save(tmp_path / "again.json")
    assert saved == json.loads((tmp_path / "again.json").read_text())
    assert of(read, "/camera_0/image_raw").missing == 2


@pytest.mark.fault
def test_a_bag_that_was_not_closed_says_so(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "cut")
    writer.add_topic("/t", "std_msgs/msg/String")
    writer.flush()
    report, _ = read_bag_report(tmp_path / "cut")
    assert not report.complete and "not closed properly" in report.text()
