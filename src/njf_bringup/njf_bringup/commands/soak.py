"""`njf soak`: the whole chain in simulation for a long time."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, Robot, Seed


def soak(
    robot: Robot = "finger",
    minutes: Annotated[float, typer.Option(min=0.1, help="How long [min].")] = 30.0,
    most_missed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Allowed share of missed driver deadlines.")
    ] = 0.02,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for soak.json and soak.png.")] = Path(
        "out/soak"
    ),
    checkpoint: Checkpoint = None,
) -> None:
    """Servo to random goals for a long time; exit status 0 when memory and rate were steady."""
    from njf_bringup.soak.run import SoakOptions, run_soak
    from njf_bringup.up import use_private_domain

    use_private_domain()
    options = SoakOptions(robot, minutes, seed, out, checkpoint, most_missed)
    raise typer.Exit(0 if run_soak(options) else 1)
