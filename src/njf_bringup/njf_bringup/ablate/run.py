"""Train and judge every cell; what is finished is not done again."""

import json
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from njf_bringup.ablate.cells import NARROW, NARROW_SHARE, NARROW_STATES, WHOLE, Cell, Row, merged
from njf_bringup.ablate.robots import training_cameras, with_all_cameras, within
from njf_bringup.ablate.summary import FIGURES, summarise
from njf_bringup.criteria import look_up
from njf_bringup.json_file import write_json
from njf_control.robot import RobotConfig
from njf_perception.config import parse_config
from njf_perception.errors import DataError
from njf_perception.processes import worker_pool
from njf_training.train import TrainConfig

JUDGED_MOTIONS, JUDGED_STRIDE = 24, 12  # enough to compare, in a third of the time


@dataclass(frozen=True)
class Ablation:
    """What is asked for.

    Attributes:
        robot: as in its file.
        out: folder of everything.
        config: the robot's training configuration, as read from YAML.
        states: states of the dataset.
        seeds: trainings per cell that a claim rests on; the others are trained once.
        jobs: trainings at a time, one thread each; with one job the configuration's threads.
    """

    robot: RobotConfig
    out: Path
    config: dict[str, Any]
    states: int = 2400
    seeds: int = 3
    jobs: int = 1

    @property
    def rig(self) -> RobotConfig:
        """The robot with all cameras that there are."""
        return with_all_cameras(self.robot)

    @property
    def cameras(self) -> list[str]:
        """Cameras to learn from."""
        return training_cameras(self.rig)

    def seeds_of(self, cell: Cell) -> range:
        """Seeds that a cell is trained with."""
        return range(self.seeds if cell.claim else 1)

    def dataset(self, name: str) -> Path:
        """Where one of the datasets is."""
        return self.out / "data" / name

    def folder(self, cell: Cell, seed: int) -> Path:
        """Where one training is."""
        return self.out / "cells" / cell.name / f"seed_{seed}"

    def training(self, cell: Cell, seed: int) -> TrainConfig:
        """The configuration of one training.

        Raises:
            ConfigError: the cell asks for something that cannot be trained.
        """
        run = {"seed": seed} | ({"threads": 1} if self.jobs > 1 else {})
        content = merged(merged(self.config, cell.changes), run)
        return parse_config(content, TrainConfig, f"cell '{cell.name}'")


def run_ablation(ablation: Ablation, rows: Sequence[Row]) -> dict[str, Any]:
    """Make data, train and judge what is missing, and sum up; see `summarise`.

    Raises:
        NjfError: a cell cannot be trained; found before the first one is.
        DataError: `out` holds an ablation with other settings.
    """
    cells = {row.cell.name: row.cell for row in rows}
    for cell in cells.values():
        ablation.training(cell, 0)
    _claim(ablation)
    for name in sorted({WHOLE} | {cell.dataset for cell in cells.values()}, reverse=True):
        make_data(ablation, name)
    trainings = [
        (ablation, cell, seed)
        for seed in range(ablation.seeds)
        for cell in cells.values()
        if seed in ablation.seeds_of(cell)
    ]
    tasks = [task for task in trainings if not _is_done(*task)]
    total, done = len(trainings), len(trainings) - len(tasks)
    with tqdm(total=total, initial=done, desc="cells", unit="cell") as progress:
        _run(tasks, ablation.jobs, progress)
    found = {
        name: [read_figures(ablation.folder(cell, s)) for s in ablation.seeds_of(cell)]
        for name, cell in cells.items()
    }
    return summarise(ablation.robot.name, rows, found, steps_of(ablation, rows))


def make_data(ablation: Ablation, name: str) -> Path:
    """Simulate one of the datasets, with depth and exact flow; continues what was interrupted."""
    from njf_bringup.simulate import SimulateOptions, simulate

    out = ablation.dataset(name)
    if out.exists():
        return out
    robot, states = ablation.rig, ablation.states
    if name == NARROW:  # its cells learn from the baseline's cameras only
        robot, states = within(ablation.robot, NARROW_SHARE), min(states, NARROW_STATES)
    options = SimulateOptions(
        states=states,
        seed=1 if name == NARROW else 0,  # so that no judged motion is trained on in the other
        # Flow in every camera, else a cell of two cameras would have less flow per camera than
        # one of twelve.
        flow_cameras=len(training_cameras(robot)),
        depth=True,
        exact_flow=True,
    )
    simulate(robot, out, options)
    return out


def run_cell(ablation: Ablation, cell: Cell, seed: int) -> None:
    """Train one cell and write its metrics.json."""
    from njf_bringup.assessment import judged, make_judge, options_for
    from njf_bringup.truth import SimulatorTruth
    from njf_training.train import train

    folder, config = ablation.folder(cell, seed), ablation.training(cell, seed)
    checkpoint = train(ablation.dataset(cell.dataset), ablation.robot, folder / "training", config)
    whole = ablation.dataset(WHOLE)
    truth = SimulatorTruth(whole, ablation.rig)
    options = replace(
        options_for(truth, JUDGED_MOTIONS),
        training_cameras=0,
        motions_from=cell.judged,
        view_stride=JUDGED_STRIDE,
    )
    metrics = {"prediction": judged(make_judge(ablation.rig, checkpoint, whole, truth), options)}
    used = {"states": states_of(ablation, cell), "cameras": cameras_of(ablation, cell)}
    about = {"cell": cell.name, "seed": seed, "config": config.model_dump(mode="json")}
    write_json(folder / "metrics.json", about | used | metrics)


def states_of(ablation: Ablation, cell: Cell) -> int:
    """How many states a cell learns from, those held out included."""
    available = min(ablation.states, NARROW_STATES) if cell.dataset == NARROW else ablation.states
    return min(ablation.training(cell, 0).data.states or available, available)


def cameras_of(ablation: Ablation, cell: Cell) -> int:
    """How many cameras a cell learns from."""
    return len(ablation.training(cell, 0).data.cameras or ablation.cameras)


def steps_of(ablation: Ablation, rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """States, cameras and steps per cell."""
    return {
        row.cell.name: {
            "states": states_of(ablation, row.cell),
            "cameras": cameras_of(ablation, row.cell),
            "steps": ablation.training(row.cell, 0).steps,
        }
        for row in rows
    }


def read_figures(folder: Path) -> dict[str, float | None]:
    """The table's figures of one finished training."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: look_up(metrics, figure.path) for name, figure in FIGURES.items()}


def _run(tasks: list[tuple[Ablation, Cell, int]], jobs: int, progress: tqdm) -> None:
    if jobs <= 1:
        for task in tasks:
            run_cell(*task)
            progress.update()
        return
    with worker_pool(jobs) as pool:
        for future in as_completed([pool.submit(run_cell, *task) for task in tasks]):
            future.result()
            progress.update()


def _is_done(ablation: Ablation, cell: Cell, seed: int) -> bool:
    return (ablation.folder(cell, seed) / "metrics.json").exists()


def _claim(ablation: Ablation) -> None:
    """Make sure that what `out` holds, if anything, belongs to the same question."""
    path = ablation.out / "ablation_settings.json"
    asked = {
        "robot": ablation.robot.model_dump(mode="json"),
        "config": ablation.config,
        "states": ablation.states,
    }
    asked = json.loads(json.dumps(asked))
    found = json.loads(path.read_text()) if path.exists() else asked
    if found != asked:
        changed = ", ".join(key for key in asked if found.get(key) != asked[key])
        raise DataError(
            f"{ablation.out} holds an ablation with another {changed}. "
            "Choose another --out, or remove this one."
        )
    write_json(path, asked)
