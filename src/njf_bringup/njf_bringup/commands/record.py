"""`njf record`: record a graph that is already running."""

import time
from pathlib import Path
from typing import Annotated

import typer

from njf_bringup.commands.options import Bag, ImageTransport, Robot, RunDir


def record(
    out: Bag,
    robot: Robot = "finger",
    mode: Annotated[
        str, typer.Option(help="stream: every message; stills: on `capture`.")
    ] = "stream",
    image_transport: ImageTransport = "raw",
    run_dir: RunDir = Path("out/record"),
) -> None:
    """Write an MCAP bag of a running graph until Ctrl-C, and tell what is in it."""
    from njf_bringup.up import resolve_options, running
    from njf_perception.errors import DataError, StoppedError
    from njf_training.bag import report_file
    from njf_training.recording.bag_report import BagReport

    graph = resolve_options(
        robot=robot, record=mode, bag=out, image_transport=image_transport, run_dir=run_dir
    )
    folder = out.with_suffix("") if out.suffix == ".mcap" else out  # a file is made at the end
    if folder.exists() or out.exists():
        raise DataError(f"{out} exists already. Remove it or choose another --out.")
    try:
        # A robot is not waiting for it, and a bag that is not closed is one to be repaired.
        with running(graph.only("recorder"), patience=10.0) as supervisor:
            while not folder.exists():  # the node is on its way
                supervisor.check()
                time.sleep(0.05)
            print("recording. Ctrl-C finishes the bag.", flush=True)
            supervisor.wait()
    except StoppedError:
        written = report_file(out)
        if not written.is_file():
            log = graph.run_dir / "logs" / "recorder.log"
            raise DataError(f"{out} was not finished; {log} says why. Record again.") from None
        print(BagReport.load(written).text())
        print(f"recorded {out}; `njf bag-report --bag {out}` draws this")
