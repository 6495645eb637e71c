"""Is a dataset fit to train on? Asked before hours are spent; says one thing that is wrong.

Every array is memory-mapped and only some states are looked at, so gigabytes take about a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_training.dataset import Dataset, DatasetCamera

SAMPLES = 12  # states or pairs that are looked at
DARK = 4  # grey level: no pixel of a working camera's image stays below, of 255
ROTATION_TOLERANCE = 1e-3
CONSTANT_RANGE = 1e-9  # [unit of the channel]


def check_dataset(dataset: Dataset, robot: RobotConfig | None = None) -> None:
    """Raise DataError with the first thing that makes training or judging on `dataset` pointless.

    Args:
        dataset: the opened dataset; nothing in it is changed.
        robot: the robot it has to show, with the same channels in the same order; None for any.
    """
    if robot is not None:
        _check_robot(dataset, robot)
    _check_cameras(dataset)
    _check_arrays(dataset)
    _check_commands(dataset)
    _check_pairs(dataset)
    states = sampled(len(dataset.commands))
    for column, camera in enumerate(dataset.cameras):
        _check_images(dataset, column, camera, states)
        _check_masks(dataset, column, camera, states)
    _check_depth(dataset, states)
    _check_motion(dataset)


def _check_robot(dataset: Dataset, robot: RobotConfig) -> None:
    for what, came, expected in (
        ("robot", dataset.robot, robot.name),
        ("channels", dataset.channel_names, robot.channel_names),
        ("units", dataset.channel_units, robot.channel_units),
    ):
        if came != expected:
            raise DataError(
                f"{dataset.folder} has {what} {came}, but the robot's file says {expected}. "
                "Name the robot the dataset was made for."
            )


def _check_cameras(dataset: Dataset) -> None:
    roles = [camera.role for camera in dataset.cameras]
    if roles.count("control") != 1:
        raise DataError(
            f"{dataset.folder}: {roles.count('control')} cameras have the role control, expected "
            "one. Give it to the camera of the control loop and convert again."
        )
    sizes = {camera.name: (camera.width, camera.height) for camera in dataset.cameras}
    if len(set(sizes.values())) != 1:
        raise DataError(f"{dataset.folder}: cameras differ in image size: {sizes}. Convert again.")
    for camera in dataset.cameras:
        if problem := calibration_problem(camera):
            raise DataError(
                f"{dataset.folder}: {camera.name} is not calibrated: {problem}. "
                "Calibrate it and convert again."
            )


def calibration_problem(camera: DatasetCamera) -> str | None:
    """What is wrong with a camera's intrinsics or pose, None if they can be true."""
    K, pose = np.array(camera.K), np.array(camera.T_world_camera)
    if K.shape != (3, 3) or pose.shape != (4, 4):
        return f"K has shape {K.shape} and the pose {pose.shape}, expected (3, 3) and (4, 4)"
    if not (np.isfinite(K).all() and np.isfinite(pose).all()):
        return "K or its pose is not finite"
    if K[0, 0] <= 0 or K[1, 1] <= 0:
        return f"its focal lengths are {K[0, 0]:g} and {K[1, 1]:g} px"
    R = pose[:3, :3]
    defect = np.abs(R @ R.T - np.eye(3)).max()
    if defect > ROTATION_TOLERANCE or np.linalg.det(R) < 0:
        return "the rotation of its pose is no rotation"
    return None


def _check_arrays(dataset: Dataset) -> None:
    """Every array is whole and as long as dataset.json says."""
    t, p, c = dataset.info.states, dataset.info.pairs, len(dataset.cameras)
    h, w = dataset.cameras[0].height, dataset.cameras[0].width
    half = (h // 2, w // 2)
    shapes = {
        "images": (t, c, h, w, 3),
        "background": (c, h, w, 3),
        "masks": (t, c, -(-h * w // 8)),
        "commands": (t, len(dataset.channel_names)),
        "trajectory": (t,),
        "pairs": (p, 2),
        "flow": (p, c, *half, 2),
        "depth": (t, c, *half),
    }
    for name, expected in shapes.items():
        path = dataset.folder / f"{name}.npy"
        if name == "depth" and not path.exists():
            continue
        came = _shape(path)
        if came != expected:
            raise DataError(
                f"{path} has shape {came}, dataset.json says {expected}. Make the dataset again."
            )
    path = dataset.folder / "tracks.npy"
    if path.exists() and not (len(s := _shape(path)) == 4 and s[:2] == (p, c) and s[3] == 4):
        raise DataError(f"{path} has shape {s}, expected ({p}, {c}, any, 4). Track again.")


def _shape(path: Path) -> tuple[int, ...]:
    try:
        return np.load(path, mmap_mode="r").shape
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Make the dataset again.") from None
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is damaged or cut off: {error}. Make the dataset again.") from None


def _check_commands(dataset: Dataset) -> None:
    commands = np.asarray(dataset.commands)
    if broken := _names(dataset, np.any(~np.isfinite(commands), axis=0)):
        raise DataError(f"{dataset.folder}: commands of {broken} are not all finite. Record again.")
    if still := _names(dataset, np.ptp(commands, axis=0) <= CONSTANT_RANGE):
        raise DataError(
            f"{dataset.folder}: {still} never moves, so what it does cannot be learnt. "
            "Explore with all channels, or describe the robot without this one."
        )


def _names(dataset: Dataset, which: Any) -> str:
    """The channels of a boolean per channel, with commas."""
    return ", ".join(name for name, hit in zip(dataset.channel_names, which, strict=True) if hit)


def _check_pairs(dataset: Dataset) -> None:
    pairs, states = np.asarray(dataset.pairs), len(dataset.commands)
    if not len(pairs) or pairs.min() < 0 or pairs.max() >= states:
        raise DataError(
            f"{dataset.folder}: {len(pairs)} pairs of states that must lie in 0..{states - 1}, "
            "expected at least one. Make the dataset again."
        )
    if not len(dataset.split().training):
        raise DataError(
            f"{dataset.folder}: its {len(np.unique(dataset.trajectory))} trajectories leave no "
            "motion to train on, the last ones are held back. Record more trajectories."
        )


def _check_images(
    dataset: Dataset, column: int, camera: DatasetCamera, states: Int[np.ndarray, " s"]
) -> None:
    for state in states:
        image = np.asarray(dataset.images[state, column])
        low, high = int(image.min()), int(image.max())
        if high < DARK or low == high:
            kind = "black" if high < DARK else f"of one value, {low},"
            raise DataError(
                f"{dataset.folder}: the image of {camera.name} in state {state} is {kind} all "
                "over. Is the lens covered, did the camera fail? Record again."
            )


def _check_masks(
    dataset: Dataset, column: int, camera: DatasetCamera, states: Int[np.ndarray, " s"]
) -> None:
    if not any(dataset.masks[state, column].any() for state in states):
        raise DataError(
            f"{dataset.folder}: {camera.name} never sees anything move. Does it look at the robot, "
            "does the robot move?"
        )


def _check_depth(dataset: Dataset, states: Int[np.ndarray, " s"]) -> None:
    depth = dataset.depth
    if depth is not None and not any(np.isfinite(depth[state]).any() for state in states):
        raise DataError(
            f"{dataset.folder}/depth.npy knows no depth at all. Remove it, or repair the depth "
            "cameras and record again."
        )


def _check_motion(dataset: Dataset) -> None:
    """Something says how the robot moves in the control camera."""
    control = [camera.role for camera in dataset.cameras].index("control")
    for array in _motions(dataset):
        if any(np.isfinite(array[row, control]).any() for row in sampled(len(dataset.pairs))):
            return
    raise DataError(
        f"{dataset.folder}: neither flow nor tracks are known in {dataset.cameras[control].name}, "
        "the control camera. Make the dataset again."
    )


def _motions(dataset: Dataset) -> Iterator[np.ndarray]:
    yield dataset.flow
    if dataset.tracks is not None:
        yield dataset.tracks[:, :, : dataset.tracks.shape[2] // 2]  # without the still ones


def sampled(total: int) -> Int[np.ndarray, " s"]:
    """At most SAMPLES indices, evenly over `total`."""
    return np.unique(np.linspace(0, total - 1, min(total, SAMPLES)).round().astype(int))
