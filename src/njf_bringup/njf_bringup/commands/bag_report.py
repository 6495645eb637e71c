"""`njf bag-report`: was everything recorded?"""

from pathlib import Path
from typing import Annotated, Optional

import typer


def bag_report(
    bag: Annotated[Path, typer.Option(help="Bag to judge: a folder or a data file.")],
    rate_hz: Annotated[
        Optional[float],  # noqa: UP045  # Ubuntu 24.04's typer does not know `float | None`
        typer.Option(min=0.1, help="Images per second that each camera should have sent [Hz]."),
    ] = None,
) -> None:
    """Count messages, gaps, duplicates, clipped commands, and how far cameras are apart."""
    from njf_bringup.bag_picture import draw_bag
    from njf_training.bag import report_file
    from njf_training.recording.bag_report import read_bag_report

    report, statistics = read_bag_report(bag, rate_hz)
    print(report.text())
    report.save(report_file(bag))
    picture = report_file(bag, ".png")
    draw_bag(report, statistics, picture)
    print(f"{report_file(bag)}, {picture.name}")
