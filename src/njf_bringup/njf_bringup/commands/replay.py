"""`njf replay`: play a recording into model and solver, without a robot."""

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from njf_bringup.commands.options import (
    Browser,
    BrowserHost,
    BrowserPort,
    Checkpoint,
    ParamsFile,
    Robot,
    RunDir,
)


def replay(
    bag: Annotated[Path, typer.Option(help="Recording to play: a folder or a data file.")],
    robot: Robot = "finger",
    checkpoint: Checkpoint = None,
    rate: Annotated[
        float, typer.Option(min=0.01, max=100.0, help="Recorded seconds per second.")
    ] = 1.0,
    goal: Annotated[
        str, typer.Option(help="Goal of the solver: last, the recording's last image, or none.")
    ] = "last",
    domain: Annotated[
        Optional[int],  # noqa: UP045  # Ubuntu 24.04's typer does not know `int | None`
        typer.Option(min=0, max=232, help="ROS domain; default one that nobody else is in."),
    ] = None,
    visualize: Annotated[
        bool, typer.Option(help="Offer pictures to RViz and Foxglove, made when watched.")
    ] = True,
    browser: Browser = False,
    browser_host: BrowserHost = "localhost",
    browser_port: BrowserPort = 8080,
    run_dir: RunDir = Path("out/replay"),
    params_file: ParamsFile = None,
) -> None:
    """Let model and solver answer a recording, send nothing to any robot, and tell the score."""
    from njf_bringup.domain import take_free_domain
    from njf_bringup.up import resolve_options, running

    graph = resolve_options(
        task="replay",
        play_bag=bag,
        robot=robot,
        checkpoint=checkpoint,
        play_rate=rate,
        shadow_goal=goal,
        visualize=visualize,
        browser=browser,
        browser_host=browser_host,
        browser_port=browser_port,
        run_dir=run_dir,
        params_file=params_file,
    )
    # Never the domain of the user's shell without being asked: a robot may be in it.
    os.environ["ROS_DOMAIN_ID"] = str(take_free_domain() if domain is None else domain)
    print(f"ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']} to look on")
    with running(graph) as supervisor:
        supervisor.wait()
    print(f"played {bag}; the figures are in {graph.run_dir}/shadow.json")
