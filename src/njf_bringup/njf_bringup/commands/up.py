"""`njf up`: start the node graph and keep it running."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import (
    Browser,
    BrowserHost,
    BrowserPort,
    CameraPoses,
    Checkpoint,
    MaybePath,
    ParamsFile,
    Robot,
    RunDir,
    Seed,
    Sim,
)


def up(
    robot: Robot = "finger",
    sim: Sim = True,
    task: Annotated[str, typer.Option(help="What moves the robot: servo or none.")] = "servo",
    cameras: Annotated[str, typer.Option(help="Cameras to run: control or all.")] = "control",
    checkpoint: Checkpoint = None,
    visualize: Annotated[
        bool, typer.Option(help="Offer pictures to RViz and Foxglove, made when watched.")
    ] = True,
    rviz: Annotated[bool, typer.Option("--rviz", help="Open RViz (needs ROS 2).")] = False,
    foxglove: Annotated[
        bool, typer.Option("--foxglove", help="Run foxglove_bridge (needs ROS 2).")
    ] = False,
    browser: Browser = False,
    browser_host: BrowserHost = "localhost",
    browser_port: BrowserPort = 8080,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure and publish, never move the robot.")
    ] = False,
    record: Annotated[str, typer.Option(help="Write a bag: none, stream or stills.")] = "none",
    bag: Annotated[MaybePath, typer.Option(help="Where; default <run-dir>/bag.")] = None,
    run_dir: RunDir = Path("out/run"),
    namespace: Annotated[str, typer.Option(help="Namespace of all nodes.")] = "",
    tf_prefix: Annotated[
        str, typer.Option(help="Put before the names of all frames, such as left/.")
    ] = "",
    params_file: ParamsFile = None,
    camera_poses: CameraPoses = None,
    log_level: Annotated[str, typer.Option(help="Least severe messages to log.")] = "info",
    seed: Seed = 0,
) -> None:
    """Start a robot's nodes and run until Ctrl-C or until a node dies."""
    from njf_bringup.up import resolve_options, running

    graph = resolve_options(
        robot=robot,
        sim=sim,
        task=task,
        cameras=cameras,
        checkpoint=checkpoint,
        visualize=visualize,
        rviz=rviz,
        foxglove=foxglove,
        browser=browser,
        browser_host=browser_host,
        browser_port=browser_port,
        dry_run=dry_run,
        record=record,
        bag=bag,
        run_dir=run_dir,
        namespace=namespace,
        tf_prefix=tf_prefix,
        params_file=params_file,
        camera_poses=camera_poses,
        log_level=log_level,
        seed=seed,
    )
    with running(graph) as supervisor:
        print("all nodes are up. Ctrl-C stops the robot and ends them.", flush=True)
        supervisor.wait()
