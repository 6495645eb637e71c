"""The camera's picture with the Jacobian field, the goal and the motion drawn onto it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from njf_control.visualization.colors import influence_colors
from njf_control.visualization.field import FieldView
from njf_perception.camera import project

NOW, GOAL, LINK = (64, 224, 255), (255, 92, 138), (255, 214, 102)
MEASURED, PREDICTED = (255, 255, 255), (255, 160, 20)
_PAINT_SHARE = 0.85  # of the picture where the field is known
_SHIFT = 4  # fractional bits of cv2's drawing coordinates
_FLOW_SCALE = 4.0  # arrows of motion are longer than the motion, or nobody would see them


@dataclass(frozen=True)
class Aim:
    """Tracked points and where they should be.

    Attributes:
        now_px, target_px: (u, v) [px].
        visible: points that the tracker knows.
    """

    now_px: Float[np.ndarray, "n 2"]
    target_px: Float[np.ndarray, "n 2"]
    visible: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Flow:
    """Motion of points over a short time: as it was measured, and as the model says [px]."""

    begin_px: Float[np.ndarray, "n 2"]
    measured_px: Float[np.ndarray, "n 2"]
    predicted_px: Float[np.ndarray, "n 2"]


def draw_overlay(
    photo: UInt8[np.ndarray, "h w 3"],
    K: Float[np.ndarray, "3 3"],
    field: FieldView | None,
    spacing_px: int,
    aim: Aim | None = None,
    flow: Flow | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture, the channels' colours where the robot is, the goal, and both motions.

    Args:
        photo: the camera image, RGB.
        K: its intrinsic matrix.
        field: painted in the channels' colours; None: nothing is known.
        spacing_px: distance of the field's points in the image.
        aim: drawn as lines from the tracked points to their targets.
        flow: measured motion in white, the model's in orange, both four times as long.
    """
    canvas = photo.copy()
    if field is not None and len(field.points_m):
        _paint(canvas, project(field.points_m, K), influence_colors(field.influence_m), spacing_px)
    if aim is not None:
        _draw_aim(canvas, aim)
    if flow is not None:
        for motion, color in ((flow.measured_px, MEASURED), (flow.predicted_px, PREDICTED)):
            _draw_arrows(canvas, flow.begin_px, motion, color)
    return canvas


def _paint(
    canvas: UInt8[np.ndarray, "h w 3"],
    pixels: Float[np.ndarray, "n 2"],
    colors: Float[np.ndarray, "n 3"],
    spacing_px: int,
) -> None:
    """Colour flows from every point as far as its neighbours; the photo's own goes there."""
    height, width = canvas.shape[:2]
    drops = np.zeros((height, width, 4), np.float32)
    columns, rows = np.rint(pixels).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    drops[rows[inside], columns[inside], :3] = colors[inside]
    drops[rows[inside], columns[inside], 3] = 1.0
    spread = cv2.GaussianBlur(drops, (0, 0), 0.5 * spacing_px)
    weight = spread[..., 3:]
    share = _PAINT_SHARE * np.clip(weight * 2 * spacing_px**2, 0.0, 1.0)
    paint = 255 * spread[..., :3] / np.maximum(weight, 1e-9)
    shade = 0.5 + 0.5 * canvas.mean(axis=2, keepdims=True) / 255  # the robot's shape stays visible
    canvas[:] = np.rint((1 - share) * canvas + share * shade * paint).astype(np.uint8)


def _draw_aim(canvas: UInt8[np.ndarray, "h w 3"], aim: Aim) -> None:
    shown = aim.visible & np.isfinite(aim.target_px).all(axis=1)
    for here, there in zip(aim.now_px[shown], aim.target_px[shown], strict=True):
        cv2.line(canvas, _fixed(here), _fixed(there), LINK, 1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, _fixed(there), 2 << _SHIFT, GOAL, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, _fixed(here), 2 << _SHIFT, NOW, -1, cv2.LINE_AA, _SHIFT)


def _draw_arrows(
    canvas: UInt8[np.ndarray, "h w 3"],
    begin_px: Float[np.ndarray, "n 2"],
    motion_px: Float[np.ndarray, "n 2"],
    color: tuple[int, int, int],
) -> None:
    for begin, motion in zip(begin_px, motion_px, strict=True):
        end = _fixed(begin + _FLOW_SCALE * motion)
        cv2.arrowedLine(canvas, _fixed(begin), end, color, 1, cv2.LINE_AA, _SHIFT, 0.25)


def _fixed(point: Float[np.ndarray, "2"] | list[float]) -> tuple[int, int]:
    """The fixed-point coordinates of cv2's drawing functions; far outside stays outside."""
    u, v = np.clip(np.asarray(point), -4096, 4096)
    return round(float(u) * (1 << _SHIFT)), round(float(v) * (1 << _SHIFT))
