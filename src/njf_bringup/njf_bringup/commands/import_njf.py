"""`njf import-njf`: a dataset as published with Neural Jacobian Fields becomes one of ours."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import MaybePath


def import_njf(
    source: Annotated[
        list[Path],
        typer.Option(help="Folder with a transforms.json; repeat it for more of the same rig."),
    ],
    robot: Annotated[
        str, typer.Option(help="allegro, poppy, pneumatic, pneumatic_arm or hsa: who was recorded.")
    ],
    out: Annotated[MaybePath, typer.Option(help="Default data/published_<robot>/dataset.")] = None,
    reduce: Annotated[
        int, typer.Option(min=1, max=8, help="Make images smaller by this factor.")
    ] = 1,
    control: Annotated[int, typer.Option(min=0, help="Index of the control camera.")] = 0,
    held_out: Annotated[
        int, typer.Option(min=0, help="Cameras that never train: this many, the last ones.")
    ] = 2,
    tracks: Annotated[int, typer.Option(min=1, help="Tracks kept per motion and camera.")] = 256,
    flow: Annotated[
        str, typer.Option(help="Estimator of flow that is not given: dis or raft.")
    ] = "dis",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes.")] = 2,
) -> None:
    """Import published folders; what they lack (masks, flow) is computed from the images."""
    from njf_training.flow_raft import flow_estimator
    from njf_training.njf_import.options import ImportOptions
    from njf_training.njf_import.write import import_published

    options = ImportOptions(
        reduce=reduce, control=control, held_out=held_out, tracks=tracks, workers=workers
    )
    folder = out or Path("data") / f"published_{robot}" / "dataset"
    report = import_published(source, robot, folder, options, flow_estimator(flow))
    print(f"{folder}: {report.text()}")
    print(f"To train on it, copy {folder / 'robot.yaml'} to config/robots/{report.robot}.yaml.")
