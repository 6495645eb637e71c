"""From bags to a dataset: pick the settled states, cut out the robot, estimate flow, report.

The result appears under its name only when it is whole. An interrupted conversion continues where
it stopped when it is asked for again with the same bags and options.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.lib.format import open_memmap
from tqdm import tqdm

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.bag import data_files
from njf_training.bag_contents import Contents, read_contents, read_images
from njf_training.dataset import Dataset, DatasetCamera, DatasetInfo
from njf_training.derive import (
    BLOCK,
    EstimatorFactory,
    background_block,
    flow_block,
    mask_block,
    run_blocks,
)
from njf_training.flow import DisFlow
from njf_training.masks import noise_threshold
from njf_training.report import Findings, Report, make_report
from njf_training.states import (
    ConvertOptions,
    State,
    check_same_rig,
    choose_pairs,
    complete_states,
)
from njf_training.work_folder import WorkFolder

ARRAYS = ("images", "background", "masks", "commands", "trajectory", "pairs", "flow")


def convert(
    bags: Path | Sequence[Path],
    out: Path,
    options: ConvertOptions | None = None,
    robot: RobotConfig | None = None,
    make_estimator: EstimatorFactory = DisFlow,
) -> Report:
    """Make the dataset folder `out` from one bag, or from several of the same robot and rig.

    Args:
        bags: bag folders or .mcap files.
        out: folder to create.
        options: see `ConvertOptions`.
        robot: the robot this is expected to be; None accepts whichever the bag names.
        make_estimator: picklable maker of the flow estimator.

    Raises:
        DataError: `out` exists, a bag lacks something, or the bags do not fit together.
    """
    options = options or ConvertOptions()
    if out.exists():
        raise DataError(f"{out} exists already. Remove it or choose another output.")
    paths = [bags] if isinstance(bags, Path) else list(bags)
    contents = [read_contents(path) for path in paths]
    check_same_rig(contents, robot)
    work = WorkFolder(out, _key(paths, options, make_estimator))
    states = complete_states(contents)
    findings = Findings(contents=contents, states=[state.mark for state in states])
    _write_small_arrays(work.folder, contents[0].robot, states, options)
    if not work.is_done("images"):
        _write_images(work.folder, contents, states)
        _write_backgrounds(work.folder, options.workers)
        work.set_done("images")
    findings.mask_areas = _derive_masks(work, options.workers)
    findings.flow_valid = _derive_flow(work, contents[0].robot, options.workers, make_estimator)
    _write_truth(work.folder, contents, states)
    _write_info(work.folder, contents, paths, options)
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
    height, width = cameras[0].height, cameras[0].width
    if any((camera.height, camera.width) != (height, width) for camera in cameras):
        sizes = {camera.name: (camera.width, camera.height) for camera in cameras}
        raise DataError(f"cameras differ in image size: {sizes}. Set all to the same size.")
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
                    images[slot] = _sized(image, (height, width), name)
                    bar.update()
    images.flush()


def _sized(image: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    if image.shape[:2] != size:
        raise DataError(
            f"{name}: image of {image.shape[1]} x {image.shape[0]}, but camera_info says "
            f"{size[1]} x {size[0]}. Calibrate at the size that is recorded."
        )
    return image


def _write_backgrounds(folder: Path, workers: int) -> None:
    count = np.load(folder / "images.npy", mmap_mode="r").shape[1]
    tasks = [(folder, camera) for camera in range(count)]
    stills = [still for _, still in run_blocks(background_block, tasks, workers, "background")]
    np.save(folder / "background.npy", np.array(stills))


def _derive_masks(work: WorkFolder, workers: int) -> Float[np.ndarray, "t c"]:
    if not work.is_done("masks"):
        images = np.load(work.folder / "images.npy", mmap_mode="r")
        still = np.load(work.folder / "background.npy")
        count, cameras, height, width = images.shape[:4]
        open_memmap(
            work.folder / "masks.npy", "w+", np.uint8, (count, cameras, -(-height * width // 8))
        )
        thresholds = [noise_threshold(images[:, c], still[c]) for c in range(cameras)]
        tasks = [(work.folder, *block, thresholds) for block in _blocks(count)]
        areas = [area for _, area in run_blocks(mask_block, tasks, workers, "masks")]
        work.set_done("masks", np.concatenate(areas).tolist())
    return np.array(work.result("masks"))


def _derive_flow(
    work: WorkFolder, robot: RobotConfig, workers: int, make_estimator: EstimatorFactory
) -> Float[np.ndarray, "p c"]:
    pairs = np.load(work.folder / "pairs.npy")
    images = np.load(work.folder / "images.npy", mmap_mode="r")
    used = [i for i, camera in enumerate(robot.cameras) if camera.role != "held_out"]
    if not work.is_done("flow"):
        _, cameras, height, width = images.shape[:4]
        shape = (len(pairs), cameras, height // 2, width // 2, 2)
        flow = open_memmap(work.folder / "flow.npy", "w+", np.float16, shape)
        flow[:, [i for i in range(cameras) if i not in used]] = np.nan
        flow.flush()
        work.set_done("flow")
    blocks = [block for block in _blocks(len(pairs)) if not work.is_done(f"flow {block}")]
    tasks = [(work.folder, *block, used, make_estimator) for block in blocks]
    for index, valid in run_blocks(flow_block, tasks, workers, "flow"):
        work.set_done(f"flow {blocks[index]}", valid.tolist())
    valid = [row for block in _blocks(len(pairs)) for row in work.result(f"flow {block}")]
    return np.array(valid)


def _blocks(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


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
        joint_positions_rad=np.array(rows),
    )


def _write_info(
    folder: Path, contents: Sequence[Contents], paths: list[Path], options: ConvertOptions
) -> None:
    robot = contents[0].robot
    cameras = [
        DatasetCamera(
            name=camera.name,
            role=config.role,
            width=camera.width,
            height=camera.height,
            K=camera.K.tolist(),
            T_world_camera=camera.T_world_camera.tolist(),
        )
        for camera, config in zip(contents[0].cameras, robot.cameras, strict=True)
    ]
    info = DatasetInfo(
        robot=robot.name,
        channel_names=robot.channel_names,
        channel_units=robot.channel_units,
        cameras=cameras,
        states=len(np.load(folder / "trajectory.npy")),
        pairs=len(np.load(folder / "pairs.npy")),
        bags=[path.name for path in paths],
        settings=options.model_dump(exclude={"workers"}),
        content_id=_content_id(folder),
    )
    (folder / "dataset.json").write_text(info.model_dump_json(indent=2) + "\n")


def _content_id(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in ARRAYS:
        with (folder / f"{name}.npy").open("rb") as stream:
            while block := stream.read(2**22):
                digest.update(block)
    return digest.hexdigest()
