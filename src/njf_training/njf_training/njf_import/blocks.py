"""Parts of an import that run in parallel; each fills some rows of the unfinished dataset."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

from njf_perception.errors import DataError
from njf_training.derive import unpack
from njf_training.flow import consistent, half_size
from njf_training.njf_import.layout import Frame
from njf_training.njf_import.merge import ImportedState
from njf_training.njf_import.tracks import motion, read_tracks
from njf_training.njf_import.views import View
from njf_training.tracks import padded_tracks, still_points


def image_block(
    folder: Path, start: int, states: list[ImportedState], views: list[View]
) -> Float[np.ndarray, " n"]:
    """Write images and, where there are any, depths of states from `start` on."""
    images = np.load(folder / "images.npy", mmap_mode="r+")
    depths = folder / "depth.npy"
    depth = np.load(depths, mmap_mode="r+") if depths.exists() else None
    for row, state in enumerate(states, start):
        for column, (frame, view) in enumerate(zip(state.frames, views, strict=True)):
            images[row, column] = view.image(read_image(frame.image, view))
            if depth is not None:
                known = frame.depth.is_file()
                depth[row, column] = view.depth(read_depth(frame.depth, view)) if known else np.nan
    images.flush()
    return np.zeros(0)


def mask_block(
    folder: Path, start: int, states: list[ImportedState], views: list[View]
) -> Float[np.ndarray, "n c"]:
    """Put given masks in place of computed ones; 1 where there was one, 0 elsewhere."""
    masks = np.load(folder / "masks.npy", mmap_mode="r+")
    given = np.zeros((len(states), len(views)))
    for row, state in enumerate(states):
        for column, (frame, view) in enumerate(zip(state.frames, views, strict=True)):
            if frame.mask.is_file():
                masks[start + row, column] = np.packbits(view.mask(read_mask(frame.mask, view)))
                given[row, column] = 1
    masks.flush()
    return given


def flow_block(
    folder: Path, start: int, pairs: list[tuple[ImportedState, ImportedState]], views: list[View]
) -> Float[np.ndarray, "n c"]:
    """Write given flow of the pairs from `start` on; 1 where there was some, 0 elsewhere."""
    flow = np.load(folder / "flow.npy", mmap_mode="r+")
    given = np.zeros((len(pairs), len(views)))
    for row, (before, after) in enumerate(pairs):
        for column, view in enumerate(views):
            found = given_flow(before.frames[column], after.frames[column], view)
            if found is not None:
                flow[start + row, column] = half_size(found)
                given[row, column] = 1
    flow.flush()
    return given


def given_flow(before: Frame, after: Frame, view: View) -> Float32[np.ndarray, "h w 2"] | None:
    """Published flow to the next frame [px], NaN where the way back disagrees; None without."""
    forward = _existing(before.flow("fwd"))
    if forward is None:
        return None
    flow = read_flow(forward, view)
    back = _existing(after.flow("bwd"))
    if back is not None:
        known = consistent(flow, read_flow(back, view))
        flow = np.where(known[..., None], flow, np.float32(np.nan))
    return view.flow(flow)


def track_block(
    folder: Path,
    rows: list[int],
    pairs: list[tuple[ImportedState, ImportedState]],
    views: list[View],
    roles: list[str],
    count: int,
) -> Float[np.ndarray, " n"]:
    """Write tracks of pairs of one trajectory; returns how many each has on the robot."""
    tracks = np.load(folder / "tracks.npy", mmap_mode="r+")
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    state_pairs = np.load(folder / "pairs.npy")
    found = np.zeros(len(rows))
    for column, view in enumerate(views):
        if roles[column] == "held_out":
            tracks[rows, column] = np.nan
            continue
        files = [read_tracks(path) for path in pairs[0][0].frames[column].tracks]
        size = (view.camera.height, view.camera.width)
        for i, (row, (before, after)) in enumerate(zip(rows, pairs, strict=True)):
            rng = np.random.default_rng([row, column])
            starts, ends = (view.points(p) for p in motion(files, before.step, after.step))
            moved = _drawn(np.concatenate([starts, ends - starts], axis=1), size, count, rng)
            robot = [unpack(masks[s, column], size) for s in state_pairs[row]]
            still = still_points(robot[0] | robot[1], count, rng)
            tracks[row, column] = padded_tracks(moved, still, count)
            found[i] += len(moved)
    tracks.flush()
    return found


def _drawn(
    points: Float[np.ndarray, "n 4"], size: tuple[int, int], count: int, rng: np.random.Generator
) -> Float32[np.ndarray, "m 4"]:
    """At most `count` random ones of the points that begin in the image."""
    u, v = points[:, 0], points[:, 1]
    inside = (u >= 0) & (u <= size[1] - 1) & (v >= 0) & (v <= size[0] - 1)
    kept = points[inside]
    return rng.permutation(kept)[:count].astype(np.float32)


def read_image(path: Path, view: View) -> UInt8[np.ndarray, "h w 3"]:
    """An RGB image of the camera's size."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(_of_size(image, path, view)[..., ::-1])


def read_depth(path: Path, view: View) -> UInt16[np.ndarray, "h w"]:
    """Depth [mm], 0 unknown."""
    depth = _of_size(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), path, view)
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise DataError(f"{path}: {depth.dtype} {depth.shape}, expected 16 bit millimetres.")
    return depth


def read_mask(path: Path, view: View) -> np.ndarray:
    """Where the robot is, as booleans."""
    try:
        mask = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: {error}. Download it again, or remove it.") from None
    return _of_size(mask, path, view) > 0


def read_flow(path: Path, view: View) -> Float32[np.ndarray, "h w 2"]:
    """Flow [px] of the published image."""
    try:
        with np.load(path) as file:
            flow = np.moveaxis(file["flow"], 0, -1).astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {error}; expected the array flow. Download it again.") from None
    return np.ascontiguousarray(_of_size(flow, path, view))


def _of_size(array: np.ndarray | None, path: Path, view: View) -> np.ndarray:
    if array is None:
        raise DataError(f"{path} is no readable image. Download it again.")
    if array.shape[:2] != (view.raw.h, view.raw.w):
        raise DataError(
            f"{path} has {array.shape[:2]} rows and columns, transforms.json says "
            f"{(view.raw.h, view.raw.w)}."
        )
    return array


def _existing(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
