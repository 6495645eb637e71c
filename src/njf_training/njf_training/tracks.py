"""Point tracks as supervision: where some points of the robot went, and that the rest stood still.

tracks.npy holds per pair and camera N rows (u, v, du, dv): the first half are points tracked on the
robot, the second half pixels beside it, whose motion is zero. Cameras that are held out have none.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy.lib.format import open_memmap

from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_training.derive import BLOCK, run_blocks, unpack

DEFAULT_TRACKS = 64  # per pair and camera; more corners than that a 320 x 240 robot hardly has
STILL_MARGIN_PX = 8  # between the robot's mask and pixels that are said to stand still


class DrawnTracks(NamedTuple):
    """Points of one pair of states.

    Attributes:
        camera: index into the row's camera axis.
        pixels: where the points are before the motion (u, v) [px].
        flow: their motion (du, dv) [px].
        robot: True for tracked points of the robot, False for still ones beside it.
    """

    camera: Int[np.ndarray, " n"]
    pixels: Float32[np.ndarray, "n 2"]
    flow: Float32[np.ndarray, "n 2"]
    robot: Bool[np.ndarray, " n"]


def draw_tracks(
    tracks_row: Float32[np.ndarray, "c m 4"], count: int, rng: np.random.Generator
) -> DrawnTracks:
    """Draw `count` points of one pair with replacement, half on the robot, half beside it.

    Fewer come back only where the row has none of one kind.

    Args:
        tracks_row: one row of `Dataset.tracks`, of the cameras that may be used.
        count: points wanted.
        rng: all randomness.
    """
    known = np.isfinite(tracks_row).all(-1)
    points = tracks_row.shape[1]
    robot = np.arange(points) < points // 2
    chosen = [
        candidates[rng.integers(0, len(candidates), wanted if len(candidates) else 0)]
        for candidates, wanted in (
            (np.argwhere(known & robot), count // 2),
            (np.argwhere(known & ~robot), count - count // 2),
        )
    ]
    camera, row = np.concatenate(chosen).T
    drawn = tracks_row[camera, row]
    return DrawnTracks(camera, drawn[:, :2], drawn[:, 2:], robot[row])


def still_points(
    robot: Bool[np.ndarray, "h w"], count: int, rng: np.random.Generator
) -> Float32[np.ndarray, "n 4"]:
    """At most `count` random pixels well away from `robot`, with zero motion: (u, v, 0, 0) [px]."""
    size = 2 * STILL_MARGIN_PX + 1
    near = cv2.dilate(robot.astype(np.uint8), np.ones((size, size), np.uint8))
    free = np.flatnonzero(near == 0)
    drawn = rng.choice(free, min(count, len(free)), replace=False)
    v, u = np.divmod(drawn, robot.shape[1])
    return np.stack([u, v, np.zeros_like(u), np.zeros_like(u)], axis=1).astype(np.float32)


def tracked_points(
    before: UInt8[np.ndarray, "h w 3"],
    after: UInt8[np.ndarray, "h w 3"],
    robot: Bool[np.ndarray, "h w"],
    count: int,
) -> Float32[np.ndarray, "n 4"]:
    """At most `count` corners on `robot` that Lucas-Kanade finds again: (u, v, du, dv) [px]."""
    points = pick_points(before, robot, count)
    if not len(points):
        return np.zeros((0, 4), np.float32)
    tracker = LucasKanadeTracker()
    tracker.start(before, points)
    found = tracker.update(after)
    return np.concatenate([points, found.points - points], axis=1)[found.visible]


def padded_tracks(
    robot: Float32[np.ndarray, "a 4"], still: Float32[np.ndarray, "b 4"], count: int
) -> Float32[np.ndarray, "m 4"]:
    """One camera's rows of tracks.npy: `count` of each kind, NaN where there are fewer."""
    rows = np.full((2 * count, 4), np.nan, np.float32)
    rows[: min(len(robot), count)] = robot[:count]
    rows[count : count + min(len(still), count)] = still[:count]
    return rows


def write_tracks(folder: Path, roles: list[str], count: int, workers: int) -> None:
    """Write tracks.npy beside images, masks and pairs; it appears only when it is whole.

    Args:
        folder: of the dataset.
        roles: of its cameras; those that are held out get no tracks.
        count: tracked points per pair and camera, and as many still ones.
        workers: processes.
    """
    pairs = len(np.load(folder / "pairs.npy", mmap_mode="r"))
    partial = folder / "tracks.partial.npy"
    open_memmap(partial, "w+", np.float32, (pairs, len(roles), 2 * count, 4)).flush()
    tasks = [
        (folder, start, min(start + BLOCK, pairs), roles, count) for start in range(0, pairs, BLOCK)
    ]
    for _ in run_blocks(track_block, tasks, workers, "tracks"):
        pass
    partial.replace(folder / "tracks.npy")


def track_block(
    folder: Path, start: int, stop: int, roles: list[str], count: int
) -> Float[np.ndarray, " n"]:
    """Track in pairs start..stop; returns the number of tracked points of each."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    pairs = np.load(folder / "pairs.npy", mmap_mode="r")
    tracks = np.load(folder / "tracks.partial.npy", mmap_mode="r+")
    found = np.zeros(stop - start)
    for row in range(start, stop):
        before, after = (int(state) for state in pairs[row])
        for camera, role in enumerate(roles):
            if role == "held_out":
                tracks[row, camera] = np.nan
                continue
            first, second = (np.asarray(images[state, camera]) for state in (before, after))
            size = first.shape[:2]
            robot, then = (unpack(masks[state, camera], size) for state in (before, after))
            moved = tracked_points(first, second, robot, count)
            rng = np.random.default_rng([row, camera])
            tracks[row, camera] = padded_tracks(
                moved, still_points(robot | then, count, rng), count
            )
            found[row - start] += len(moved)
    tracks.flush()
    return found
