"""The run as a picture: memory of each node, missed deadlines, control rate."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure

from njf_bringup.soak.judge import Sample, SoakVerdict, after_warm_up
from njf_bringup.style import FAINT, INK, NOW, plain


def soak_picture(samples: Sequence[Sample], verdict: SoakVerdict, title: str, path: Path) -> None:
    """Draw three panels over the time [min]; the warm-up is shaded."""
    minutes = [sample.time_s / 60 for sample in samples]
    figure = matplotlib.figure.Figure(figsize=(9, 8), layout="constrained")
    memory, missed, rate = figure.subplots(3, 1, sharex=True, height_ratios=[2, 1, 1])
    for name in sorted(samples[-1].rss_mb):
        values = [sample.rss_mb.get(name, float("nan")) for sample in samples]
        growth = verdict.growth.get(name, float("nan"))
        memory.plot(minutes, values, lw=1.4, label=f"{name} ({100 * growth:+.1f} %)")
    memory.set(ylabel="own memory [MB]", ylim=(0, None), title=title)
    memory.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    missed.plot(minutes, [sample.missed for sample in samples], color=INK, lw=1.2)
    missed.set_ylabel("missed deadlines\nof the driver, in all")
    rate.plot(minutes, [sample.control_hz for sample in samples], ".", color=NOW, ms=3)
    rate.set(ylabel="control steps\nper second", xlabel="time [min]", ylim=(0, None))
    rest = after_warm_up(samples)
    for axes in (memory, missed, rate):
        plain(axes)
        axes.axvspan(minutes[0], rest[0].time_s / 60, color=FAINT, alpha=0.15, lw=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
