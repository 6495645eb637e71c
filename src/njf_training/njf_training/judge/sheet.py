"""What a model believes about one motion, on one sheet: motion, depth, colours, and how sure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from njf_training.dataset import DatasetCamera
from njf_training.judge.charts import draw_channels, draw_recovery, draw_reliability
from njf_training.judge.colors import flow_colors, wheel
from njf_training.judge.judge import Judge, Motion
from njf_training.judge.predictor import OPAQUE, PredictedView, thin
from njf_training.judge.truth import TrueView
from njf_training.judge.views import composite, psnr_db, squared_error

STRIDE = 2
ARROW_STEP = 5  # half-size pixels between arrows
MARGIN = 1.25  # size of the picture over that of the robot


@dataclass(frozen=True)
class _Seen:
    """One camera of the sheet, everything at every second pixel."""

    camera: DatasetCamera
    index: int
    truth: TrueView
    predicted: PredictedView


def prediction_sheet(
    judge: Judge, row: int, cameras: list[str], metrics: dict[str, Any], path: Path
) -> None:
    """Draw one motion, a row per camera, and charts of `metrics` over all motions below."""
    motion = judge.motion(row)
    lines = len(cameras)
    figure = matplotlib.figure.Figure(figsize=(19, 2.75 * lines + 4.2), layout="constrained")
    figure.suptitle(
        f"{judge.dataset.robot}: what the model sees in one image of camera "
        f"'{judge.dataset.control_camera.name}', for a motion it never saw. Below: all motions",
        fontsize=14,
    )
    heights = [2.75 * lines, 3.8]
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    axes = top.subplots(lines, 6, squeeze=False)
    for line, name in zip(axes, cameras, strict=True):
        _draw_line(list(line), judge, motion, _look(judge, motion, name))
    left, middle, right = bottom.subplots(1, 3)
    draw_channels(left, metrics["jacobian"])
    draw_recovery(middle, metrics["command_recovery"])
    draw_reliability(right, metrics["confidence"])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _look(judge: Judge, motion: Motion, name: str) -> _Seen:
    index = judge.dataset.camera_names.index(name)
    camera = judge.dataset.cameras[index]
    view = judge.truth.view(motion.before, motion.after, name)
    truth = TrueView(*(thin(array, STRIDE) for array in view))
    predicted = judge.predictor.view(motion.scene, camera.camera, STRIDE, motion.command)
    return _Seen(camera, index, truth, predicted)


def _draw_line(axes: list[Axes], judge: Judge, motion: Motion, seen: _Seen) -> None:
    photo = thin(np.asarray(judge.dataset.images[motion.before, seen.index]), STRIDE)
    background = thin(np.asarray(judge.dataset.background[seen.index]), STRIDE)
    true, predicted = seen.truth.flow, seen.predicted.flow
    largest = float(np.linalg.norm(true[seen.truth.robot], axis=-1).max(initial=1e-6))
    rendered = composite(seen.predicted, background)
    fidelity = psnr_db(squared_error(seen.predicted, photo, background))
    images = {
        f"{seen.camera.name} ({_says(seen.camera)})": photo,
        f"true motion, up to {largest:.1f} px": flow_colors(true, largest),
        "predicted motion": flow_colors(predicted, largest),
        "rendered by the model": rendered,
    }
    for axis, (title, image) in zip(axes, images.items(), strict=False):
        axis.imshow(image)
        axis.set_title(title, fontsize=10)
    axes[3].set_title(f"rendered by the model, PSNR {fidelity:.1f} dB", fontsize=10)
    _arrows(axes[1], true, seen.truth.robot)
    _arrows(axes[2], predicted, seen.predicted.opacity > OPAQUE)
    legend = axes[1].inset_axes((0.0, 0.0, 0.22, 0.29))
    legend.imshow(wheel())
    legend.set_axis_off()
    _draw_depth(axes[4], axes[5], seen)
    for axis in axes:
        axis.set_axis_off()
        _look_at(axis, seen)


def _look_at(axis: Axes, seen: _Seen) -> None:
    """Show only the robot and some pixels around it, in the image's proportions."""
    rows, columns = np.nonzero(seen.truth.robot | (seen.predicted.opacity > OPAQUE))
    if not len(rows):
        return
    height, width = seen.truth.robot.shape
    tall = max(np.ptp(rows), np.ptp(columns) * height / width) * MARGIN
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    wide = tall * width / height
    axis.set_xlim(middle[1] - wide / 2, middle[1] + wide / 2)
    axis.set_ylim(middle[0] + tall / 2, middle[0] - tall / 2)


def _says(camera: DatasetCamera) -> str:
    return {
        "control": "the model's image",
        "training": "trained on",
        "held_out": "never trained on",
    }[camera.role]


def _arrows(axis: Axes, flow: Float[np.ndarray, "h w 2"], where: np.ndarray) -> None:
    step = ARROW_STEP
    rows, columns = np.nonzero(where[::step, ::step])
    rows, columns = rows * step, columns * step
    u, v = flow[rows, columns].T / STRIDE
    longest = max(float(np.hypot(u, v).max(initial=0.0)), 1e-6)
    scale = min(4.0, 3.0 * step / longest)  # drawn longer than it is where motion is small
    axis.quiver(
        columns, rows, scale * u, scale * v, angles="xy", scale_units="xy", scale=1, width=0.004,
        color="black",
    )  # fmt: skip


def _draw_depth(true_axis: Axes, axis: Axes, seen: _Seen) -> None:
    true = np.where(seen.truth.robot, seen.truth.depth, np.nan)
    predicted = seen.predicted.depth
    if np.isfinite(true).any():
        low, high = np.nanpercentile(true, [1, 99])
    else:
        low, high = 0.0, 1.0
    both = np.abs(predicted - true)
    error = 1e3 * np.nanmedian(both) if np.isfinite(both).any() else np.nan
    true_axis.imshow(true, cmap="viridis_r", vmin=low, vmax=high)
    true_axis.set_title(f"true depth, {low:.2f} to {high:.2f} m", fontsize=10)
    axis.imshow(predicted, cmap="viridis_r", vmin=low, vmax=high)
    axis.set_title(f"rendered depth, median error {error:.1f} mm", fontsize=10)
