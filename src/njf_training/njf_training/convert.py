"""From bags to a dataset: pick the settled states, cut out the robot, estimate flow, report.

The result appears under its name only when it is whole. An interrupted conversion continues where
it stopped when it is asked for again with the same bags and options.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from njf_control.robot import RobotConfig
from njf_perception.bag import data_files
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_training.assemble import Assembly, Source
from njf_training.bag_contents import Contents, read_contents, read_depths, read_images
from njf_training.dataset import Dataset
from njf_training.derive import EstimatorFactory
from njf_training.flow import DisFlow
from njf_training.njf_import.poses import metres
from njf_training.report import Findings, Report, make_report
from njf_training.states import (
    ConvertOptions,
    State,
    check_same_rig,
    choose_pairs,
    complete_states,
)
from njf_training.work_folder import WorkFolder


def convert(
    bags: Path | Sequence[Path],
    out: Path,
    options: ConvertOptions | None = None,
    robot: RobotConfig | None = None,
    make_estimator: EstimatorFactory = DisFlow,
) -> Report:
    """Make the dataset folder `out` from one bag, or from several of the same robot and rig.

    Args:
        bags: bag folders or data files.
        out: folder to create.
        options: see `ConvertOptions`.
        robot: the robot this is expected to be; None accepts whichever the bag names. A bag that
            names none is taken for this one's.
        make_estimator: picklable maker of the flow estimator.

    Raises:
        DataError: `out` exists, a bag lacks something, or the bags do not fit together.
    """
    options = options or ConvertOptions()
    if out.exists():
        raise DataError(f"{out} exists already. Remove it or choose another output.")
    paths = [bags] if isinstance(bags, Path) else list(bags)
    contents = [read_contents(path, robot) for path in paths]
    check_same_rig(contents, robot)
    work = WorkFolder(out, _key(paths, options, make_estimator))
    states = complete_states(contents)
    findings = Findings(contents=contents, states=[state.mark for state in states])
    _write_small_arrays(work.folder, contents[0].robot, states, options)
    if not work.is_done("images"):
        _write_images(work.folder, contents, states)
        work.set_done("images")
    if not work.is_done("depth"):
        _write_depth(work.folder, contents, states)
        work.set_done("depth")
    source = Source(
        contents[0].robot,
        [camera.scaled(*contents[0].robot.training_size) for camera in contents[0].cameras],
        [path.name for path in paths],
        options.model_dump(exclude={"workers"}),
    )
    assembly = Assembly(
        work, source, options.workers, make_estimator, options.flow_cameras, options.tracks
    )
    findings.mask_areas, findings.flow_valid = assembly.run()
    _write_truth(work.folder, contents, states)
    report = make_report(Dataset.open(work.folder), findings)
    report.save(work.folder)
    work.publish(out)
    return report


def _key(
    paths: Sequence[Path], options: ConvertOptions, make_estimator: EstimatorFactory
) -> dict[str, Any]:
    """What makes one conversion the same as another."""
    files = [file for path in paths for file in data_files(path)]
    return {
        "sources": [[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files],
        "options": options.model_dump(exclude={"workers"}),
        "estimator": getattr(make_estimator, "__qualname__", repr(make_estimator)),
    }


def _write_small_arrays(
    folder: Path, robot: RobotConfig, states: Sequence[State], options: ConvertOptions
) -> None:
    pairs = choose_pairs(states, options, (robot.upper - robot.lower) / 2)
    if not len(pairs):
        raise DataError(
            f"{len(states)} states but no pair of neighbours within {options.max_distance} of half "
            "the range. Explore with steps_per_trajectory of at least 1."
        )
    np.save(folder / "commands.npy", np.array([state.mark.applied for state in states]))
    np.save(folder / "trajectory.npy", np.array([s.trajectory for s in states], np.int32))
    np.save(folder / "pairs.npy", pairs)


def _write_images(folder: Path, contents: Sequence[Contents], states: Sequence[State]) -> None:
    cameras = contents[0].cameras
    width, height = contents[0].robot.training_size
    shape = (len(states), len(cameras), height, width, 3)
    images = open_memmap(folder / "images.npy", "w+", np.uint8, shape)
    slots = {
        (state.bag, camera.name, state.mark.image_stamps_ns[camera.name]): (row, column)
        for row, state in enumerate(states)
        for column, camera in enumerate(cameras)
    }
    with tqdm(total=len(slots), desc="images", unit="image") as bar:
        for bag, item in enumerate(contents):
            for name, stamp_ns, image in read_images(item):
                slot = slots.get((bag, name, stamp_ns))
                if slot is not None:
                    images[slot] = _reduced(image, cameras[slot[1]], (width, height))
                    bar.update()
    images.flush()


def _write_depth(folder: Path, contents: Sequence[Contents], states: Sequence[State]) -> None:
    """Write depth.npy, if any camera measures depth; the others know none."""
    robot, cameras = contents[0].robot, contents[0].cameras
    columns = {c.depth_stream: i for i, c in enumerate(robot.cameras) if c.depth}
    if not columns:
        return
    width, height = robot.training_size
    shape = (len(states), len(cameras), height // 2, width // 2)
    depth = np.full(shape, np.nan, np.float16)
    slots = {
        (state.bag, stream, state.mark.image_stamps_ns[stream]): (row, column)
        for row, state in enumerate(states)
        for stream, column in columns.items()
    }
    for bag, item in enumerate(contents):
        for stream, stamp_ns, image in tqdm(read_depths(item), desc="depth", unit="image"):
            slot = slots.get((bag, stream, stamp_ns))
            if slot is not None:
                _check_size(image, cameras[slot[1]], "depth image")
                depth[slot] = metres(image, 2 * (cameras[slot[1]].width // width))
    np.save(folder / "depth.npy", depth)


def _check_size(image: np.ndarray, camera: Camera, what: str) -> None:
    if image.shape[:2] != (camera.height, camera.width):
        raise DataError(
            f"{camera.name}: {what} of {image.shape[1]} x {image.shape[0]}, but camera_info says "
            f"{camera.width} x {camera.height}. Calibrate at the size that is recorded."
        )


def _reduced(image: np.ndarray, camera: Camera, size: tuple[int, int]) -> np.ndarray:
    """The image at training size, by means over whole blocks of pixels."""
    _check_size(image, camera, "image")
    if size == (camera.width, camera.height):
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _write_truth(folder: Path, contents: Sequence[Contents], states: Sequence[State]) -> None:
    """Joint positions of the simulator at the time of the images; for evaluation only."""
    if any(len(item.joint_stamps_ns) == 0 for item in contents):
        return
    rows = []
    for state in states:
        item = contents[state.bag]
        stamp = int(np.mean(list(state.mark.image_stamps_ns.values())))
        order = np.abs(item.joint_stamps_ns - stamp)
        rows.append(item.joint_positions[int(order.argmin())])
    np.savez(
        folder / "truth.npz",
        joint_names=contents[0].joint_names,
        joint_positions=np.array(rows),
    )
