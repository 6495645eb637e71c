"""Many goals in parallel, one simulator per process; an interrupted run continues."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from njf_bringup.closed_loop.disturbances import Disturbance, disturb_model, scenario
from njf_bringup.closed_loop.jacobians import ExactEyes, Eyes, LearnedEyes
from njf_bringup.closed_loop.pictures import write_convergence
from njf_bringup.closed_loop.plant import Plant, View
from njf_bringup.closed_loop.statistics import summary
from njf_bringup.closed_loop.trial import TrialResult, failed_trial, run_trial
from njf_bringup.demo.goals import Trial, draw_trials
from njf_bringup.json_file import write_json
from njf_control.robot import RobotConfig
from njf_control.servo import ServoConfig
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint
from njf_perception.errors import NjfError
from njf_perception.processes import worker_pool
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

EXACT = "exact"


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
            else LearnedEyes(setup.jacobians, setup.robot, setup.servo.correction.enabled)
        )
        self._mean_view = self.look((setup.robot.lower + setup.robot.upper) / 2).robot

    @property
    def camera(self) -> Camera:
        """The control camera, where it really is."""
        return self._model.cameras[self._setup.robot.control_camera.name]

    def look(self, setpoint: Float[np.ndarray, " n"]) -> View:
        """What the camera sees of the robot at rest at a set-point, but for what is in its way."""
        plant = Plant(self._setup.robot, self._model, self._renderer)
        plant.place(setpoint)
        return plant.look()

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


class Result(Protocol):
    """What a journal keeps."""

    @property
    def index(self) -> int:
        """Number of the trial."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        ...


R = TypeVar("R", bound=Result)


class Journal(Generic[R]):
    """Results in a folder, one JSON line each, kept over interruptions."""

    def __init__(
        self, out: Path, key: dict[str, Any], from_dict: Callable[[dict[str, Any]], R]
    ) -> None:
        """Continue what `out` holds of the same `key`; another run's results stay until `add`."""
        self._path, self._settings = out / "goals.jsonl", out / "setup.json"
        self._key = json.loads(json.dumps(key))
        begun = self._path.exists() and self._settings.exists()
        self._continues = begun and json.loads(self._settings.read_text()) == self._key
        self.done: dict[int, R] = {}
        if self._continues:
            lines = self._path.read_text().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            self._path.write_text("".join(whole))  # a line that was cut is run again
            results = [from_dict(json.loads(line)) for line in whole]
            self.done = {result.index: result for result in results}

    def add(self, result: R) -> None:
        """Note a result; the first one of a new run takes the place of an older run."""
        if not self._continues:
            self._path.unlink(missing_ok=True)
            write_json(self._settings, self._key)
            self._continues = True
        self.done[result.index] = result
        with self._path.open("a") as file:
            file.write(json.dumps(result.as_dict()) + "\n")


def run_closed_loop(setup: Setup, goals: int, out: Path, workers: int = 1) -> Results:
    """Run `goals` goals and write goals.jsonl, summary.json and convergence.png into `out`.

    Goals that `out` holds already, from the same setup, are not run again.

    Raises:
        NjfError: the checkpoint or the disturbance does not fit the robot.
    """
    journal = Journal(out, setup.key(), TrialResult.from_dict)
    trials = draw_trials(setup.robot, goals, setup.seed)
    missing = [(index, trial) for index, trial in enumerate(trials) if index not in journal.done]
    with progress_bar(goals, goals - len(missing)) as progress:
        for result in _run(setup, missing, workers):
            journal.add(result)
            show_progress(progress, result)
    return finish(setup.key(), [journal.done[index] for index in range(goals)], out)


def finish(key: dict[str, Any], results: list[TrialResult], out: Path) -> Results:
    """Write the summary and the picture of the errors over the steps."""
    figures = summary(results, by_tips=key["disturbance"] == Disturbance.WEIGHT)
    write_convergence(out / "convergence.png", results, figures, key)
    write_json(out / "summary.json", key | figures)
    return Results(results, figures)


def progress_bar(total: int, done: int) -> tqdm:
    """A bar over goals."""
    return tqdm(total=total, initial=done, desc="goals", unit="goal")


def show_progress(progress: tqdm, result: TrialResult) -> None:
    """Count a goal and show its error."""
    progress.set_postfix_str(f"{result.end.joint_deg:.2f} deg, {result.end.tip_mm:.2f} mm", False)
    progress.update()


def _run(setup: Setup, tasks: list[tuple[int, Trial]], workers: int) -> Iterator[TrialResult]:
    if workers <= 1 or len(tasks) <= 1:
        _start(setup)
        for task in tasks:
            yield _work(*task)
        return
    with worker_pool(workers, _start, setup) as pool:
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
