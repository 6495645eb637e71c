"""`njf pipeline`: data, training, evaluation, installation; what `make train-<robot>` runs."""

from typing import Annotated, Optional

import typer

from njf_bringup.commands.options import MaybePath, Robot, Seed

_MaybeInt = Optional[int]  # noqa: UP045


def pipeline(
    robot: Robot = "finger",
    states: Annotated[
        _MaybeInt,
        typer.Option(min=1, help="Settled states; default: 2400, the finger 1200."),
    ] = None,
    seed: Seed = 0,
    home: Annotated[MaybePath, typer.Option(help="Default data/<robot>.")] = None,
    install: Annotated[bool, typer.Option(help="Copy the result to checkpoints/<robot>.")] = True,
    through_ros: Annotated[
        bool,
        typer.Option(
            "--through-ros/--simulated",
            help="Record data through driver, cameras and bag, or simulate them at once.",
        ),
    ] = False,
    exact_flow: Annotated[
        bool, typer.Option("--exact-flow", help="Also train on exact flow, as an upper bound.")
    ] = False,
) -> None:
    """The whole way from a robot to its checkpoint; finished stages are not done again."""
    from njf_bringup.paths import data_folder
    from njf_bringup.stages import DEFAULT_STATES, STATES, Plan, run_all

    plan = Plan(robot, states or STATES.get(robot, DEFAULT_STATES), seed, through_ros, exact_flow)
    raise typer.Exit(0 if run_all(plan, home or data_folder(robot), install) else 1)
