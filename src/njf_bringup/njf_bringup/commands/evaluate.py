"""`njf evaluate`: judge a checkpoint on motions it never saw, and in the closed loop."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, MaybePath, Robot, Seed


def evaluate(
    robot: Robot = "finger",
    checkpoint: Checkpoint = None,
    dataset: Annotated[MaybePath, typer.Option(help="Default data/<robot>/dataset.")] = None,
    out: Annotated[
        MaybePath,
        typer.Option(
            file_okay=False, help="Folder of figures and pictures; default out/evaluate/<robot>"
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Motions to judge, spread evenly.")] = 40,
    closed_loop: Annotated[
        bool, typer.Option("--closed-loop", help="Also drive to goals, in process.")
    ] = False,
    goals: Annotated[int, typer.Option(min=1, help="Goals of the closed loop.")] = 50,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes of the closed loop.")] = 1,
) -> None:
    """Score predictions against the simulator's exact ones; draw what the model believes."""
    from njf_bringup.assessment import LoopOptions, assess
    from njf_bringup.paths import checkpoint_file, data_folder, robot_file, robot_name
    from njf_bringup.stages import EXACT_TRAINING
    from njf_bringup.tables.text import summary_text
    from njf_control.robot import load_robot

    home = data_folder(robot)
    model = checkpoint or checkpoint_file(robot)
    folder = out or Path("out") / "evaluate" / robot_name(robot)
    exact = home / EXACT_TRAINING / "checkpoint.pt"
    loop = (
        LoopOptions(goals, seed=seed, workers=workers, exact_flow_checkpoint=exact)
        if closed_loop
        else None
    )
    metrics = assess(
        load_robot(robot_file(robot)), model, dataset or home / "dataset", folder, limit, loop
    )
    print(summary_text(metrics))
    print(f"figures and pictures: {folder}")
