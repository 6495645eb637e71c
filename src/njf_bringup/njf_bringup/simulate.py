"""The simulator's fast path to a dataset: same motions, same images, same format, without ROS.

States are posed, settled and rendered in parallel by processes that each own a simulator; what
follows (background, masks, flow) is the conversion of any recording. Interrupted, it continues
where it stopped. The exact flow and the depth that only a simulator knows are written on request,
for the upper bounds of an ablation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from numpy.lib.format import open_memmap

from njf_control.robot import RobotConfig
from njf_perception.errors import DataError
from njf_sim.flow import GroundTruth
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel
from njf_training.assemble import Assembly, Source
from njf_training.dataset import Dataset
from njf_training.derive import BLOCK, EstimatorFactory, run_missing_blocks
from njf_training.explore import PlannedState, plan
from njf_training.flow import DisFlow, half_size
from njf_training.work_folder import WorkFolder

_EDGE_M = 0.01  # a larger difference between neighbouring pixels is an edge


@dataclass(frozen=True)
class SimulateOptions:
    """What to simulate.

    Attributes:
        states: settled states.
        steps_per_trajectory: small steps after each jump.
        seed: of the random motions.
        flow_cameras: cameras per pair in which flow is estimated.
        depth: also write what a depth camera would measure.
        exact_flow: also write the simulator's own flow, which no camera can see.
        workers: processes.
    """

    states: int = 3000
    steps_per_trajectory: int = 5
    seed: int = 0
    flow_cameras: int = 3
    depth: bool = False
    exact_flow: bool = False
    workers: int = 2

    @property
    def settings(self) -> dict[str, int | bool]:
        """All that decides the result."""
        return {name: value for name, value in vars(self).items() if name != "workers"}


def simulate(
    robot: RobotConfig,
    out: Path,
    options: SimulateOptions | None = None,
    make_estimator: EstimatorFactory = DisFlow,
) -> Dataset:
    """Make the dataset folder `out` for a simulated robot.

    Raises:
        DataError: `out` exists.
        ConfigError: the robot has no simulation that fits its description.
    """
    options = options or SimulateOptions()
    robot = robot.with_training_size()
    if out.exists():
        raise DataError(f"{out} exists already. Remove it or choose another output.")
    model = RobotModel.from_robot(robot)
    key = {"robot": robot.model_dump(mode="json"), "options": options.settings}
    work = WorkFolder(out, key)
    plans = list(plan(robot, options.states, options.steps_per_trajectory, options.seed))
    if not work.is_done("arrays"):
        _create_arrays(work.folder, robot, model, plans, options)
        work.set_done("arrays")
    _render(work, robot, plans, options)
    cameras = [model.cameras[name] for name in robot.camera_names]
    source = Source(robot, cameras, ["simulator"], options.settings)
    Assembly(work, source, options.workers, make_estimator, options.flow_cameras).run()
    if options.exact_flow:
        _trace_flow(work, robot, len(np.load(work.folder / "pairs.npy")), options.workers)
    _write_truth(work.folder, model)
    work.publish(out)
    return Dataset.open(out)


def _create_arrays(
    folder: Path,
    robot: RobotConfig,
    model: RobotModel,
    plans: list[PlannedState],
    options: SimulateOptions,
) -> None:
    camera = robot.control_camera
    states, cameras = len(plans), len(robot.cameras)
    shape = (states, cameras, camera.height, camera.width, 3)
    open_memmap(folder / "images.npy", "w+", np.uint8, shape).flush()
    size = (states, len(model.configuration))
    open_memmap(folder / "configurations.npy", "w+", np.float64, size).flush()
    if options.depth:
        half = (states, cameras, camera.height // 2, camera.width // 2)
        open_memmap(folder / "depth.npy", "w+", np.float16, half).flush()
    trajectory = np.array([state.trajectory for state in plans], np.int32)
    first = np.flatnonzero(trajectory[1:] == trajectory[:-1]).astype(np.int32)
    np.save(folder / "commands.npy", np.array([state.setpoint for state in plans]))
    np.save(folder / "trajectory.npy", trajectory)
    np.save(folder / "pairs.npy", np.stack([first, first + 1], axis=1))


def _render(
    work: WorkFolder, robot: RobotConfig, plans: list[PlannedState], options: SimulateOptions
) -> None:
    """Render whole trajectories per task, so that a soft robot starts from its own last state."""
    length = options.steps_per_trajectory + 1
    tasks = {
        row: (work.folder, robot, row, min(row + length, len(plans)))
        for row in range(0, len(plans), length)
    }
    run_missing_blocks(work, render_block, tasks, options.workers, "images")


def render_block(
    folder: Path, robot: RobotConfig, start: int, stop: int
) -> Float[np.ndarray, " n"]:
    """Settle and render the states start..stop; returns nothing of interest."""
    model, renderer, _ = _simulator(robot)
    images = np.load(folder / "images.npy", mmap_mode="r+")
    configurations = np.load(folder / "configurations.npy", mmap_mode="r+")
    depths = folder / "depth.npy"
    depth = np.load(depths, mmap_mode="r+") if depths.exists() else None
    commands = np.load(folder / "commands.npy", mmap_mode="r")
    model.reset()
    for row in range(start, stop):
        configurations[row] = model.settle(np.asarray(commands[row]))
        renderer.pose(configurations[row])
        for column, name in enumerate(robot.camera_names):
            frame = renderer.render(name)
            images[row, column] = frame.rgb
            if depth is not None:
                depth[row, column] = _half_depth(frame.depth)
    images.flush()
    configurations.flush()
    return np.zeros(0)


def _half_depth(depth: Float32[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
    """Mean over 2 x 2 blocks [m]; NaN across an edge, where it would be of nothing."""
    h, w = depth.shape[0] // 2, depth.shape[1] // 2
    blocks = depth[: 2 * h, : 2 * w].reshape(h, 2, w, 2)
    return np.where(np.ptp(blocks, axis=(1, 3)) < _EDGE_M, blocks.mean(axis=(1, 3)), np.nan)


def _trace_flow(work: WorkFolder, robot: RobotConfig, pairs: int, workers: int) -> None:
    """Write exact_flow.npy, known wherever flow.npy was estimated."""
    flow = np.load(work.folder / "flow.npy", mmap_mode="r")
    if not work.is_done("exact flow"):
        open_memmap(work.folder / "exact_flow.npy", "w+", np.float16, flow.shape).flush()
        work.set_done("exact flow")
    tasks = {
        row: (work.folder, robot, row, min(row + BLOCK, pairs)) for row in range(0, pairs, BLOCK)
    }
    run_missing_blocks(work, exact_flow_block, tasks, workers, "exact flow")


def exact_flow_block(
    folder: Path, robot: RobotConfig, start: int, stop: int
) -> Float[np.ndarray, " n"]:
    """Write the exact flow of pairs start..stop; returns nothing of interest."""
    _, _, truth = _simulator(robot)
    exact = np.load(folder / "exact_flow.npy", mmap_mode="r+")
    estimated = np.load(folder / "flow.npy", mmap_mode="r")
    configurations = np.load(folder / "configurations.npy", mmap_mode="r")
    pairs = np.load(folder / "pairs.npy", mmap_mode="r")
    for row in range(start, stop):
        before, after = (np.asarray(configurations[state]) for state in pairs[row])
        for column, name in enumerate(robot.camera_names):
            if np.isnan(estimated[row, column]).all():
                exact[row, column] = np.nan
                continue
            found = truth.flow(name, before, after)
            hidden = found.moving & ~found.visible
            exact[row, column] = half_size(np.where(hidden[..., None], np.nan, found.flow))
    exact.flush()
    return np.zeros(0)


_cache: dict[str, tuple[RobotModel, Renderer, GroundTruth]] = {}


def _simulator(robot: RobotConfig) -> tuple[RobotModel, Renderer, GroundTruth]:
    """This process's simulator: its static images take longer than a state."""
    key = robot.model_dump_json()
    if key not in _cache:
        model = RobotModel.from_robot(robot)
        _cache[key] = (model, Renderer(model), GroundTruth(model))
    return _cache[key]


def _write_truth(folder: Path, model: RobotModel) -> None:
    configurations = folder / "configurations.npy"
    np.savez(
        folder / "truth.npz",
        joint_names=model.configuration_names,
        joint_positions=np.load(configurations),
    )
    configurations.unlink()
