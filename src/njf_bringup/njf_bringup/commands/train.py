"""`njf train`: a checkpoint from a data set."""

from typing import Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot


def train(
    robot: Robot = "finger",
    dataset: Annotated[MaybePath, typer.Option(help="Default data/<robot>/dataset.")] = None,
    out: Annotated[MaybePath, typer.Option(help="Default data/<robot>/training.")] = None,
    config: Annotated[MaybePath, typer.Option(help="Default config/training/<robot>.yaml.")] = None,
) -> None:
    """Train a model; continues where an interrupted run left off."""
    from njf_bringup.paths import data_folder
    from njf_bringup.stages import train as run

    home = data_folder(robot)
    checkpoint = run(robot, dataset or home / "dataset", out or home / "training", config)
    print(f"trained {checkpoint}")
