"""Tasks of several goals one after the other: shapes that a tip draws, postures of a hand.

Each waypoint is a goal like any other: it is shown with the robot standing there, its points are
tracked to where the robot really stands now, and the servo does the rest. The simulator's inverse
kinematics poses the task; nothing of it reaches the servo but pictures and pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from njf_bringup.closed_loop.pictures import write_drawing, write_postures
from njf_bringup.closed_loop.run import (
    Bench,
    Journal,
    Results,
    Setup,
    finish,
    progress_bar,
    show_progress,
)
from njf_bringup.closed_loop.trial import TrialResult
from njf_bringup.closed_loop.waypoints import Waypoint, letters, load_tasks, postures, square
from njf_bringup.demo.goals import Trial
from njf_bringup.json_file import write_json
from njf_sim.robot_model import RobotModel

WORD = "NJF"


class Task(StrEnum):
    """What the robot is asked to do."""

    GOALS = "goals"
    SQUARE = "square"
    LETTERS = "letters"
    POSTURES = "postures"
    DEMONSTRATION = "demonstration"
    DRAGS = "drags"


@dataclass(frozen=True)
class TaskResults:
    """How a task went.

    Attributes:
        results: of every waypoint but the first, where the task begins.
        labelled: error at each corner (first tip) or posture (mean of the tips) [mm].
    """

    results: Results
    labelled: dict[str, float]


def run_task(setup: Setup, task: Task, out: Path) -> TaskResults:
    """Run a task and write its pictures and figures into `out`; continues where it stopped.

    Raises:
        ConfigError: the robot has no such task.
    """
    points = waypoints(setup, task)
    bench = Bench(setup)
    key = setup.key() | {"task": task.value, "waypoints": [p.setpoint.tolist() for p in points]}
    journal = Journal(out, key, TrialResult.from_dict)
    here = points[0].setpoint
    with progress_bar(len(points) - 1, 0) as progress:
        for index, point in enumerate(points[1:]):
            if index not in journal.done:
                journal.add(bench.run(index, Trial(goal=point.setpoint, start=here)))
            here = np.array(journal.done[index].setpoint)
            show_progress(progress, journal.done[index])
    trials = [journal.done[index] for index in range(len(points) - 1)]
    labelled = errors_at_labels(points[1:], trials)
    return TaskResults(_write(setup, bench, task, points, trials, labelled, out), labelled)


def waypoints(setup: Setup, task: Task) -> list[Waypoint]:
    """The waypoints of a task; the robot begins at the first.

    Raises:
        ConfigError: the robot has no such task.
    """
    robot, tasks = setup.robot, load_tasks(setup.robot.name)
    model = RobotModel.from_robot(robot)  # the task is posed without disturbance
    if task is Task.SQUARE:
        return square(robot, model, tasks)
    if task is Task.LETTERS:
        return letters(robot, model, tasks, WORD)
    return postures(robot, tasks)


def errors_at_labels(points: Sequence[Waypoint], trials: Sequence[TrialResult]) -> dict[str, float]:
    """Distance from each corner or posture at rest [mm]."""
    return {
        point.label: point_error_mm(point, trial)
        for point, trial in zip(points, trials, strict=True)
        if point.label
    }


def point_error_mm(point: Waypoint, trial: TrialResult) -> float:
    """Distance of the first tip from the point to be drawn; without one, the mean of the tips."""
    if point.point_m is None:
        return trial.end.tip_mm
    return float(1e3 * np.linalg.norm(np.array(trial.tip_path_m[-1]) - point.point_m))


def _write(
    setup: Setup,
    bench: Bench,
    task: Task,
    points: list[Waypoint],
    trials: list[TrialResult],
    labelled: dict[str, float],
    out: Path,
) -> Results:
    key: dict[str, Any] = setup.key() | {"task": task.value}
    results = finish(key, trials, out)
    if task is Task.POSTURES:
        _draw_postures(out / "task.png", bench, points[1:], trials)
    else:
        errors_mm = [point_error_mm(*pair) for pair in zip(points[1:], trials, strict=True)]
        image = bench.look(points[-1].setpoint).rgb
        write_drawing(out / "task.png", image, bench.camera, points, trials, errors_mm)
    write_json(out / "task.json", key | {"error_mm": labelled})
    return results


def _draw_postures(
    path: Path, bench: Bench, points: Sequence[Waypoint], trials: Sequence[TrialResult]
) -> None:
    shown = [pair for pair in zip(points, trials, strict=True) if pair[0].label]
    pairs = [
        (bench.look(point.setpoint).rgb, bench.look(np.array(trial.setpoint)).rgb)
        for point, trial in shown
    ]
    errors = [f"{trial.end.tip_mm:.2f} mm" + _joint_text(trial) for _, trial in shown]
    write_postures(path, pairs, [point.label for point, _ in shown], errors)


def _joint_text(trial: TrialResult) -> str:
    joint_deg = trial.end.joint_deg
    return f", {joint_deg:.2f}°" if np.isfinite(joint_deg) else ""
