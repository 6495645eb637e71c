"""`njf record`: record a graph that is already running."""

from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Bag, Robot, RunDir


def record(
    out: Bag,
    robot: Robot = "finger",
    mode: Annotated[
        str, typer.Option(help="stream: every message; stills: on `capture`.")
    ] = "stream",
    run_dir: RunDir = Path("out/record"),
) -> None:
    """Write an MCAP bag of a running graph until Ctrl-C."""
    from njf_bringup.supervisor import StoppedError
    from njf_bringup.up import resolve_options, running

    graph = resolve_options(robot=robot, record=mode, bag=out, run_dir=run_dir)
    try:
        with running(graph.only("recorder")) as supervisor:
            print("recording. Ctrl-C finishes the bag.", flush=True)
            supervisor.wait()
    except StoppedError:
        print(f"recorded {out}")
