"""The summary picture: where it began, where it should go, where it ended, and how well."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from njf_bringup.demo.overlay import draw
from njf_bringup.demo.results import Picture, TrialRecord
from njf_bringup.demo.verdict import criteria, error, start
from njf_bringup.style import FAINT, GOAL, INK, NOW, plain

ROWS = 3  # goals shown as pictures


def write_summary(path: Path, records: Sequence[TrialRecord], metrics: Mapping[str, Any]) -> None:
    """Write the picture; the goals shown are the best, the median and the worst one."""
    figure = Figure(figsize=(15, 8.2), dpi=100, facecolor="white")
    pictures = GridSpec(
        ROWS, 3, figure, left=0.03, right=0.615, top=0.865, bottom=0.03, wspace=0.03, hspace=0.04
    )
    figures, _, unit = error(metrics)
    errors = figures["all"]
    for row, (name, index) in enumerate(_shown(errors).items()):
        _picture_row(figure, pictures, row, records[index], f"{name}: {errors[index]:.2f} {unit}")
    plots = GridSpec(ROWS, 1, figure, left=0.665, right=0.985, top=0.865, bottom=0.03, hspace=0.5)
    _error_curves(figure.add_subplot(plots[0]), records)
    _histogram(figure.add_subplot(plots[1]), metrics)
    _figures(figure.add_subplot(plots[2]), metrics)
    reached = round(metrics["success_rate"] * metrics["goals"])
    title = f"{metrics['robot']}: {reached} of {metrics['goals']} goals reached from one camera"
    figure.text(0.03, 0.945, title, fontsize=19, fontweight="bold", color=INK)
    figure.text(0.03, 0.91, _subtitle(metrics), fontsize=11, color=FAINT)
    figure.savefig(path)


def _shown(errors: Sequence[float]) -> dict[str, int]:
    order = np.argsort(errors)
    return {"best": int(order[0]), "median": int(order[len(order) // 2]), "worst": int(order[-1])}


def _subtitle(metrics: Mapping[str, Any]) -> str:
    return (
        f"every motion begins about {start(metrics)} away; "
        f"seed {metrics['seed']}, checkpoint {metrics['checkpoint']}"
    )


def _picture_row(figure: Figure, grid: GridSpec, row: int, record: TrialRecord, label: str) -> None:
    pictures = {
        "start, goal shining through": draw(record.start, record.goal),
        "goal": draw(_without_tracks(record.goal), record.goal),
        "end, goal shining through": draw(_without_tracks(record.end), record.goal),
    }
    for column, (title, picture) in enumerate(pictures.items()):
        axes = figure.add_subplot(grid[row, column])
        axes.imshow(picture)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if row == 0:
            axes.set_title(title, fontsize=11, color=INK)
        if column == 0:
            axes.set_ylabel(label, fontsize=11, color=INK)


def _without_tracks(picture: Picture) -> Picture:
    return Picture(picture.stamp_ns, picture.image)


def _error_curves(axes: Axes, records: Sequence[TrialRecord]) -> None:
    for record in records:
        times = [step.time_s for step in record.steps]
        axes.plot(times, [step.error_px for step in record.steps], color=NOW, alpha=0.45, lw=1.2)
    axes.set_yscale("log")
    axes.set_title("error of the tracked points, every goal", fontsize=11, color=INK, loc="left")
    axes.set_ylabel("pixels", color=INK)
    axes.set_xlabel("seconds", color=INK, labelpad=0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    plain(axes)


def _histogram(axes: Axes, metrics: Mapping[str, Any]) -> None:
    figures, what, unit = error(metrics)
    errors, median = np.array(figures["all"]), figures["median"]
    edges = np.linspace(0, max(1.5, 1.05 * errors.max()), 25).tolist()
    axes.hist(errors, edges, color=NOW, rwidth=0.9)
    axes.axvline(median, color=GOAL, lw=2)
    text = f"median {median:.2f} {unit}"
    axes.text(0.98, 0.88, text, color=GOAL, ha="right", transform=axes.transAxes)
    title = f"{what} error at the end (mean per {what})"
    axes.set_title(title, fontsize=11, color=INK, loc="left")
    axes.set_xlabel(unit, color=INK, labelpad=0)
    axes.set_ylabel("goals", color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    plain(axes)


def _figures(axes: Axes, metrics: Mapping[str, Any]) -> None:
    """The criteria as a small table."""
    axes.axis("off")
    rows = [
        (c.label, f"{c.value(metrics):.2f} {c.unit}", f"{'≤' if c.at_most else '≥'} {c.bound:g}",
         c.met(metrics))
        for c in criteria(metrics)
    ]  # fmt: skip
    if "joint_error_deg" in metrics:
        tip = metrics["tip_error_mm"]["median"]
        rows.append(("tip error, median", f"{tip:.2f} mm", "", True))
    if "pressure_error_kpa" in metrics:
        pressure = metrics["pressure_error_kpa"]["median"]
        rows.append(("pressure error, median", f"{pressure:.2f} kPa", "", True))
    for line, (label, value, bound, met) in enumerate(rows):
        height = 0.82 - 0.155 * line
        axes.text(0.0, height, label, fontsize=11, color=INK)
        axes.text(0.78, height, value, fontsize=11, ha="right", color=INK, fontweight="bold")
        axes.text(0.98, height, bound, fontsize=11, ha="right", color=FAINT if met else GOAL)
