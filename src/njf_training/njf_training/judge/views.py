"""Scores of one view: motion, depth, outline and colours against what really happened."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from njf_control.jacobian.confidence import MOVING_PX
from njf_training.judge.predictor import OPAQUE, PredictedView, thin
from njf_training.judge.truth import TrueView

HIGHEST_PSNR_DB = 60.0  # of two images that are the same


class ViewScore(NamedTuple):
    """One view of one motion; NaN where a figure has nothing to say."""

    cosine: float  # mean cosine between predicted and true flow on moving pixels
    error_px: float  # mean end-point error on the robot
    error_off_robot_px: float  # mean predicted motion beside the robot, where nothing moves
    motion_px: float  # mean true motion on the robot
    depth_error_mm: float  # median over the robot
    opacity_iou: float  # rendered silhouette against the true one
    psnr_db: float  # whole image, the model's rendering over the background image
    psnr_robot_db: float  # only where the robot is or is rendered


def score_view(
    predicted: PredictedView,
    truth: TrueView,
    image: UInt8[np.ndarray, "h w 3"],
    background: UInt8[np.ndarray, "h w 3"],
    stride: int,
) -> ViewScore | None:
    """Compare a view with the truth at every `stride`-th pixel; None without the robot in it."""
    robot, flow, depth = (thin(x, stride) for x in (truth.robot, truth.flow, truth.depth))
    if not robot.any():
        return None
    lengths = np.linalg.norm(flow, axis=-1)
    moving = robot & (lengths > MOVING_PX)
    errors = np.linalg.norm(predicted.flow - flow, axis=-1)
    seen = predicted.opacity > OPAQUE
    depth_errors = np.abs(predicted.depth - depth)[robot & seen]
    wrong = squared_error(predicted, thin(image, stride), thin(background, stride))
    return ViewScore(
        cosine=_mean(cosines(predicted.flow[moving], flow[moving])),
        error_px=_mean(errors[robot]),
        error_off_robot_px=_mean(errors[~robot]),
        motion_px=_mean(lengths[robot]),
        depth_error_mm=1e3 * float(np.median(depth_errors)) if len(depth_errors) else np.nan,
        opacity_iou=float((robot & seen).sum() / (robot | seen).sum()),
        psnr_db=psnr_db(wrong),
        psnr_robot_db=psnr_db(wrong[robot | seen]),
    )


def composite(
    predicted: PredictedView, background: UInt8[np.ndarray, "h w 3"]
) -> Float[np.ndarray, "h w 3"]:
    """The rendering over a picture of the empty scene, colours 0..1.

    The model knows only what moves; the static scene is the data set's background image.
    """
    rest = 1 - predicted.opacity[..., None].clip(0, 1)
    return (predicted.rgb + rest * background / 255).clip(0, 1)


def squared_error(
    predicted: PredictedView,
    image: UInt8[np.ndarray, "h w 3"],
    background: UInt8[np.ndarray, "h w 3"],
) -> Float[np.ndarray, "h w 3"]:
    """Squared error of the composited rendering, colours 0..1."""
    return (composite(predicted, background) - image / 255) ** 2


def psnr_db(squared: Float[np.ndarray, "*n"]) -> float:
    """Peak signal-to-noise ratio of squared errors of colours 0..1, at most 60 dB."""
    if not squared.size:
        return float("nan")
    return float(min(HIGHEST_PSNR_DB, -10 * np.log10(max(squared.mean(), 1e-12))))


def cosines(
    predicted: Float[np.ndarray, "n 2"], true: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Cosine of the angle between flows; 0 where nothing was predicted."""
    norms = np.linalg.norm(predicted, axis=-1) * np.linalg.norm(true, axis=-1)
    return (predicted * true).sum(-1) / np.maximum(norms, 1e-9)


def robot_pixels(robot: Bool[np.ndarray, "h w"], stride: int) -> Float[np.ndarray, "n 2"]:
    """Pixels (u, v) of the robot among every `stride`-th pixel of a full image."""
    rows, columns = np.nonzero(thin(robot, stride))
    offset = stride // 2
    return np.stack([columns, rows], axis=-1).astype(np.float64) * stride + offset


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values.mean()) if len(values) else float("nan")
