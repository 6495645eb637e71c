"""`njf simulate`: a dataset straight from the simulator."""

from typing import Annotated

import typer

from njf_bringup.commands.options import MaybePath, Robot, Seed


def simulate(
    robot: Robot = "finger",
    states: Annotated[int, typer.Option(min=2, help="Settled states.")] = 3000,
    out: Annotated[MaybePath, typer.Option(help="Default data/<robot>/dataset.")] = None,
    seed: Seed = 0,
    flow_cameras: Annotated[
        int, typer.Option(min=1, help="Cameras per motion in which flow is estimated.")
    ] = 3,
    depth: Annotated[bool, typer.Option(help="Also write what depth cameras measure.")] = False,
    exact_flow: Annotated[
        bool, typer.Option(help="Also write the exact flow, for an upper bound.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
) -> None:
    """Simulate what exploring and recording would give, many times faster."""
    from njf_bringup.paths import data_folder, robot_file
    from njf_bringup.simulate import SimulateOptions
    from njf_bringup.simulate import simulate as run
    from njf_control.robot import load_robot

    options = SimulateOptions(
        states=states,
        seed=seed,
        flow_cameras=flow_cameras,
        depth=depth,
        exact_flow=exact_flow,
        workers=workers,
    )
    folder = out or data_folder(robot) / "dataset"
    dataset = run(load_robot(robot_file(robot)), folder, options)
    print(f"{folder}: {len(dataset.commands)} states, {len(dataset.pairs)} pairs")
