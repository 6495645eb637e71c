"""The stages from a robot to its checkpoint; each writes one thing and is skipped once it is there.

bag  ->  dataset  ->  training/checkpoint.pt  ->  flow.json, demo/metrics.json  ->  checkpoints/
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from njf_bringup.json_file import write_json
from njf_bringup.paths import robot_file, root
from njf_control.robot import load_robot
from njf_perception.config import load_config
from njf_perception.errors import ConfigError, DataError

if TYPE_CHECKING:
    from njf_training.evaluate import Truth

LOOP_GOALS = 20
SMALLEST_COSINE = 0.95  # mean over views of cameras that never trained
EVALUATED_MOTIONS = 40  # each takes some seconds: eight views, traced exactly


def convert(robot: str, bag: Path, out: Path, flow: str = "dis", tracks: int = 0) -> None:
    """Turn a bag of this robot into a dataset; its quality report is printed.

    Args:
        robot: its name.
        bag: what to convert.
        out: folder to create.
        flow: estimator of optical flow, "dis" or "raft".
        tracks: points to track per pair and camera, 0 for none.

    Raises:
        ConfigError: the flow estimator is unknown or not installed.
        DataError: the bag is unusable, or the report has errors.
    """
    from njf_training.convert import convert as convert_bag
    from njf_training.flow_raft import flow_estimator
    from njf_training.states import ConvertOptions

    options = ConvertOptions(tracks=tracks)
    report = convert_bag(bag, out, options, load_robot(robot_file(robot)), flow_estimator(flow))
    print(report.text())
    if report.errors:
        raise DataError(f"{out} is unfit for training: {'; '.join(report.errors)}. Record again.")


def train(robot: str, dataset: Path, out: Path, config: Path | None = None) -> Path:
    """Train; resumes an interrupted run in `out`. Returns the checkpoint's path.

    Raises:
        ConfigError: there is no training configuration for the robot.
    """
    path = config or root() / "config" / "training" / f"{robot}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"{path} does not exist; training configurations there: {known}.")
    from njf_training.train import TrainConfig
    from njf_training.train import train as train_on

    return train_on(dataset, load_robot(robot_file(robot)), out, load_config(path, TrainConfig))


def evaluate(
    robot: str,
    checkpoint: Path,
    dataset: Path,
    out: Path | None = None,
    limit: int = EVALUATED_MOTIONS,
) -> dict[str, Any]:
    """Judge a checkpoint by the simulator's exact flow; print the figures, write them to `out`."""
    from njf_bringup.truth import SimulatorTruth
    from njf_training.check import check_dataset
    from njf_training.dataset import Dataset
    from njf_training.evaluate import evaluate as judge

    config = load_robot(robot_file(robot))
    check_dataset(Dataset.open(dataset), config)
    truth = SimulatorTruth(dataset, config)
    figures = judge(checkpoint, dataset, truth, limit)
    print(evaluation_table(figures))
    if out is not None:
        _draw(checkpoint, dataset, truth, out.with_suffix(".png"))
        write_json(out, figures)
    return figures


def _draw(checkpoint: Path, dataset: Path, truth: "Truth", picture: Path) -> None:
    """Show the held-out motion with the largest command in the control and held-out cameras."""
    from njf_training.dataset import Dataset
    from njf_training.evaluate import Predictor
    from njf_training.pictures import prediction_sheet

    data = Dataset.open(dataset)
    rows = data.split()[1]
    steps = np.linalg.norm(np.diff(data.normalized_commands()[data.pairs[rows]], axis=1), axis=-1)
    shown = [camera.name for camera in data.cameras if camera.role != "training"]
    row = int(rows[steps[:, 0].argmax()])
    prediction_sheet(Predictor.load(checkpoint), data, truth, row, shown, picture)


def run_all(robot: str, home: Path, states: int, seed: int, install: bool) -> bool:
    """Record, convert, train, evaluate and close the loop, all in `home`; finished stages stay.

    Returns whether flow and closed loop met their criteria. With `install` the checkpoint and its
    metrics are then copied to checkpoints/<robot>.

    Raises:
        DataError: `home` holds results of another call.
    """
    from njf_bringup.commands.explore import explore_into

    asked = {"robot": robot, "states": states, "seed": seed}
    _claim(home, asked)

    bag, dataset, training = home / "bag", home / "dataset", home / "training"
    checkpoint, flow, loop = training / "checkpoint.pt", home / "flow.json", home / "demo"

    def explore() -> None:
        shutil.rmtree(bag, ignore_errors=True)  # what an aborted exploration left
        explore_into(bag, robot, True, states, seed, home / "run")

    # Bag, dataset and checkpoint are there before it is known that their stages went well, so only
    # a mark of its own says so.
    _stage("record", home / "recorded", explore, mark=True)
    _stage("dataset", home / "converted", lambda: convert(robot, bag, dataset), mark=True)
    _stage("train", home / "trained", lambda: train(robot, dataset, training), mark=True)
    _stage("evaluate", flow, lambda: evaluate(robot, checkpoint, dataset, flow))
    _stage("demo", loop / "metrics.json", lambda: close_loop(robot, checkpoint, loop, seed))
    metrics = {
        "made_by": f"njf pipeline --robot {robot} --states {states} --seed {seed}",
        "flow": json.loads(flow.read_text()),
        "closed_loop": json.loads((loop / "metrics.json").read_text()),
    }
    good = _good(metrics)
    if install and good:
        _install(robot, checkpoint, metrics)
    elif install:
        print(f"not installed, because criteria were missed; the checkpoint is {checkpoint}")
    return good


def _claim(home: Path, asked: dict[str, Any]) -> None:
    """Make sure that what `home` holds, if anything, came from the same call."""
    path = home / "pipeline.json"
    found = json.loads(path.read_text()) if path.exists() else asked
    if found != asked:
        raise DataError(
            f"{home} holds results for {found}, asked for {asked}. "
            "Choose another folder with --home, or remove this one."
        )
    write_json(path, asked)


def _good(metrics: dict[str, Any]) -> bool:
    """The criteria of flow in unseen cameras, where there are some, and of the closed loop."""
    from njf_bringup.demo.verdict import succeeded

    unseen = metrics["flow"].get("held_out")
    if unseen is not None and not unseen["cosine"].get("mean", 0.0) >= SMALLEST_COSINE:
        print(f"flow in unseen cameras missed a cosine of {SMALLEST_COSINE}: {unseen['cosine']}")
        return False
    return succeeded(metrics["closed_loop"])


def close_loop(robot: str, checkpoint: Path, out: Path, seed: int) -> None:
    """Reach goals with a checkpoint and print the verdict."""
    from njf_bringup.demo.goal_kind import GoalKind
    from njf_bringup.demo.run import DemoOptions, run_demo

    run_demo(DemoOptions(robot, LOOP_GOALS, seed, out, checkpoint, GoalKind.TRACKS))


def evaluation_table(figures: dict[str, Any]) -> str:
    """Median and spread of each figure per camera role."""
    lines = [
        f"{'cameras':<10}{'figure':<18}{'mean':>9}{'median':>9}{'p10':>9}{'p90':>9}{'views':>7}"
    ]
    for role, scores in figures.items():
        for name, s in scores.items():
            if s["count"]:
                cells = "".join(f"{s[key]:9.3f}" for key in ("mean", "median", "p10", "p90"))
                lines.append(f"{role:<10}{name:<18}{cells}{s['count']:7d}")
    return "\n".join(lines)


def _install(robot: str, checkpoint: Path, metrics: dict[str, Any]) -> None:
    target = root() / "checkpoints" / robot
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(checkpoint, target / f"{robot}.pt")
    write_json(target / "metrics.json", metrics)
    print(f"installed {target}/{robot}.pt")


def _stage(name: str, product: Path, work: Callable[[], object], mark: bool = False) -> None:
    """Do the work unless its product is there; with `mark` the product is a mark set afterwards."""
    if product.exists():
        print(f"{name}: {product} is there, nothing to do")
        return
    begin_s = time.monotonic()
    work()
    if mark:
        product.touch()
    print(f"{name}: {time.monotonic() - begin_s:.0f} s")
