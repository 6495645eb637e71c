"""`njf evaluate`: judge a checkpoint on motions it never saw."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, MaybePath, Robot


def evaluate(
    robot: Robot = "finger",
    checkpoint: Checkpoint = None,
    dataset: Annotated[MaybePath, typer.Option(help="Default data/<robot>/dataset.")] = None,
    out: Annotated[MaybePath, typer.Option(help="Metrics file to write (JSON).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Motions to judge, spread evenly.")] = 40,
) -> None:
    """Score predicted flow, depth and silhouettes against the simulator's exact ones."""
    from njf_bringup.paths import root
    from njf_bringup.stages import evaluate as run

    model = checkpoint or root() / "checkpoints" / robot / f"{robot}.pt"
    run(robot, model, dataset or Path("data") / robot / "dataset", out, limit)
