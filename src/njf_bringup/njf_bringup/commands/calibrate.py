"""`njf calibrate`: where the cameras stand, and their lenses, from a board of AprilTags."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from njf_bringup.commands.options import MaybePath, Robot

_Rest = Annotated[
    str, typer.Option(help="Instant at which the board defines the world; default: the first.")
]
_LimitPx = Annotated[
    float, typer.Option(min=0.01, help="Largest reprojection error of a camera, RMS [px].")
]
_MinViews = Annotated[
    int, typer.Option(min=1, help="Fewest usable views of a camera, and poses of the board.")
]
_Skip = Annotated[
    Optional[list[str]],  # noqa: UP045  # as MaybePath
    typer.Option(help="Leave this instant out, named as messages do; may be repeated."),
]
_Views = Annotated[
    MaybePath,
    typer.Option(help="Folder of images, <camera>/<instant>.png, or --live's sightings.json."),
]
_Bag = Annotated[
    MaybePath, typer.Option(help="Bag in which the board is held still, again and again.")
]


def calibrate(
    views: _Views = None,
    bag: _Bag = None,
    live: Annotated[
        bool, typer.Option("--live", help="Watch the topics of --robot's cameras until Ctrl-C.")
    ] = False,
    robot: Robot = "finger",
    board: Annotated[
        MaybePath, typer.Option(exists=True, help="The board's YAML file; default: a sheet of A4.")
    ] = None,
    camera_info: Annotated[
        MaybePath, typer.Option(help="Folder of <camera>.yaml; default: --views.")
    ] = None,
    intrinsics: Annotated[
        bool, typer.Option("--intrinsics", help="Find the lenses from the same views first.")
    ] = False,
    poses: Annotated[
        bool, typer.Option("--poses/--no-poses", help="Find where the cameras stand.")
    ] = True,
    rest: _Rest = "",
    skip: _Skip = None,
    limit_px: _LimitPx = 1.0,
    min_views: _MinViews = 3,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("out/calibration"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files there.")] = False,
    print_board: Annotated[
        MaybePath, typer.Option(help="Only print the board: a .pdf, .svg or .png file.")
    ] = None,
) -> None:
    """Calibrate up to 12 cameras into one frame. Refuses, writing no calibration, when unsure."""
    from njf_bringup.calibration.request import Request
    from njf_bringup.calibration.run import print_files, run
    from njf_bringup.paths import robot_file
    from njf_control.robot import load_robot
    from njf_perception.calibration.board import Board
    from njf_perception.calibration.refuse import Limits
    from njf_perception.config import load_config

    geometry = Board() if board is None else load_config(board, Board)
    if print_board is not None:
        print_files(geometry, print_board, board is None, overwrite)
        return
    request = Request(
        board=geometry,
        board_file=board,
        folder=views,
        bag=bag,
        live=load_robot(robot_file(robot)).camera_names if live else [],
        camera_info=camera_info or views,
        intrinsics=intrinsics,
        poses=poses,
        rest=rest or None,
        skip=skip or [],
        limits=Limits(views=min_views, error_px=limit_px),
        out=out,
        overwrite=overwrite,
    )
    run(request)
