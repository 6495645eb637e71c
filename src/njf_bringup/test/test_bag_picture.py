"""The picture of a recording is drawn, whatever is in the bag."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_bringup.bag_picture import draw_bag
from njf_training.bag import BagWriter, message_types
from njf_training.recording.bag_report import BagReport, make_bag_report
from njf_training.recording.statistics import BagStatistics, TopicCount

IMAGE = "sensor_msgs/msg/Image"


@pytest.mark.parametrize("cameras", [0, 1, 12])
def test_a_picture_is_written(tmp_path: Path, cameras: int) -> None:
    statistics = BagStatistics()
    for index in range(cameras):
        jitter = np.random.default_rng(index).integers(0, 5_000_000, 60)
        stamps = (np.arange(60) * 33_333_333 + jitter).tolist()
        count = TopicCount(IMAGE, len(stamps), 10**6, stamps)
        statistics.topics[f"/camera_{index}/image_raw"] = count
    report = make_bag_report(tmp_path, statistics, {}, True)
    draw_bag(report, statistics, tmp_path / "report.png")
    picture = cv2.imread(str(tmp_path / "report.png"))
    assert picture is not None and picture.std() > 5


def test_the_verb_writes_report_and_picture(tmp_path: Path) -> None:
    writer, kind = BagWriter(tmp_path / "bag"), "std_msgs/msg/String"
    writer.add_topic("/text", kind)
    text = message_types().types[kind](data="hello")
    writer.write("/text", 1, bytes(message_types().serialize_cdr(text, kind)))
    writer.close()
    command = [sys.executable, "-m", "njf_bringup.cli", "bag-report", "--bag", "bag"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "/text" in done.stdout and "1 messages" in done.stdout
    assert BagReport.load(tmp_path / "bag" / "bag.report.json").topics[0].messages == 1
    assert cv2.imread(str(tmp_path / "bag" / "bag.report.png")) is not None
    missing = [*command[:-1], "nowhere"]
    done = subprocess.run(missing, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 1 and "error: nowhere: no .mcap file" in done.stderr
