"""Point tracks: the tracked motion is the true one, still points are beside the robot."""

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_perception.errors import DataError
from njf_training.assemble import add_tracks
from njf_training.dataset import Dataset
from njf_training.tracks import draw_tracks, padded_tracks, still_points, tracked_points

MOTION_PX = (5.25, -3.5)


def scene(u: float, v: float) -> tuple[np.ndarray, np.ndarray]:
    """A textured block at (u, v) on another texture, and its mask."""
    rng = np.random.default_rng(3)
    table, block = (
        cv2.resize(rng.integers(0, 255, (h, w, 3), np.uint8), (4 * w, 4 * h), interpolation=2)
        for h, w in ((30, 40), (12, 14))
    )
    place = np.array([[1, 0, u], [0, 1, v]], np.float64)
    size = (table.shape[1], table.shape[0])
    cover = cv2.warpAffine(np.ones(block.shape[:2], np.float32), place, size)
    moved = cv2.warpAffine(block, place, size)
    return np.where(cover[..., None] > 0.5, moved, table), cover > 0.5


def test_corners_of_the_block_move_with_it() -> None:
    (before, mask), (after, _) = scene(40, 40), scene(40 + MOTION_PX[0], 40 + MOTION_PX[1])
    found = tracked_points(before, after, mask, 30)
    assert len(found) > 15
    u, v = found[:, :2].round().astype(int).T
    assert mask[v, u].all()
    error_px = np.linalg.norm(found[:, 2:] - MOTION_PX, axis=1)
    assert error_px.mean() < 0.15 and error_px.max() < 0.6


def test_no_robot_no_tracks() -> None:
    image, mask = scene(40, 40)
    assert tracked_points(image, image, np.zeros_like(mask), 30).shape == (0, 4)


def test_still_points_keep_away_from_the_robot() -> None:
    mask = scene(40, 40)[1]
    points = still_points(mask, 200, np.random.default_rng(0))
    assert points.shape == (200, 4) and (points[:, 2:] == 0).all()
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_C, 3)
    u, v = points[:, :2].astype(int).T
    assert distance[v, u].min() > 8
    assert still_points(np.ones_like(mask), 5, np.random.default_rng(0)).shape == (0, 4)


def test_draws_are_half_robot_half_still_and_never_padding() -> None:
    robot = np.tile(np.array([[1, 2, 3, 4]], np.float32), (3, 1))
    still = np.tile(np.array([[9, 8, 0, 0]], np.float32), (2, 1))
    row = np.stack([padded_tracks(robot, still, 4), np.full((8, 4), np.nan, np.float32)])
    camera, pixels, flow, is_robot = draw_tracks(row, 10, np.random.default_rng(0))
    assert Counter(is_robot.tolist()) == {True: 5, False: 5}
    assert (camera == 0).all()
    assert np.all(np.concatenate([pixels, flow], 1)[is_robot] == [1, 2, 3, 4])
    assert np.all(np.concatenate([pixels, flow], 1)[~is_robot] == [9, 8, 0, 0])


def test_without_tracked_points_only_still_ones_are_drawn() -> None:
    row = padded_tracks(np.zeros((0, 4), np.float32), np.ones((1, 4), np.float32), 2)[None]
    drawn = draw_tracks(row, 7, np.random.default_rng(0))
    assert len(drawn.robot) == 4 and not drawn.robot.any()


def test_tracks_are_added_to_a_dataset_and_change_its_identity(
    ball_dataset: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "ball"
    shutil.copytree(ball_dataset, folder)
    before = Dataset.open(folder)
    assert before.tracks is None
    after = add_tracks(folder, count=6, workers=1)
    assert after.tracks is not None and after.tracks.shape == (20, 3, 12, 4)
    assert np.isfinite(after.tracks[:, :, 6:]).all()
    assert after.info.content_id != before.info.content_id
    assert not list(folder.glob("*.partial*"))
    with pytest.raises(DataError, match=r"tracks.npy exists already"):
        add_tracks(folder, count=6, workers=1)
