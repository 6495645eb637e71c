"""Many goals in parallel, one simulator per process; an interrupted run continues."""

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from njf_bringup.closed_loop.disturbances import Disturbance, disturb_model, scenario
from njf_bringup.closed_loop.jacobians import ExactEyes, Eyes, LearnedEyes
from njf_bringup.closed_loop.plant import Plant
from njf_bringup.closed_loop.statistics import summary
from njf_bringup.closed_loop.trial import TrialResult, failed_trial, run_trial
from njf_bringup.demo.goals import Trial, draw_trials
from njf_bringup.json_file import write_json
from njf_control.robot import RobotConfig
from njf_control.servo import ServoConfig
from njf_perception.checkpoint import load_checkpoint
from njf_perception.errors import NjfError
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

EXACT = "exact"
_GOALS = "goals.jsonl"


@dataclass(frozen=True)
class Setup:
    """All that one process needs to run goals.

    Attributes:
        robot: the robot.
        jacobians: path of a checkpoint, or `EXACT`.
        seed: of goals and disturbances.
        disturbance: what is different from the training.
        servo: settings of the loop.
        latency_frames: images on their way.
    """

    robot: RobotConfig
    jacobians: str = EXACT
    seed: int = 0
    disturbance: Disturbance = Disturbance.NONE
    servo: ServoConfig = field(default_factory=ServoConfig)
    latency_frames: int = 0

    def key(self) -> dict[str, Any]:
        """All that decides the result, for JSON."""
        exact = self.jacobians == EXACT
        return {
            "robot": self.robot.model_dump(mode="json"),
            "jacobians": EXACT if exact else load_checkpoint(self.jacobians).content_id,
            "seed": self.seed,
            "disturbance": self.disturbance.value,
            "servo": self.servo.model_dump(mode="json"),
            "latency_frames": self.latency_frames,
        }


@dataclass(frozen=True)
class Results:
    """Goals in order, and what they say together."""

    trials: list[TrialResult]
    summary: dict[str, Any]


class Bench:
    """One process's simulator and model, ready for goals."""

    def __init__(self, setup: Setup) -> None:
        """Compile the robot and load the model.

        Raises:
            NjfError: the checkpoint or the disturbance does not fit the robot.
        """
        self._setup = setup
        camera = setup.robot.control_camera.name
        self._model = self._simulated(camera)
        self._renderer = Renderer(self._model)
        self.eyes: Eyes = (
            ExactEyes(setup.robot, self._simulated(camera))
            if setup.jacobians == EXACT
            else LearnedEyes(setup.jacobians, setup.robot)
        )
        middle = Plant(setup.robot, self._model, self._renderer)
        middle.place((setup.robot.lower + setup.robot.upper) / 2)
        self._mean_view = middle.look().robot

    def plant(self, index: int) -> Plant:
        """The plant of trial `index`."""
        setup = self._setup
        rng = np.random.default_rng([setup.seed, index, 1])
        disturbed = scenario(setup.disturbance, setup.robot, self._mean_view, rng)
        return Plant(setup.robot, self._model, self._renderer, disturbed, setup.latency_frames)

    def run(self, index: int, trial: Trial) -> TrialResult:
        """Run one goal; one that cannot be pursued is a result, too."""
        plant = self.plant(index)
        try:
            return run_trial(plant, self.eyes, trial, self._setup.servo, index)
        except NjfError:
            return failed_trial(plant, trial, index)

    def _simulated(self, camera: str) -> RobotModel:
        model = RobotModel.from_robot(self._setup.robot)
        disturb_model(self._setup.disturbance, model, camera, self._setup.seed)
        return model


def run_closed_loop(setup: Setup, goals: int, out: Path, workers: int = 1) -> Results:
    """Run `goals` goals and write goals.jsonl and summary.json into `out`.

    Goals that `out` holds already, from the same setup, are not run again.

    Raises:
        NjfError: the checkpoint or the disturbance does not fit the robot.
    """
    done = {result.index: result for result in _begin(out, setup.key())}
    trials = draw_trials(setup.robot, goals, setup.seed)
    missing = [(index, trial) for index, trial in enumerate(trials) if index not in done]
    with (
        (out / _GOALS).open("a") as journal,
        tqdm(total=goals, initial=goals - len(missing), desc="goals", unit="goal") as progress,
    ):
        for result in _run(setup, missing, workers):
            journal.write(json.dumps(result.as_dict()) + "\n")
            journal.flush()
            done[result.index] = result
            progress.update()
            progress.set_postfix_str(f"{result.end.joint_deg:.2f} deg, {result.end.tip_mm:.2f} mm")
    results = [done[index] for index in range(goals)]
    figures = summary(results)
    write_json(out / "summary.json", setup.key() | figures)
    return Results(results, figures)


def _begin(out: Path, key: dict[str, Any]) -> list[TrialResult]:
    """Results in `out` when they are of the same setup; otherwise makes room for new ones."""
    journal, settings = out / _GOALS, out / "setup.json"
    out.mkdir(parents=True, exist_ok=True)
    key = json.loads(json.dumps(key))
    if journal.exists() and settings.exists() and json.loads(settings.read_text()) == key:
        whole = [line for line in journal.read_text().splitlines(True) if line.endswith("\n")]
        journal.write_text("".join(whole))  # an interrupted line is run again
        return [TrialResult.from_dict(json.loads(line)) for line in whole]
    journal.unlink(missing_ok=True)
    write_json(settings, key)
    return []


def _run(setup: Setup, tasks: list[tuple[int, Trial]], workers: int) -> Iterator[TrialResult]:
    if workers <= 1 or len(tasks) <= 1:
        _start(setup)
        for task in tasks:
            yield _work(*task)
        return
    # A fresh interpreter per worker: forking copies the locks of OpenCV's and torch's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (setup,)) as pool:
        for future in as_completed([pool.submit(_work, *task) for task in tasks]):
            yield future.result()


_bench: dict[str, Bench | Setup] = {}


def _start(setup: Setup) -> None:
    """Prepare this process; the bench itself is made with the first goal, whose errors arrive."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _bench["setup"] = setup
    _bench.pop("bench", None)


def _work(index: int, trial: Trial) -> TrialResult:
    if "bench" not in _bench:
        setup = _bench["setup"]
        assert isinstance(setup, Setup)
        _bench["bench"] = Bench(setup)
    bench = _bench["bench"]
    assert isinstance(bench, Bench)
    return bench.run(index, trial)
