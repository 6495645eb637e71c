"""A calibration in one picture: what is left in each image, and where cameras and boards stand."""

import io
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from njf_bringup.style import FAINT, GOAL, INK, NOW
from njf_perception.calibration.board import Board
from njf_perception.calibration.rig import RigCalibration
from njf_perception.camera import transform

_COLUMNS = 4
_ARROW = 0.06  # of the image's width: the length of nearly the longest arrow
_LEAST_PX = 0.05  # smaller errors are drawn small
_PYRAMID_M = 0.06  # depth of the pyramids that show cameras


def calibration_picture(board: Board, rig: RigCalibration) -> bytes:
    """A PNG: residual arrows per camera, drawn long, beside the rig in three dimensions.

    Args:
        board: what was shown.
        rig: the calibration.
    """
    rows = -(-len(rig.lenses) // _COLUMNS)
    figure = Figure(figsize=(13 + 4, max(2.4 * rows, 6)), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=[1.6, 1])
    left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    length = np.linalg.norm(rig.solution.residuals.error_px, axis=-1)
    long_px = max(float(np.percentile(length, 98)), _LEAST_PX)
    left.suptitle(
        f"predicted minus seen; arrows of {100 * _ARROW:.0f} % of the width are {long_px:.2f} px",
        fontsize=10,
        color=INK,
    )
    axes = left.subplots(rows, _COLUMNS, squeeze=False).ravel()
    owner = np.array([view.camera for view in rig.views])
    for axis, (name, figures) in zip(axes, rig.figures().items(), strict=False):
        axis.set_title(f"{name}  {figures.error_px:.2f} px", fontsize=9, color=INK)
        _residuals(axis, rig, owner == name, name, long_px)
    for axis in axes[len(rig.lenses) :]:
        axis.set_axis_off()
    _layout(right.add_subplot(projection="3d"), board, rig)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _residuals(
    axis: Axes, rig: RigCalibration, ours: Bool[np.ndarray, " v"], name: str, long_px: float
) -> None:
    """Arrows of one camera; `ours` says which views are its own."""
    lens, residuals = rig.lenses[name], rig.solution.residuals
    of_camera = ours[residuals.view]
    at, error = residuals.pixels[of_camera], residuals.error_px[of_camera]
    axis.quiver(
        at[:, 0],
        at[:, 1],
        error[:, 0],
        error[:, 1],
        color=NOW,
        angles="xy",
        scale_units="xy",
        scale=long_px / (_ARROW * lens.width),
        width=0.003,
    )
    axis.set(xlim=(0, lens.width), ylim=(lens.height, 0), xticks=[], yticks=[], aspect="equal")
    for spine in axis.spines.values():
        spine.set_color(FAINT)


def _layout(axis: Any, board: Board, rig: RigCalibration) -> None:
    """Cameras as pyramids, boards as outlines; the one at rest is bold."""
    corners = board.corners_m.reshape(-1, 3)
    low, high = corners.min(0), corners.max(0)
    outline = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    outline = np.column_stack([outline, np.zeros(4)])[[0, 1, 2, 3, 0]]
    everything = []
    for instant, T in rig.solution.T_world_board.items():
        at_rest = instant == rig.rest
        drawn = transform(T, outline)
        axis.plot(*drawn.T, color=GOAL if at_rest else FAINT, lw=2.5 if at_rest else 0.6)
        everything.append(drawn)
    for name, T in rig.solution.T_world_camera.items():
        lines = transform(T, _pyramid(rig.lenses[name].K, rig.lenses[name].width))
        axis.plot(*lines.T, color=NOW, lw=1)
        x, y, z = T[:3, 3].tolist()
        axis.text(x, y, z, f" {name}", fontsize=8, color=INK)
        everything.append(lines)
    points = np.concatenate(everything)
    axis.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
    axis.set_box_aspect(np.maximum(np.ptp(points, axis=0), 0.05))


def _pyramid(K: Float[np.ndarray, "3 3"], width: int) -> Float[np.ndarray, "9 3"]:
    """One line along the edges of what a camera sees, in its frame [m]."""
    x = width / 2 / K[0, 0]
    y = 0.75 * x
    a, b, c, d = np.array([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]]) * _PYRAMID_M
    apex = np.zeros(3)
    return np.stack([apex, a, b, apex, c, d, apex, d, a])
