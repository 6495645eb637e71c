"""Pictures of closed-loop tests: errors over the steps, what was drawn, postures reached."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from njf_bringup.closed_loop.drag_results import DragResult
from njf_bringup.closed_loop.statistics import strayed_mm
from njf_bringup.closed_loop.trial import TrialResult
from njf_bringup.closed_loop.waypoints import Waypoint
from njf_bringup.style import FAINT, GOAL, INK, NOW, plain
from njf_perception.camera import Camera, invert, transform


def write_convergence(
    path: Path, trials: Sequence[TrialResult], figures: dict[str, Any], key: dict[str, Any]
) -> None:
    """Median and quartiles of the errors over the steps, every goal faintly behind them."""
    has_joints = "joint_error_deg" in figures
    figure = Figure(figsize=(12 if has_joints else 6.5, 4.6), dpi=100, facecolor="white")
    axes = figure.subplots(1, 2 if has_joints else 1, squeeze=False)[0]
    figure.subplots_adjust(left=0.08, right=0.98, top=0.79, bottom=0.12, wspace=0.22)
    if has_joints:
        curves = [trial.joint_curve_deg for trial in trials]
        _convergence(axes[0], curves, figures["joint_error_deg"], "joint error", "degrees")
    curves = [trial.tip_curve_mm for trial in trials]
    _convergence(axes[-1], curves, figures["tip_error_mm"], "tip error", "mm")
    title = f"{key['robot']['name']}: {figures['success_rate']:.0%} of {figures['goals']} goals"
    figure.text(0.08, 0.93, title, fontsize=16, fontweight="bold", color=INK)
    figure.text(0.08, 0.88, _subtitle(key), fontsize=10, color=FAINT)
    figure.savefig(path)


def write_drawing(
    path: Path,
    image: UInt8[np.ndarray, "h w 3"],
    camera: Camera,
    points: Sequence[Waypoint],
    trials: Sequence[TrialResult],
    errors_mm: Sequence[float],
) -> None:
    """The drawn line beside the wanted one: in the camera's picture, and in its plane [mm]."""
    figure = Figure(figsize=(13, 5.6), dpi=100, facecolor="white")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.25, 1.25, 1])
    figure.subplots_adjust(left=0.02, right=0.98, top=0.84, bottom=0.11, wspace=0.2)
    world = _wanted(points)
    seen = _seen(world, camera)
    left.imshow(image)
    left.plot(*seen.T, color=GOAL, lw=1.5)
    left.axis("off")
    _plane(middle, points, trials, camera)
    _bars(right, points[1:], errors_mm)
    corners = [e for e, p in zip(errors_mm, points[1:], strict=True) if p.label]
    title = f"tip {np.mean(corners):.2f} mm from the corners, at most {np.max(corners):.2f} mm"
    figure.text(0.02, 0.92, title, fontsize=16, fontweight="bold", color=INK)
    figure.savefig(path)


def write_postures(
    path: Path,
    pairs: Sequence[tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]],
    labels: Sequence[str],
    errors: Sequence[str],
) -> None:
    """Each posture as wanted (above) and as reached (below), with its error."""
    figure = Figure(figsize=(3.2 * len(pairs), 5.6), dpi=100, facecolor="white")
    axes = figure.subplots(2, len(pairs), squeeze=False)
    figure.subplots_adjust(left=0.03, right=0.99, top=0.92, bottom=0.07, wspace=0.03, hspace=0.05)
    for column, (wanted, reached) in enumerate(pairs):
        for row, image in enumerate((wanted, reached)):
            axes[row, column].imshow(image)
            axes[row, column].set_xticks([])
            axes[row, column].set_yticks([])
            axes[row, column].spines[:].set_visible(False)
        axes[0, column].set_title(labels[column], fontsize=13, fontweight="bold", color=INK)
        axes[1, column].set_xlabel(errors[column], fontsize=11, color=INK)
    axes[0, 0].set_ylabel("wanted", color=GOAL, fontsize=12)
    axes[1, 0].set_ylabel("reached", color=NOW, fontsize=12)
    figure.savefig(path)


def write_followed(
    path: Path,
    images: Sequence[UInt8[np.ndarray, "h w 3"]],
    camera: Camera,
    trials: Sequence[TrialResult],
) -> None:
    """The first demonstrations: the tip's way as it was shown and as it was followed."""
    title = "shown on video (thick) and followed (thin)"
    figure, panels = _panels(images, title)
    for axes, trial in zip(panels, trials, strict=False):
        for way_m, colour, width in ((trial.shown_path_m, GOAL, 4.0), (trial.tip_path_m, NOW, 1.5)):
            axes.plot(*_seen(np.array(way_m), camera).T, color=colour, lw=width)
        strayed = strayed_mm(np.array(trial.tip_path_m), np.array(trial.shown_path_m))
        text = f"strays {strayed:.1f} mm, ends {trial.end.tip_mm:.2f} mm off"
        axes.set_title(text, fontsize=10, color=INK)
    figure.savefig(path)


def write_drags(
    path: Path,
    images: Sequence[UInt8[np.ndarray, "h w 3"]],
    drags: Sequence[DragResult],
    arrived_rate: float,
) -> None:
    """The first drags as they were drawn, and where their spots really ended."""
    title = f"dragged (arrow) and reached (ring): {arrived_rate:.0%} of {len(drags)}"
    figure, panels = _panels(images, title)
    for axes, drag in zip(panels, drags, strict=False):
        ends = np.array([drag.begin_px, drag.target_px])
        arrow = {"arrowstyle": "-|>", "color": GOAL, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", ends[1], ends[0], arrowprops=arrow)
        axes.plot(*drag.end_px, "o", color=NOW, ms=5, mfc="none", mew=1.5)
        axes.set_title(f"{drag.error_px:.2f} px away, {drag.reason}", fontsize=10, color=INK)
    figure.savefig(path)


def _panels(images: Sequence[UInt8[np.ndarray, "h w 3"]], title: str) -> tuple[Figure, list[Axes]]:
    """A figure that shows the pictures, three beside each other, and the axes of each."""
    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    height = 3.4 * rows + 0.9
    figure = Figure(figsize=(4.4 * columns, height), dpi=100, facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 1.05 / height, 0.04, 0.1)
    figure.text(0.01, 1 - 0.45 / height, title, fontsize=16, fontweight="bold", color=INK)
    for axes in panels:
        axes.axis("off")
    for axes, image in zip(panels, images, strict=False):
        axes.imshow(image, alpha=0.75)
    return figure, list(panels[: len(images)])


def _seen(points_m: Float[np.ndarray, "n 3"], camera: Camera) -> Float[np.ndarray, "n 2"]:
    return camera.project(transform(invert(camera.T_world_camera), points_m))


def padded(curves: Sequence[Sequence[float]]) -> Float[np.ndarray, "n steps"]:
    """Curves as rows; a motion that is over keeps its last error. Empty curves are left out."""
    kept = [curve for curve in curves if len(curve)]
    longest = max((len(curve) for curve in kept), default=1)
    rows = [[*curve, *[curve[-1]] * (longest - len(curve))] for curve in kept]
    return np.array(rows, float).reshape(len(kept), longest)


def _subtitle(key: dict[str, Any]) -> str:
    exact = key["jacobians"] == "exact"
    model = "exact Jacobians" if exact else f"checkpoint {key['jacobians']}"
    return f"{model}, disturbance: {key['disturbance']}, seed {key['seed']}"


def _convergence(
    axes: Axes,
    curves: Sequence[Sequence[float]],
    final: dict[str, float],
    title: str,
    unit: str,
) -> None:
    rows = padded(curves)
    if len(rows):
        steps = np.arange(rows.shape[1])
        for row in rows:
            axes.plot(steps, row, color=NOW, alpha=0.15, lw=0.8)
        low, median, high = np.percentile(rows, [25, 50, 75], axis=0)
        axes.fill_between(steps, low, high, color=NOW, alpha=0.25, lw=0)
        axes.plot(steps, median, color=NOW, lw=2.2)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    text = f"{title}: median {final['median']:.2f} {unit} at the end, p90 {final['p90']:.2f}"
    axes.set_title(text, fontsize=11, color=INK, loc="left")
    axes.set_xlabel("images", color=INK)
    axes.set_ylabel(unit, color=INK)
    plain(axes)


def _wanted(points: Sequence[Waypoint]) -> Float[np.ndarray, "n 3"]:
    """The wanted line; a row of NaN where the pen is lifted."""
    rows: list[np.ndarray] = []
    for point in points:
        if point.point_m is None or point.stroke < 0:
            rows.append(np.full(3, np.nan))
        if point.point_m is not None:
            rows.append(point.point_m)
    return np.array(rows)


def _plane(
    axes: Axes, points: Sequence[Waypoint], trials: Sequence[TrialResult], camera: Camera
) -> None:
    """Wanted and real line in the plane that faces the camera [mm], seen from the camera."""
    origin = np.nanmean(_wanted(points), axis=0)

    def flat(world: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "2 n"]:
        return (1e3 * (world - origin) @ camera.T_world_camera[:3, :2]).T

    axes.plot(*flat(_wanted(points)), "-", color=GOAL, lw=4, alpha=0.35, label="wanted")
    last = points[0].point_m
    for point, trial in zip(points[1:], trials, strict=True):
        path = np.array(trial.tip_path_m)
        begun = path if last is None else np.concatenate([last[None], path])
        if point.stroke >= 0:
            axes.plot(*flat(begun), color=NOW, lw=1.2)
        last = path[-1]
        if point.point_m is not None:
            axes.plot(*flat(last[None]), "o", color=NOW, ms=4 if point.label else 2.5)
    axes.plot([], [], "o-", color=NOW, lw=1.2, ms=4, label="drawn, dots: at rest")
    axes.invert_yaxis()
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=2)
    axes.set_xlabel("mm", color=INK)
    plain(axes)


def _bars(axes: Axes, points: Sequence[Waypoint], errors_mm: Sequence[float]) -> None:
    drawn = [
        (e, bool(p.label)) for e, p in zip(errors_mm, points, strict=True) if p.point_m is not None
    ]
    colours = [GOAL if is_corner else NOW for _, is_corner in drawn]
    axes.bar(range(len(drawn)), [error for error, _ in drawn], color=colours)
    axes.set_title("distance from every waypoint (corners red)", fontsize=11, color=INK, loc="left")
    axes.set_ylabel("mm", color=INK)
    axes.set_xlabel("waypoint", color=INK)
    plain(axes)
