"""`njf bag-to-dataset`: settled stills of a bag become a data set for training."""

from typing import Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot


def bag_to_dataset(
    robot: Robot = "finger",
    bag: Annotated[MaybePath, typer.Option(help="Bag; default data/<robot>/bag.")] = None,
    out: Annotated[MaybePath, typer.Option(help="Data set; default data/<robot>/dataset.")] = None,
    flow: Annotated[str, typer.Option(help="Estimator of optical flow: dis or raft.")] = "dis",
    tracks: Annotated[
        int, typer.Option(min=0, help="Also track this many points per motion and camera.")
    ] = 0,
) -> None:
    """Turn a recorded bag into a data set with a quality report."""
    from njf_bringup.paths import data_folder
    from njf_bringup.stages import convert

    home = data_folder(robot)
    convert(robot, bag or home / "bag", out or home / "dataset", flow, tracks)
