"""The imported dataset has the scene's own geometry, motion and set-points, in all its variants."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from njf_control.robot import load_robot
from njf_perception.camera import Camera, invert, transform
from njf_perception.errors import DataError
from njf_training.check import check_dataset
from njf_training.dataset import Dataset
from njf_training.njf_import import job
from njf_training.njf_import.options import ImportOptions
from njf_training.njf_import.write import import_published

REACH_M, PLATE_Z_M = 0.1, 0.08
LENS = (-0.12, 0.05, 0.002, -0.003, 0.0)
BARE: tuple[str, ...] = ()


def options(**changes: Any) -> ImportOptions:
    return ImportOptions(**{"workers": 1, "held_out": 1, "tracks": 32, **changes})


def imported(root: Path | list[Path], out: Path, **changes: Any) -> Dataset:
    roots = root if isinstance(root, list) else [root]
    import_published(roots, "pneumatic_arm", out, options(**changes))
    return Dataset.open(out)


def center(dataset: Dataset, state: int) -> np.ndarray:
    """Middle of the plate from what the dataset says was commanded [m]."""
    return np.array([*(REACH_M * dataset.commands[state]), PLATE_Z_M])


def pixel(camera: Camera, point: np.ndarray) -> np.ndarray:
    return camera.project(transform(invert(camera.T_world_camera), point[None]))[0]


def on_plate(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """World points of the plate's plane under pixels [m]."""
    rays = camera.rays(pixels.astype(np.float64)) @ camera.T_world_camera[:3, :3].T
    eye = camera.T_world_camera[:3, 3]
    return eye + rays * ((PLATE_Z_M - eye[2]) / rays[:, 2])[:, None]


def motion_error_px(
    dataset: Dataset, row: int, camera: int, pixels: np.ndarray, flow: np.ndarray
) -> np.ndarray:
    """Distance of flow at pixels of the plate from the plate's own motion."""
    view = dataset.cameras[camera].camera
    before, after = dataset.pairs[row]
    moved = on_plate(view, pixels) + center(dataset, after) - center(dataset, before)
    expected = view.project(transform(invert(view.T_world_camera), moved)) - pixels
    return np.linalg.norm(flow - expected, axis=-1)


@pytest.fixture(scope="module")
def variants(
    published: Path, publish: Callable[..., Path], make_scene: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Dataset]:  # fmt: skip
    """Everything as published, and from distorted images, reduced."""
    folder = tmp_path_factory.mktemp("variants")
    bent = publish(folder / "bent", make_scene(distortion=LENS))
    return {
        "plain": imported(published, folder / "plain"),
        "both": imported(bent, folder / "both", reduce=2),
    }


@pytest.fixture(params=["plain", "both"])
def dataset(request: pytest.FixtureRequest, variants: dict[str, Dataset]) -> Dataset:
    return variants[request.param]


def test_the_plate_is_where_the_cameras_say(dataset: Dataset) -> None:
    """In every view the projection of its middle is the middle of its mask, at the right depth."""
    assert dataset.depth is not None
    for column, camera in enumerate(dataset.cameras):
        view = camera.camera
        offsets = []
        for state in range(0, 24, 5):
            middle = center(dataset, state)
            mask = dataset.mask(state, column)
            corners = [
                pixel(view, middle + [x, y, 0]) for x in (-0.09, 0.09) for y in (-0.07, 0.07)
            ]
            low, high = np.min(corners, 0), np.max(corners, 0)
            rows, columns = np.nonzero(mask)
            offsets += [columns.min() - low[0], rows.min() - low[1]]
            offsets += [columns.max() - high[0], rows.max() - high[1]]
            u, v = pixel(view, middle)
            r, c = round((v - 0.5) / 2), round((u - 0.5) / 2)
            hit = on_plate(view, np.array([[2 * c + 0.5, 2 * r + 0.5]]))
            true = transform(invert(view.T_world_camera), hit)[0, 2]
            assert dataset.depth[state, column, r, c] == pytest.approx(true, abs=0.006)
        assert np.abs(offsets).max() < 2.0  # of a corner, on the grid of pixels
        assert abs(np.mean(offsets)) < 0.35  # no shift by half a pixel


def test_two_views_show_the_same_points_of_the_plate(variants: dict[str, Dataset]) -> None:
    dataset = variants["plain"]
    state, (a, b) = 2, (dataset.cameras[0].camera, dataset.cameras[1].camera)
    ground = center(dataset, state) + [[x, y, 0] for x in (-0.05, 0, 0.05) for y in (-0.04, 0.04)]
    colors = []
    for column, view in ((0, a), (1, b)):
        pixels = view.project(transform(invert(view.T_world_camera), ground))
        image = dataset.images[state, column].astype(np.float32)
        u, v = pixels.astype(np.float32).T
        colors.append(cv2.remap(image, u[:, None], v[:, None], cv2.INTER_LINEAR)[:, 0])
    assert np.abs(colors[0] - colors[1]).mean() < 8
    assert np.std(colors[0], axis=0).mean() > 15  # where it matters which point it is


def test_tracks_are_the_plates_motion_to_a_fraction_of_a_pixel(dataset: Dataset) -> None:
    tracks = dataset.tracks
    assert tracks is not None and tracks.shape == (18, 3, 64, 4)
    assert np.isnan(tracks[:, 2]).all()  # held out
    for row in range(0, 18, 4):
        for camera in range(2):
            moved = tracks[row, camera, :32]
            moved = moved[np.isfinite(moved).all(1)]
            assert len(moved) >= 20
            assert motion_error_px(dataset, row, camera, moved[:, :2], moved[:, 2:]).max() < 0.01
            still = tracks[row, camera, 32:]
            assert (still[:, 2:] == 0).all()
            u, v = still[:, :2].astype(int).T
            assert not dataset.mask(int(dataset.pairs[row, 0]), camera)[v, u].any()


def test_given_flow_is_the_plates_motion(dataset: Dataset) -> None:
    for row in range(0, 18, 5):
        for camera in range(3):
            flow = dataset.flow[row, camera].astype(float)
            r, c = np.nonzero(inner_mask(dataset, row, camera)[::2, ::2][: len(flow)])
            pixels = np.stack([2 * c + 0.5, 2 * r + 0.5], axis=1)
            error = motion_error_px(dataset, row, camera, pixels, flow[r, c])
            assert np.nanmedian(error) < 0.02 and np.nanmax(error) < 0.2


def inner_mask(dataset: Dataset, row: int, camera: int) -> np.ndarray:
    mask = dataset.mask(int(dataset.pairs[row, 0]), camera).astype(np.uint8)
    size = 7 if mask.shape[1] > 60 else 3
    return cv2.erode(mask, np.ones((size, size), np.uint8)).astype(bool)


def test_the_dataset_can_be_trained_on(variants: dict[str, Dataset]) -> None:
    dataset = variants["plain"]
    robot = load_robot(dataset.folder / "robot.yaml")
    check_dataset(dataset, robot)
    assert [camera.role for camera in dataset.cameras] == ["control", "training", "held_out"]
    assert robot.channel_names == ["joint_0", "joint_1"]
    low, high = np.array(robot.workspace_min_m), np.array(robot.workspace_max_m)
    path = np.array([center(dataset, state) for state in range(24)])
    assert (low < path.min(0) - [0.08, 0.06, 0]).all() and (high > path.max(0) + 0.0).all()
    assert (high - low < [0.5, 0.5, 0.4]).all()


def test_what_is_not_given_is_computed(
    publish: Callable[..., Path], tmp_path: Path, published: Path, variants: dict[str, Dataset]
) -> None:
    report = import_published(
        [publish(tmp_path / "bare", given=BARE)], "pneumatic_arm", tmp_path / "out", options()
    )
    assert (report.given_masks, report.given_flow, report.pairs_without_tracks) == (0, 0, None)
    dataset, truth = Dataset.open(tmp_path / "out"), variants["plain"]
    assert dataset.depth is None and dataset.tracks is None
    found = [dataset.mask(state, 1) for state in range(24)]
    known = [truth.mask(state, 1) for state in range(24)]
    overlaps = [(f & k).sum() / (f | k).sum() for f, k in zip(found, known, strict=True)]
    assert np.mean(overlaps) > 0.85
    gap = np.linalg.norm(dataset.flow[:, 0].astype(float) - truth.flow[:, 0], axis=-1)
    inside = [inner_mask(truth, row, 0)[::2, ::2] for row in range(18)]
    assert np.nanmedian(gap[inside]) < 0.15


def test_one_missing_mask_is_computed_alone(publish: Callable[..., Path], tmp_path: Path) -> None:
    root = publish(tmp_path / "root", given=("mask",))
    (root / "view_0" / "mask" / "00001_00002.npy").unlink()
    report = import_published([root], "pneumatic_arm", tmp_path / "out", options())
    assert report.given_masks == pytest.approx(71 / 72)
    assert Dataset.open(tmp_path / "out").mask(4 + 2, 0).any()


def test_roots_with_the_same_names_do_not_overwrite_each_other(
    publish: Callable[..., Path], make_scene: Callable[..., Any], tmp_path: Path, published: Path
) -> None:
    other = make_scene(seed=5)
    second = publish(tmp_path / "second", other, given=("mask",))
    dataset = imported([published, second], tmp_path / "out")
    assert np.unique(dataset.trajectory).tolist() == list(range(12))
    expected = np.concatenate([make_scene().values, other.values]).reshape(-1, 2)
    assert np.allclose(dataset.commands, expected)
    assert (np.diff(dataset.trajectory[dataset.pairs], axis=1) == 0).all()
    u, v = pixel(dataset.cameras[0].camera, center(dataset, 30)).round().astype(int)
    assert dataset.mask(30, 0)[v, u]
    assert np.isfinite(dataset.flow[20:, 0]).any()  # estimated where none is given


def test_roots_with_other_calibration_are_refused(
    publish: Callable[..., Path], tmp_path: Path, published: Path
) -> None:
    second = publish(tmp_path / "second", given=BARE, calibration={"fl_x": 141.0})
    with pytest.raises(DataError, match="fl_x of camera 0 differ.*separate datasets"):
        imported([published, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_view_file_costs_one_state(publish: Callable[..., Path], tmp_path: Path) -> None:
    lost = "view_2/rgb/00001_00001.png"
    root = publish(tmp_path / "root", given=("mask", "tapir"), without=lost)
    report = import_published([root], "pneumatic_arm", tmp_path / "out", options())
    assert (report.states, report.states_without_all_images, report.pairs) == (23, 1, 16)
    dataset = Dataset.open(tmp_path / "out")
    assert [4, 5] not in dataset.pairs.tolist()  # frames 0 and 2 of that trajectory
    # The frame after the gap is still the third of its tracks.
    row = dataset.pairs.tolist().index([5, 6])
    assert dataset.tracks is not None
    moved = dataset.tracks[row, 0, :20]
    assert motion_error_px(dataset, row, 0, moved[:, :2], moved[:, 2:]).max() < 0.01


def test_a_view_without_any_image_is_named(publish: Callable[..., Path], tmp_path: Path) -> None:
    root = publish(tmp_path / "root", given=BARE)
    for file in (root / "view_2" / "rgb").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"view_\[2\] has none"):
        imported(root, tmp_path / "out")


def test_short_tracks_end_early_and_are_counted(
    publish: Callable[..., Path], tmp_path: Path
) -> None:
    root = publish(tmp_path / "root", given=("mask", "tapir"), track_frames=2)
    report = import_published([root], "pneumatic_arm", tmp_path / "out", options())
    assert report.pairs_without_tracks == 12  # of three pairs per trajectory the last two
    tracks = Dataset.open(tmp_path / "out").tracks
    assert tracks is not None
    assert np.isfinite(tracks[0::3, :2, :20]).all()
    assert np.isnan(tracks[1::3, :, :32]).all() and np.isnan(tracks[2::3, :, :32]).all()


def test_frames_may_be_counted_from_one_and_files_named_after_frame_zero(
    publish: Callable[..., Path], make_scene: Callable[..., Any], tmp_path: Path
) -> None:
    scene = make_scene(first_frame=1)
    root = publish(tmp_path / "root", scene, given=("mask", "tapir"), track_name="000")
    dataset = imported(root, tmp_path / "out")
    assert dataset.tracks is not None and np.isfinite(dataset.tracks[:, :2, :20]).all()
    for row in (0, 2, 17):
        moved = dataset.tracks[row, 1, :20]
        assert motion_error_px(dataset, row, 1, moved[:, :2], moved[:, 2:]).max() < 0.01


def test_an_interrupted_import_continues(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variants: dict[str, Dataset]
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "track_block", stop)
        with pytest.raises(KeyboardInterrupt):
            imported(published, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(job, "image_block", stop)
    dataset = imported(published, tmp_path / "out")
    assert dataset.info.content_id == variants["plain"].info.content_id


def test_nothing_is_written_over(published: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="exists already"):
        imported(published, tmp_path / "out")


def test_the_report_says_what_was_found(variants: dict[str, Dataset]) -> None:
    report = json.loads((variants["both"].folder / "report.json").read_text())
    assert report["undistorted_cameras"] == [f"view_{i}" for i in range(3)]
    assert (report["given_masks"], report["given_flow"]) == (1.0, 1.0)
    assert report["pairs_without_tracks"] == 0
