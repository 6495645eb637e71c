"""Masks and flow of a dataset folder, computed in blocks by a pool of processes."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from tqdm import tqdm

from njf_perception.processes import worker_pool
from njf_training.flow import FlowEstimator, checked_flow, half_size
from njf_training.masks import background, foreground
from njf_training.work_folder import WorkFolder

BLOCK = 8  # states or pairs per task
MARGIN_PX = 24  # around the moving robot, where flow is estimated
MIN_CROP_PX = 64  # the search pyramid needs some room

EstimatorFactory = Callable[[], FlowEstimator]
Block = tuple[Any, ...]


def run_blocks(
    work: Callable[..., np.ndarray],
    tasks: list[Block],
    workers: int,
    label: str,
) -> Iterator[tuple[int, np.ndarray]]:
    """(index, result) of `work(*task)` for every task, in order, with a progress bar."""
    if workers <= 1:
        results = map(_call, [(work, task) for task in tasks])
        yield from enumerate(tqdm(results, label, total=len(tasks), unit="block"))
        return
    with worker_pool(workers) as pool:
        results = pool.map(_call, [(work, task) for task in tasks])
        yield from enumerate(tqdm(results, label, total=len(tasks), unit="block"))


def run_missing_blocks(
    journal: WorkFolder,
    work: Callable[..., np.ndarray],
    tasks: Mapping[Any, Block],
    workers: int,
    label: str,
) -> list[Any]:
    """Results of `work(*task)` for every task, from the journal where it was done before.

    The keys of `tasks` tell its steps apart; each is noted as soon as it is done.
    """
    steps = {key: f"{label} {key}" for key in tasks}
    todo = [key for key, step in steps.items() if not journal.is_done(step)]
    for index, found in run_blocks(work, [tasks[key] for key in todo], workers, label):
        journal.set_done(steps[todo[index]], found.tolist())
    return [journal.result(step) for step in steps.values()]


def _call(job: tuple[Callable[..., Any], Block]) -> Any:
    cv2.setNumThreads(1)  # the processes are the parallelism; also makes flow reproducible
    work, task = job
    return work(*task)


def background_block(folder: Path, camera: int) -> UInt8[np.ndarray, "h w 3"]:
    """Background of one camera."""
    return background(np.load(folder / "images.npy", mmap_mode="r")[:, camera])


def mask_block(
    folder: Path, start: int, stop: int, thresholds: list[float]
) -> Float[np.ndarray, "n cameras"]:
    """Write the masks of states start..stop; returns their areas as shares of the image."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    still = np.load(folder / "background.npy")
    masks = np.load(folder / "masks.npy", mmap_mode="r+")
    areas = np.zeros((stop - start, len(still)))
    for state in range(start, stop):
        for camera, threshold in enumerate(thresholds):
            mask = foreground(np.asarray(images[state, camera]), still[camera], threshold)
            masks[state, camera] = np.packbits(mask)
            areas[state - start, camera] = mask.mean()
    masks.flush()
    return areas


def flow_block(
    folder: Path,
    start: int,
    stop: int,
    cameras: Int[np.ndarray, "n k"],
    make_estimator: EstimatorFactory,
) -> Float[np.ndarray, "n k"]:
    """Write the flow of pairs start..stop, each in its `cameras`, and NaN in the others.

    Returns the share of the robot whose flow is known.
    """
    images = np.load(folder / "images.npy", mmap_mode="r")
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    pairs = np.load(folder / "pairs.npy", mmap_mode="r")
    flow = np.load(folder / "flow.npy", mmap_mode="r+")
    estimator = make_estimator()
    size = images.shape[2:4]
    valid = np.zeros(cameras.shape)
    for row in range(start, stop):
        before, after = (int(state) for state in pairs[row])
        flow[row] = np.nan
        for column, camera in enumerate(cameras[row - start]):
            robot = [unpack(masks[state, camera], size) for state in (before, after)]
            pictures = [np.asarray(images[state, camera]) for state in (before, after)]
            found = flow_near(estimator, pictures[0], pictures[1], robot[0] | robot[1])
            flow[row, camera] = half_size(found)
            shown = np.isfinite(found[..., 0][robot[0]])
            valid[row - start, column] = shown.mean() if len(shown) else 1.0
    flow.flush()
    return valid


def flow_near(
    estimator: FlowEstimator,
    before: UInt8[np.ndarray, "h w 3"],
    after: UInt8[np.ndarray, "h w 3"],
    robot: Bool[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w 2"]:
    """Flow [px], estimated in the box around `robot`; zero elsewhere, where nothing moves."""
    flow = np.zeros((*before.shape[:2], 2), np.float32)
    if robot.any():
        box = np.ix_(_span(np.any(robot, axis=1)), _span(np.any(robot, axis=0)))
        flow[box] = checked_flow(estimator, before[box], after[box])
    return flow


def _span(occupied: Bool[np.ndarray, " n"]) -> np.ndarray:
    """Indices from the first to the last occupied one, with margin and a least length."""
    found = np.flatnonzero(occupied)
    low, high = found[0] - MARGIN_PX, found[-1] + 1 + MARGIN_PX
    missing = max(0, MIN_CROP_PX - (high - low))
    low, high = low - missing // 2, high + (missing + 1) // 2
    return np.arange(max(0, low), min(len(occupied), high))


def unpack(bits: UInt8[np.ndarray, " bytes"], size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    """A packed mask of masks.npy as booleans of `size` (height, width)."""
    return np.unpackbits(np.asarray(bits), count=size[0] * size[1]).reshape(size).astype(bool)
