"""`njf calibrate-confidence`: how often a checkpoint is right where it says so; no retraining."""

from typing import Annotated

import typer

from njf_bringup.commands.options import Checkpoint, MaybePath, Robot


def calibrate_confidence(
    robot: Robot = "finger",
    checkpoint: Checkpoint = None,
    dataset: Annotated[
        MaybePath, typer.Option(help="What it was trained on; default data/<robot>/dataset.")
    ] = None,
) -> None:
    """Calibrate the confidence of a trained checkpoint, in place; `njf train` ends with it."""
    from njf_bringup.paths import checkpoint_file, data_folder, robot_file
    from njf_control.robot import load_robot
    from njf_training.calibrate import calibrate_checkpoint
    from njf_training.check import check_dataset
    from njf_training.dataset import Dataset

    data = Dataset.open(dataset or data_folder(robot) / "dataset")
    check_dataset(data, load_robot(robot_file(robot)))
    model = checkpoint or checkpoint_file(robot)
    found = calibrate_checkpoint(model, data)
    print(
        f"calibrated {model} on {found.points} points of {found.motions} motions that it did not "
        f"train on; it was right at {found.right:.0%} of them"
    )
