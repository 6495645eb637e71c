"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated, Optional

import typer

MaybePath = Optional[Path]  # noqa: UP045  # Ubuntu 24.04's typer does not know `Path | None`
Robot = Annotated[
    str,
    typer.Option(help="A robot of config/robots by its name, or the path of a robot's YAML file."),
]
Sim = Annotated[
    bool, typer.Option("--sim/--hardware", help="Simulate the hardware behind the real driver.")
]
Checkpoint = Annotated[
    MaybePath, typer.Option(help="Model file; default checkpoints/<robot>/<robot>.pt.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
RunDir = Annotated[Path, typer.Option(help="Folder for logs and parameter files.")]
Bag = Annotated[Path, typer.Option(help="Bag to write: a folder, or a file ending in .mcap.")]
CameraPoses = Annotated[
    MaybePath,
    typer.Option(exists=True, help="camera_poses.yaml of `njf calibrate`, for /tf_static."),
]
ImageTransport = Annotated[
    str, typer.Option(help="Images in the bag: raw; compressed, as the cameras' nodes do it.")
]
ParamsFile = Annotated[
    MaybePath, typer.Option(exists=True, help="YAML file of ROS parameters that win.")
]
Browser = Annotated[bool, typer.Option("--browser", help="Serve the browser page.")]
BrowserHost = Annotated[
    str, typer.Option(help="Address of the page; beyond localhost it needs a token.")
]
BrowserPort = Annotated[int, typer.Option(help="TCP port of the page.")]
