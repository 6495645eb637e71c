"""The quality report sees what is wrong with a recording."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_training.contact_sheet import flow_colors
from njf_training.convert import convert
from njf_training.states import ConvertOptions

INLINE = ConvertOptions(workers=1)


def test_a_good_recording_has_no_errors(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    report = convert(make_bag(trajectories=20), tmp_path / "dataset", INLINE)
    assert report.errors == [] and report.warnings == []
    assert (report.states, report.trajectories, report.pairs) == (80, 20, 60)
    assert report.test_pairs == 3
    assert sum(report.coverage["slide_x"]) == 80
    assert report.sync_error_ms["max"] == pytest.approx(0.002)
    assert sum(report.sync_histogram.values()) == 80
    assert report.flow_valid_share > 0.9
    assert report.mask_area_share["camera_0"] == pytest.approx(24 * 30 / (112 * 80), rel=0.15)


def test_report_and_contact_sheet_lie_in_the_dataset(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    report = convert(make_bag(trajectories=3), tmp_path / "dataset", INLINE)
    saved = json.loads((tmp_path / "dataset" / "report.json").read_text())
    assert saved["states"] == report.states == 12
    assert (tmp_path / "dataset" / "report.txt").read_text() == report.text() + "\n"
    sheet = cv2.imread(str(tmp_path / "dataset" / "contact_sheet.png"))
    assert sheet is not None and sheet.shape == (3 * 240, 5 * 320, 3)


def test_a_frozen_camera_is_an_error(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    report = convert(make_bag(frozen="camera_1"), tmp_path / "dataset", INLINE)
    assert report.duplicate_images > 20
    assert any("frozen" in error for error in report.errors)
    assert any(error.startswith("camera_1: the moving part") for error in report.errors)
    assert "ERROR" in report.text()


def test_drops_counted_by_the_recorder_appear(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    bag = make_bag(trajectories=2)
    (bag / "bag.json").write_text(json.dumps({"dropped": {"/camera_0/image_raw": 3, "/x": 1}}))
    report = convert(bag, tmp_path / "dataset", INLINE)
    assert report.dropped_messages == 4
    assert any("4 messages were dropped" in warning for warning in report.warnings)


def test_motion_while_images_were_taken_is_seen(
    make_bag: Callable[..., Path], tmp_path: Path
) -> None:
    report = convert(make_bag(moving=4), tmp_path / "dataset", INLINE)
    assert report.states_that_moved == 1
    assert any("moved while their images were taken" in warning for warning in report.warnings)


def test_few_trajectories_are_doubtful(make_bag: Callable[..., Path], tmp_path: Path) -> None:
    report = convert(make_bag(trajectories=1, steps=5), tmp_path / "dataset", INLINE)
    assert any("trajectories are few" in warning for warning in report.warnings)
    assert any("covers only" in warning for warning in report.warnings)


def test_flow_colors_mark_the_unknown_grey() -> None:
    flow = np.zeros((2, 2, 2))
    flow[0, 0] = (3.0, 0.0)
    flow[1, 1] = np.nan
    colors = flow_colors(flow)
    assert colors[1, 1].tolist() == [128, 128, 128]
    assert colors[0, 1].tolist() == [0, 0, 0]
    assert colors[0, 0].max() == 255
