"""What every channel does to the image, as the model says and as it is."""

import math
from pathlib import Path

import matplotlib.figure
import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes

from njf_control.servo.model import SurfaceJacobians
from njf_perception.camera import pixel_grid
from njf_training.judge.channels import image_jacobian
from njf_training.judge.colors import sensitivity_image
from njf_training.judge.judge import Judge
from njf_training.judge.predictor import thin

STRIDE = 2
COLUMNS = 6
ARROW_STEP = 8  # half-size pixels between arrows


def jacobian_sheet(judge: Judge, state: int, path: Path) -> None:
    """Draw the control image and per channel the predicted (above) and the exact sensitivity.

    White does not move, full colour moves most; arrows say where to for a growing command.
    """
    dataset = judge.dataset
    names = dataset.channel_names
    photo = np.asarray(dataset.images[state, judge.context])
    predicted, exact = _predicted(judge, photo), _exact(judge, state)
    columns = min(COLUMNS, len(names))
    blocks = math.ceil(len(names) / columns)
    size = (3.2 * columns, 5.2 * blocks + 0.6)
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    figure.suptitle(
        f"{dataset.robot}: what each channel moves in this image. Above: the model, from the image "
        "alone. Below: exact.\nWhite stays, full colour moves most; arrows: the way for a growing "
        "command.",
        fontsize=11,
    )
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for axis in axes.ravel():
        axis.set_axis_off()
    for channel, name in enumerate(names):
        block, column = divmod(channel, columns)
        above, below = axes[2 * block, column], axes[2 * block + 1, column]
        _draw(above, photo, predicted, channel, name)
        _draw(below, photo, exact, channel, "exact")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _draw(
    axis: Axes,
    photo: UInt8[np.ndarray, "h w 3"],
    field: tuple[Float[np.ndarray, "h2 w2 2 k"], Float[np.ndarray, "h2 w2"]] | None,
    channel: int,
    title: str,
) -> None:
    if field is None:
        axis.set_title("exact: unknown", fontsize=9)
        return
    jacobian, cover = field[0][..., channel], field[1]
    strength = np.linalg.norm(jacobian, axis=-1)
    shown = strength[cover > 0.5]
    largest = max(float(np.percentile(shown, 99)) if len(shown) else 0.0, 1e-6)
    axis.imshow(sensitivity_image(thin(photo, STRIDE), strength / largest, cover, channel))
    axis.set_title(f"{title}, up to {largest:.0f} px", fontsize=9)
    _arrows(axis, np.where(cover[..., None] > 0.5, jacobian, 0.0) / largest)


def _arrows(axis: Axes, direction: Float[np.ndarray, "h w 2"]) -> None:
    """Arrows where the motion is at least a fifth of the largest."""
    rows, columns = np.nonzero(np.linalg.norm(direction, axis=-1) > 0.2)
    keep = (rows % ARROW_STEP == 0) & (columns % ARROW_STEP == 0)
    rows, columns = rows[keep], columns[keep]
    u, v = 1.3 * ARROW_STEP * direction[rows, columns].T
    axis.quiver(
        columns, rows, u, v, angles="xy", scale_units="xy", scale=1, width=0.006, color="black"
    )


def _pixels(judge: Judge) -> tuple[Float[np.ndarray, "h w 2"], Float[np.ndarray, "3 3"]]:
    camera = judge.dataset.control_camera
    return thin(pixel_grid(camera.width, camera.height), STRIDE), camera.K


def _predicted(
    judge: Judge, photo: UInt8[np.ndarray, "h w 3"]
) -> tuple[Float[np.ndarray, "h2 w2 2 k"], Float[np.ndarray, "h2 w2"]]:
    pixels, K = _pixels(judge)
    scene = judge.predictor.encode(photo, judge.dataset.control_camera)
    flat = pixels.reshape(-1, 2)
    jacobian = image_jacobian(judge.predictor.surface(scene, flat), K)
    # Painted is what the model takes for the robot, however sure it is of the motion there.
    cover = scene.surface(torch.from_numpy(flat).float())[1].double().numpy()
    shape = pixels.shape[:2]
    return jacobian.reshape(*shape, *jacobian.shape[1:]), cover.reshape(shape)


def _exact(
    judge: Judge, state: int
) -> tuple[Float[np.ndarray, "h2 w2 2 k"], Float[np.ndarray, "h2 w2"]] | None:
    pixels, K = _pixels(judge)
    camera = judge.dataset.control_camera.name
    robot = thin(judge.truth.view(state, state, camera).robot, STRIDE)
    known = judge.truth.jacobian(state, camera, pixels[robot].astype(int))
    if known is None:
        return None
    half_range = judge.predictor.command_half_range
    scaled = SurfaceJacobians(known.points_m, known.confidence, known.jacobian_m * half_range)
    jacobian = np.zeros((*robot.shape, 2, len(half_range)))
    jacobian[robot] = image_jacobian(scaled, K)
    return jacobian, robot.astype(float)
