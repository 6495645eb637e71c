"""The picture of a recording is drawn, whatever is in the bag."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_bringup.bag_picture import draw_bag
from njf_training.recording.bag_report import make_bag_report
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
