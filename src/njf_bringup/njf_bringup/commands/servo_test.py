"""`njf servo-test`: the loop against a simulated robot, without ROS, many goals at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from njf_bringup.commands.options import Checkpoint, MaybePath, Robot, Seed

if TYPE_CHECKING:
    from njf_bringup.closed_loop.run import Setup
    from njf_bringup.closed_loop.tasks import Task

_DISTURBANCES = "none, weight, camera, background, occluder, light, noise or offset"
_TASKS = "goals, drags, square, letters, postures or demonstration"


_Correction = Annotated[
    bool,
    typer.Option(
        "--correction",
        help="Correct Jacobians from the motion that is seen, and the view of a moved camera.",
    ),
]


def servo_test(
    robot: Robot = "finger",
    checkpoint: Checkpoint = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="The simulator's own Jacobians, as a bound.")
    ] = False,
    goals: Annotated[
        int, typer.Option(min=1, help="Goals, drags or demonstrations; other tasks have their own.")
    ] = 50,
    seed: Seed = 0,
    disturbance: Annotated[
        str, typer.Option(help=f"What is unlike the training: {_DISTURBANCES}.")
    ] = "none",
    task: Annotated[
        str, typer.Option(help=f"What to do: {_TASKS}. Shapes and postures are in config/tasks.")
    ] = "goals",
    correction: _Correction = False,
    latency_frames: Annotated[
        int, typer.Option(min=0, max=4, help="Images that are on their way.")
    ] = 0,
    out: Annotated[
        MaybePath, typer.Option(file_okay=False, help="Default out/servo_test/<robot>.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Servo in simulated time, to random goals or through a task, and say how near it came."""
    from njf_bringup.closed_loop.disturbances import Disturbance
    from njf_bringup.closed_loop.run import EXACT, Setup
    from njf_bringup.closed_loop.tasks import Task
    from njf_bringup.paths import checkpoint_file, robot_file, robot_name
    from njf_control.robot import load_robot
    from njf_control.servo import ServoConfig
    from njf_control.servo.correction import CorrectionConfig
    from njf_perception.errors import ConfigError

    if disturbance not in list(Disturbance):
        raise ConfigError(f"unknown disturbance '{disturbance}'; known: {', '.join(Disturbance)}.")
    if task not in list(Task):
        raise ConfigError(f"unknown task '{task}'; known: {', '.join(Task)}.")
    if exact and checkpoint:
        raise ConfigError("--exact needs no model: leave out --checkpoint, or --exact to test it.")
    model = checkpoint or checkpoint_file(robot)
    setup = Setup(
        load_robot(robot_file(robot)),
        EXACT if exact else str(model),
        seed,
        Disturbance(disturbance),
        ServoConfig(correction=CorrectionConfig(enabled=correction)),
        latency_frames=latency_frames,
    )
    folder = out or Path("out") / "servo_test" / robot_name(robot)
    _run(setup, Task(task), goals, folder, workers)


def _run(setup: "Setup", task: "Task", goals: int, folder: Path, workers: int) -> None:
    """Do the task and print its table."""
    from njf_bringup.closed_loop.demonstration import run_demonstrations
    from njf_bringup.closed_loop.drag_results import drag_table
    from njf_bringup.closed_loop.drags import run_drags
    from njf_bringup.closed_loop.run import run_closed_loop
    from njf_bringup.closed_loop.statistics import table
    from njf_bringup.closed_loop.tasks import Task, run_task

    if task is Task.GOALS:
        print(table(run_closed_loop(setup, goals, folder, workers).summary))
    elif task is Task.DRAGS:
        print(drag_table(run_drags(setup, goals, folder)))
    elif task is Task.DEMONSTRATION:
        print(table(run_demonstrations(setup, goals, folder).summary))
    else:
        done = run_task(setup, task, folder)
        print(table(done.results.summary))
        print(", ".join(f"{label}: {error:.2f} mm" for label, error in done.labelled.items()))
