"""`njf demo`: the whole chain in simulation, from camera to command, on random goals."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, Robot, Seed
from njf_bringup.demo.goal_kind import GoalKind


def demo(
    robot: Robot = "finger",
    goals: Annotated[int, typer.Option(min=1, help="Goals to reach.")] = 20,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for pictures, metrics and bag.")] = Path(
        "out/demo"
    ),
    checkpoint: Checkpoint = None,
    goal_kind: Annotated[
        GoalKind, typer.Option(help="How a goal is shown to the servo.")
    ] = GoalKind.TRACKS,
) -> None:
    """Reach random goals from one camera; exit status 0 when the robot came near enough."""
    from njf_bringup.demo.run import DemoOptions, run_demo
    from njf_bringup.up import use_private_domain

    use_private_domain()
    options = DemoOptions(robot, goals, seed, out, checkpoint, goal_kind)
    raise typer.Exit(0 if run_demo(options) else 1)
