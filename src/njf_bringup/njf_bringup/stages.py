"""The stages from a robot to its checkpoint; each writes one thing and is skipped once it is there.

bag -> dataset (or simulated at once) -> training/checkpoint.pt (and, as an upper bound,
training_exact/checkpoint.pt) -> evaluation/metrics.json -> checkpoints/<robot>
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from njf_bringup.criteria import missed
from njf_bringup.json_file import write_json
from njf_bringup.paths import robot_file, robot_name, root
from njf_control.robot import load_robot
from njf_perception.config import load_config
from njf_perception.errors import ConfigError, DataError

LOOP_GOALS = 50
EXACT_TRAINING = "training_exact"
EVALUATED_MOTIONS = 40
STATES = {"finger": 1200}
DEFAULT_STATES = 2400


@dataclass(frozen=True)
class Plan:
    """What the pipeline is asked for.

    Attributes:
        robot: name of the robot.
        states: settled states of the dataset.
        seed: of everything random.
        through_ros: record the data through driver, cameras and bag instead of simulating them.
        exact_flow: also train on the simulator's exact flow, to see what estimated flow costs.
    """

    robot: str
    states: int
    seed: int
    through_ros: bool = False
    exact_flow: bool = False

    def __post_init__(self) -> None:
        if self.through_ros and self.exact_flow:
            raise ConfigError(
                "--exact-flow comes from the simulator's fast path; leave out --through-ros or it."
            )

    @property
    def command(self) -> str:
        """The command line that does this."""
        source = "--through-ros" if self.through_ros else "--simulated"
        bound = " --exact-flow" if self.exact_flow else ""
        return (
            f"njf pipeline --robot {self.robot} --states {self.states} --seed {self.seed} "
            f"{source}{bound}"
        )


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


def simulate(plan: Plan, out: Path) -> None:
    """Make the dataset straight from the simulator; continues where it was interrupted."""
    from njf_bringup.simulate import SimulateOptions
    from njf_bringup.simulate import simulate as run

    options = SimulateOptions(states=plan.states, seed=plan.seed, exact_flow=plan.exact_flow)
    run(load_robot(robot_file(plan.robot)), out, options)


def train(
    robot: str, dataset: Path, out: Path, config: Path | None = None, exact_flow: bool = False
) -> Path:
    """Train; resumes an interrupted run in `out`. Returns the checkpoint's path.

    With `exact_flow` the dataset's exact flow takes the place of the configured one.

    Raises:
        ConfigError: there is no training configuration for the robot.
    """
    path = config or root() / "config" / "training" / f"{robot_name(robot)}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(
            f"{path} does not exist; training configurations there: {known}. Or choose a file with "
            "--config."
        )
    from njf_training.train import TrainConfig
    from njf_training.train import train as train_on

    asked = load_config(path, TrainConfig)
    if exact_flow:
        data = asked.data.model_copy(update={"flow": "exact"})
        asked = asked.model_copy(update={"data": data})
    return train_on(dataset, load_robot(robot_file(robot)), out, asked)


def evaluate(robot: str, checkpoint: Path, dataset: Path, out: Path, seed: int = 0) -> None:
    """Judge a checkpoint, in the closed loop as well; print the figures, write them to `out`."""
    from njf_bringup.assessment import LoopOptions, assess
    from njf_bringup.tables.text import summary_text
    from njf_training.check import check_dataset
    from njf_training.dataset import Dataset

    exact = dataset.parent / EXACT_TRAINING / "checkpoint.pt"
    loop = LoopOptions(LOOP_GOALS, seed=seed, exact_flow_checkpoint=exact)
    config = load_robot(robot_file(robot))
    check_dataset(Dataset.open(dataset), config)
    metrics = assess(config, checkpoint, dataset, out, EVALUATED_MOTIONS, loop)
    print(summary_text(metrics))


def run_all(plan: Plan, home: Path, install: bool) -> bool:
    """From the robot to its checkpoint, all in `home`; finished stages are not done again.

    Returns whether the robot's criteria were met. With `install` the checkpoint, its metrics and
    pictures are then copied to checkpoints/<robot>, and the tables of results are written anew.

    Raises:
        DataError: `home` holds results of another call.
    """
    _claim(home, vars(plan))
    dataset, training, evaluation = home / "dataset", home / "training", home / "evaluation"
    checkpoint = training / "checkpoint.pt"
    _make_dataset(plan, home, dataset)
    # The checkpoint is there before training is done, so only a mark of its own says so.
    _stage("train", home / "trained", _timed(home, lambda: train(plan.robot, dataset, training)))
    if plan.exact_flow:
        exact = home / EXACT_TRAINING
        work = lambda: train(plan.robot, dataset, exact, exact_flow=True)  # noqa: E731
        _stage("train on exact flow", home / "trained_exact", work)
    judged = evaluation / "metrics.json"
    _stage(
        "evaluate",
        judged,
        lambda: evaluate(plan.robot, checkpoint, dataset, evaluation, plan.seed),
        mark=False,
    )
    metrics = {"made_by": plan.command} | json.loads(judged.read_text()) | _effort(plan, home)
    problems = missed(robot_name(plan.robot), metrics)
    if problems:
        print("criteria missed: " + "; ".join(problems))
    if install and not problems:
        _install(robot_name(plan.robot), checkpoint, evaluation, metrics)
    elif install:
        print(f"not installed, because criteria were missed; the checkpoint is {checkpoint}")
    return not problems


def _make_dataset(plan: Plan, home: Path, dataset: Path) -> None:
    if not plan.through_ros:
        _stage("simulate", dataset, lambda: simulate(plan, dataset), mark=False)
        return
    from njf_bringup.commands.explore import explore_into

    bag = home / "bag"

    def explore() -> None:
        shutil.rmtree(bag, ignore_errors=True)  # what an aborted exploration left
        explore_into(bag, plan.robot, True, plan.states, plan.seed, home / "run")

    # Bag and dataset are there before it is known that their stages went well.
    _stage("record", home / "recorded", explore)
    _stage("dataset", home / "converted", lambda: convert(plan.robot, bag, dataset))


def _effort(plan: Plan, home: Path) -> dict[str, Any]:
    """What dataset and training cost."""
    from njf_bringup.effort import robot_minutes
    from njf_training.dataset import Dataset

    data = Dataset.open(home / "dataset")
    return {
        "data": {
            "states": len(data.commands),
            "pairs": len(data.pairs),
            "training_cameras": sum(camera.role != "held_out" for camera in data.cameras),
            "robot_minutes": robot_minutes(data, load_robot(robot_file(plan.robot))),
            "through_ros": plan.through_ros,
        },
        "training": {"seconds": _seconds(home)},
    }


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


def _install(robot: str, checkpoint: Path, evaluation: Path, metrics: dict[str, Any]) -> None:
    from njf_bringup.tables.write import write_tables

    target = root() / "checkpoints" / robot
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(checkpoint, target / f"{robot}.pt")
    write_json(target / "metrics.json", metrics)
    pictures = root() / "docs" / "images" / robot
    pictures.mkdir(parents=True, exist_ok=True)
    for picture in evaluation.glob("*.png"):
        shutil.copy(picture, pictures / picture.name)
    write_tables(root())
    print(f"installed {target}/{robot}.pt")


def _timed(home: Path, work: Callable[[], object]) -> Callable[[], None]:
    """Note how long the work takes, over all attempts."""

    def run() -> None:
        begin_s, earlier_s = time.monotonic(), _seconds(home)
        try:
            work()
        finally:
            spent_s = earlier_s + time.monotonic() - begin_s
            write_json(home / "training_seconds.json", spent_s)

    return run


def _seconds(home: Path) -> float:
    path = home / "training_seconds.json"
    return float(json.loads(path.read_text())) if path.exists() else 0.0


def _stage(name: str, product: Path, work: Callable[[], object], mark: bool = True) -> None:
    """Do the work unless its product is there; with `mark` the product is a mark set afterwards."""
    if product.exists():
        print(f"{name}: {product} is there, nothing to do")
        return
    begin_s = time.monotonic()
    work()
    if mark:
        product.touch()
    print(f"{name}: {time.monotonic() - begin_s:.0f} s")
