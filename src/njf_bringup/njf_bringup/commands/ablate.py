"""`njf ablate`: what matters, measured by training again and again."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from njf_bringup.commands.options import MaybePath, Robot

_MaybeInt = Optional[int]  # noqa: UP045  # Ubuntu 24.04's typer does not know `int | None`


def ablate(
    robot: Robot = "poppy",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings per cell of a claim.")] = 3,
    steps: Annotated[
        _MaybeInt, typer.Option(min=1, help="Steps per training; default: the robot's.")
    ] = None,
    states: Annotated[int, typer.Option(min=20, help="States of the data set.")] = 2400,
    only: Annotated[
        str, typer.Option(help="Only groups whose title begins so, such as 'Jacobian'.")
    ] = "",
    out: Annotated[
        MaybePath, typer.Option(file_okay=False, help="Default out/ablation/<robot>.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time, one thread each.")] = 1,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put table and picture into the documents.")
    ] = False,
) -> None:
    """Train and judge with one thing changed at a time; finished cells are not done again."""
    from njf_bringup.ablate.report import report
    from njf_bringup.ablate.request import make_ablation, select_rows
    from njf_bringup.ablate.run import run_ablation
    from njf_bringup.paths import robot_name

    folder = out or Path("out") / "ablation" / robot_name(robot)
    ablation = make_ablation(robot, folder, steps, states, seeds, jobs)
    found = run_ablation(ablation, select_rows(ablation, only))
    print(report(found, folder, publish))
