"""Sightings in a file: what is read is what was seen."""

import json
from pathlib import Path

import numpy as np
import pytest

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.sightings import load_sightings, sightings_text
from njf_perception.calibration.views import View
from njf_perception.errors import ConfigError, NjfError

K = np.array([[611.3, 0, 318.2], [0, 612.9, 241.7], [0, 0, 1]])
LENSES = {
    "a": Lens(640, 480, K, np.arange(4) / 7, "equidistant"),
    "b": Lens(640, 480, np.full((3, 3), np.nan), np.zeros(0)),
}
SEEN = Sighting(np.array([3, 7]), np.arange(16.0).reshape(2, 4, 2) / 3, 0.7, (55,))
NOTHING = Sighting(np.zeros(0, np.int64), np.zeros((0, 4, 2)), mirrored=True)
VIEWS = [View("a", "0000100", SEEN), View("b", "0000100", NOTHING)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sightings.json"
    path.write_text(sightings_text(LENSES, VIEWS))
    return path


def test_sightings_read_back_exactly(path: Path) -> None:
    lenses, views = load_sightings(path, Board())
    np.testing.assert_array_equal(lenses["a"].K, K)
    np.testing.assert_array_equal(lenses["a"].distortion, LENSES["a"].distortion)
    assert (lenses["a"].width, lenses["a"].height, lenses["a"].model) == (640, 480, "equidistant")
    assert not lenses["b"].K.any()  # uncalibrated, as camera_info says it
    for read, view in zip(views, VIEWS, strict=True):
        assert (read.camera, read.instant) == (view.camera, view.instant)
        np.testing.assert_array_equal(read.sighting.ids, view.sighting.ids)
        np.testing.assert_array_equal(read.sighting.corners_px, view.sighting.corners_px)
        assert read.sighting.blur_px == view.sighting.blur_px
        assert read.sighting.foreign_ids == view.sighting.foreign_ids
        assert read.sighting.mirrored == view.sighting.mirrored


def test_another_board_is_refused(path: Path) -> None:
    with pytest.raises(NjfError, match=r"shows tags 7, which are not on this board \(ids 0 to 5\)"):
        load_sightings(path, Board(columns=2, rows=3))


def test_files_that_are_none_are_refused(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["cameras"]["b"]
    path.write_text(json.dumps(content))
    with pytest.raises(NjfError, match="b at 0000100: without camera_info"):
        load_sightings(path, Board())
    path.write_text(json.dumps(content | {"when": "today"}))
    with pytest.raises(ConfigError, match="unknown key 'when'"):
        load_sightings(path, Board())
    path.write_text("no JSON")
    with pytest.raises(ConfigError, match=r"sightings\.json cannot be read: .*folder of images"):
        load_sightings(path, Board())
