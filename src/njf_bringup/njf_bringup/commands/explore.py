"""`njf explore`: move the robot randomly within safe ranges and record what its cameras see."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import (
    CameraPoses,
    ImageTransport,
    MaybePath,
    ParamsFile,
    Robot,
    RunDir,
    Seed,
    Sim,
)


def explore(
    robot: Robot = "finger",
    sim: Sim = True,
    states: Annotated[int, typer.Option(min=1, help="Settled states to visit.")] = 1200,
    out: Annotated[MaybePath, typer.Option(help="Bag; default data/<robot>/bag.")] = None,
    seed: Seed = 0,
    image_transport: ImageTransport = "raw",
    run_dir: RunDir = Path("out/explore"),
    params_file: ParamsFile = None,
    camera_poses: CameraPoses = None,
) -> None:
    """Visit random states through the real driver; a recorder writes images of each settled one."""
    from njf_bringup.paths import data_folder

    bag = out or data_folder(robot) / "bag"
    explore_into(bag, robot, sim, states, seed, run_dir, params_file, camera_poses, image_transport)


def explore_into(
    bag: Path,
    robot: str,
    sim: bool,
    states: int,
    seed: int,
    run_dir: Path,
    params_file: Path | None = None,
    camera_poses: Path | None = None,
    image_transport: str = "raw",
) -> None:
    """Explore into `bag`, which must not exist yet."""
    from njf_bringup.up import resolve_options, running, use_private_domain

    if sim:
        use_private_domain()
    graph = resolve_options(
        task="explore",
        record="stills",
        cameras="all",
        robot=robot,
        sim=sim,
        states=states,
        seed=seed,
        bag=bag,
        image_transport=image_transport,
        run_dir=run_dir,
        params_file=params_file,
        camera_poses=camera_poses,
    )
    with running(graph) as supervisor:
        supervisor.wait()
    print(f"recorded {states} states in {bag}")
