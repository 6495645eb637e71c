"""A recording at a glance: when each camera's images came, how far apart, and what is missing."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from njf_bringup.style import FAINT, GOAL, INK, NOW, plain
from njf_training.recording.bag_report import BagReport, intervals_s, sync_errors_ms
from njf_training.recording.statistics import BagStatistics

_MOST_ROWS = 16


def draw_bag(report: BagReport, statistics: BagStatistics, path: Path) -> None:
    """Write the picture of a recording as PNG."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    _intervals(figure.add_subplot(grid[0, :]), statistics)
    _sync(figure.add_subplot(grid[1, 1]), statistics)
    _losses(figure.add_subplot(grid[1, 0]), report)
    figure.suptitle(
        f"{report.path}: {report.duration_s:.1f} s, {report.missing_images} images missing",
        color=INK,
        fontsize=11,
    )
    figure.savefig(path, dpi=110)


def _intervals(axes: Axes, statistics: BagStatistics) -> None:
    """Time from image to image of every camera; a lost image shows as a point at double height."""
    cameras = {name: s for name, s in statistics.camera_stamps_ns.items() if len(s) > 1}
    begin_ns = min((stamps[0] for stamps in cameras.values()), default=0)
    colors = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, max(len(cameras), 1)))
    for color, (name, stamps) in zip(colors, cameras.items(), strict=False):
        times_s = (np.unique(stamps)[1:] - begin_ns) * 1e-9
        axes.plot(times_s, 1e3 * intervals_s(stamps), ".", ms=3, color=color, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time [s]", fontsize=9, color=INK)
    axes.set_title("from image to image [ms]", fontsize=10, loc="left", color=INK)
    if cameras:
        axes.legend(fontsize=7, frameon=False, ncol=6, loc="upper right", markerscale=3)
    plain(axes)


def _sync(axes: Axes, statistics: BagStatistics) -> None:
    errors_ms = sync_errors_ms(statistics)
    axes.set_title("cameras apart [ms]", fontsize=10, loc="left", color=INK)
    if not len(errors_ms):
        axes.annotate("nothing to compare", (0.5, 0.5), ha="center", color=FAINT, fontsize=9)
        axes.set_axis_off()
    else:
        axes.hist(errors_ms, bins=40, color=NOW)
        axes.axvline(float(np.percentile(errors_ms, 95)), color=GOAL, lw=1)
        axes.annotate(
            " p95",
            (float(np.percentile(errors_ms, 95)), 0.97),
            xycoords=("data", "axes fraction"),
            color=GOAL,
            fontsize=8,
            va="top",
        )
    plain(axes)


def _losses(axes: Axes, report: BagReport) -> None:
    """Messages per topic, and what is missing of them; the most messages first."""
    topics = sorted(report.topics, key=lambda t: t.messages, reverse=True)[:_MOST_ROWS]
    rows = np.arange(len(topics))
    lost = [topic.missing + topic.dropped for topic in topics]
    kept = [topic.messages for topic in topics]
    axes.barh(rows, kept, color=FAINT)
    axes.barh(rows, lost, left=kept, color=GOAL)
    for row, topic in enumerate(topics):
        text = f" {topic.messages}" + (f", {lost[row]} missing" if lost[row] else "")
        axes.annotate(text, (kept[row] + lost[row], row), fontsize=7, va="center", color=INK)
    axes.set_yticks(rows, [topic.topic for topic in topics], fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(0, 1.25 * max([*np.add(kept, lost), 1]))
    axes.invert_yaxis()
    axes.set_title("messages per topic", fontsize=10, loc="left", color=INK)
    plain(axes)
    axes.tick_params(axis="y", labelsize=7)
