"""Reading transforms.json, action rules and track files: what is right, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_perception.errors import ConfigError, DataError
from njf_training.njf_import.actions import RULES, action_rule
from njf_training.njf_import.layout import read_layout
from njf_training.njf_import.tracks import PointTracks, motion, read_tracks


def test_files_of_a_frame_are_found_by_folder_not_by_text(published: Path) -> None:
    """The root's own path holds both "rgb" and "view_1"."""
    layout = read_layout(published)
    frame = next(f for f in layout.frames if (f.trajectory, f.frame, f.camera) == (3, 2, 2))
    assert frame.mask == published / "view_2" / "mask" / "00003_00002.npy" and frame.mask.is_file()
    assert frame.depth.is_file() and frame.flow("fwd")[0].is_file()
    assert [file.name for file in frame.tracks] == ["00003_001.npz"]
    assert read_layout(published / "transforms.json").frames[0].image == layout.frames[0].image


def write_json(folder: Path, **content: Any) -> Path:
    camera = {"transform_matrix": np.eye(4).tolist()}
    lens = {"fl_x": 600, "fl_y": 600, "cx": 320, "cy": 240, "h": 480, "w": 640}
    frame = {"file_path": "view_0/rgb/00000_00001.png", "camera_idx": 0, "joint_pos": [1.0]}
    complete = {"cameras": [camera], "frames": [frame], **lens, **content}
    (folder / "transforms.json").write_text(json.dumps(complete))
    return folder


def test_calibration_may_be_shared_by_all_cameras(tmp_path: Path) -> None:
    layout = read_layout(write_json(tmp_path, orientation_override="up"))
    assert layout.cameras[0].fl_x == 600 and layout.cameras[0].k1 == 0


FRAME = {"file_path": "view_0/rgb/00000_00001.png", "camera_idx": 0, "joint_pos": [1.0]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"frames": [{**FRAME, "camera_idx": 1}]}, "is said to be of camera 1"),
        ({"frames": [{**FRAME, "file_path": "view_0/color/1_2.png"}]}, "expected view_<c>/rgb/"),
        ({"frames": [FRAME, FRAME]}, "listed twice"),
        ({"frames": []}, "lists no frames"),
        ({"frames": [{**FRAME, "file_path": "view_3/rgb/0_1.png", "camera_idx": 3}]}, "1 cameras"),
        ({"frames": [{"file_path": "view_0/rgb/0_1.png", "camera_idx": 0}]}, "joint_pos"),
        ({"applied_scale": 0.8}, "scaled by 0.8"),
        ({"fl_x": 0}, "fl_x"),
        ({"cameras": [{"transform_matrix": [[1, 0, 0, 0], [0, 1], [0, 0, 1, 0]]}]}, "at least 4"),
        ({"cameras": [3]}, "not a mapping"),
        ({"cameras": 3}, "not iterable"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, content: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_layout(write_json(tmp_path, **content))


def test_no_description_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"transforms\.json: no such file"):
        read_layout(tmp_path)
    film = tmp_path / "film.mp4"
    film.touch()
    with pytest.raises(DataError, match=r"transforms\.json: no such file"):
        read_layout(film)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_layout(tmp_path / "folder.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "not valid JSON"), (b"\xff\xfe\x00", "not valid JSON"), (b"[1]", "holds a list")],
)
def test_what_is_no_description_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "transforms.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_layout(tmp_path)


@pytest.mark.parametrize(
    ("robot", "raw", "channels"),
    [
        ("allegro", 16, [1, 2, 5, 6, 9, 10, 14, 15]),
        ("poppy", 6, [0, 1, 2, 3, 4, 5]),
        ("pneumatic", 11, [0 + 1, 2 + 3, 4 + 5, 6 + 7, 8 + 9, 10]),
        ("pneumatic_arm", 6, [0, 1]),
        ("hsa", 4, [0, 1, 2, 3]),
    ],
)
def test_channels_of_the_published_robots(robot: str, raw: int, channels: list[float]) -> None:
    rule = RULES[robot]
    stored = np.arange(raw, dtype=np.float64)[None]
    assert rule.commands(stored).tolist() == [channels]
    names = rule.names(raw)
    assert len(set(names)) == len(channels)
    if rule.raw is not None:
        with pytest.raises(DataError, match=f"has {raw + 1} values, those of .* have {raw}"):
            rule.names(raw + 1)


def test_pair_sums_are_named_after_both() -> None:
    assert RULES["pneumatic"].names(11)[0] == "chamber_0_1"


def test_an_unknown_robot_is_told_which_are_known() -> None:
    with pytest.raises(ConfigError, match="unknown published robot 'finger'; known: allegro"):
        action_rule("finger")


def test_a_point_must_be_seen_in_both_frames_and_keeps_its_fraction() -> None:
    points = np.array([[[1.25, 2.5], [3.75, 4.5]], [[5, 6], [7, 8]], [[0, 0], [1, 1]]], np.float64)
    visible = np.array([[True, True], [False, True], [True, False]])
    starts, ends = motion([PointTracks(points, visible)], 0, 1)
    assert starts.tolist() == [[1.25, 2.5]] and ends.tolist() == [[3.75, 4.5]]


def test_files_of_other_query_frames_add_points() -> None:
    one = PointTracks(np.zeros((2, 3, 2)), np.ones((2, 3), bool))
    short = PointTracks(np.ones((5, 1, 2)), np.ones((5, 1), bool))
    assert len(motion([one, short], 0, 1)[0]) == 2
    assert len(motion([one, one], 1, 2)[0]) == 4
    assert len(motion([short], 0, 1)[0]) == 0


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: file.write_bytes(b"PK\x03\x04 cut off"), "expected the arrays tracks"),
        (lambda file: np.savez(file, tracks=np.zeros((2, 3, 2))), "expected the arrays tracks"),
        (
            lambda file: np.savez(file, tracks=np.zeros((2, 3, 2)), visibles=np.ones((2, 4))),
            r"visibles \(2, 4\)",
        ),
    ],
)
def test_damaged_tracks_are_named(
    tmp_path: Path, write: Callable[[Path], Any], message: str
) -> None:
    file = tmp_path / "00000_001.npz"
    write(file)
    with pytest.raises(DataError, match=message):
        read_tracks(file)
