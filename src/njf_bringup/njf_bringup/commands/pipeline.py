"""`njf pipeline`: record, convert, train, evaluate, drive; what `make train-<robot>` runs."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot, Seed


def pipeline(
    robot: Robot = "finger",
    states: Annotated[int, typer.Option(min=1, help="Settled states to record.")] = 1200,
    seed: Seed = 0,
    home: Annotated[MaybePath, typer.Option(help="Default data/<robot>.")] = None,
    install: Annotated[bool, typer.Option(help="Copy the result to checkpoints/<robot>.")] = True,
) -> None:
    """The whole way from a robot to its checkpoint; finished stages are not done again."""
    from njf_bringup.stages import run_all

    good = run_all(robot, home or Path("data") / robot, states, seed, install)
    raise typer.Exit(0 if good else 1)
