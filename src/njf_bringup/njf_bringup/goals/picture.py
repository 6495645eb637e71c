"""What a person sees of a goal: its points and their ways on the picture; a motion as a strip."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from njf_bringup.demo.overlay import (
    GOAL,
    LARGEST_DRAWN,
    LINK,
    NOW,
    SHIFT,
    drawn_at,
    enlarged,
    with_ghost,
)
from njf_bringup.goals.point_paths import PointPaths
from njf_bringup.goals.taught import TaughtGoal
from njf_bringup.style import GOAL as SHOWN_COLOUR
from njf_bringup.style import INK
from njf_bringup.style import NOW as FOLLOWED_COLOUR
from njf_perception.errors import DataError

_GREY = 70  # behind points that have no picture
_HEAD_PX = 7.0  # of an arrow, in the drawing
_STRIP = 6  # pictures of a motion


def draw_goal(goal: TaughtGoal, width_px: int, height_px: int) -> UInt8[np.ndarray, "H W 3"]:
    """A goal at twice the camera's size (RGB).

    Points are blue where they begin and red where they should go; what the goal picture shows and
    the start picture does not shines through.
    """
    plain = np.full((height_px, width_px, 3), _GREY, np.uint8)
    first = next((p for p in (goal.start, goal.goal) if p is not None), plain)
    canvas = enlarged(with_ghost(first, first if goal.goal is None else goal.goal))
    if goal.paths is not None:
        _draw_paths(canvas, goal.paths)
    return canvas


def write_picture(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> Path:
    """Write an RGB picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path


def read_picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """An RGB picture of a file.

    Raises:
        DataError: OpenCV cannot read it.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{path} is no picture that can be read. Give a PNG or JPEG file.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def write_strip(
    path: Path,
    shown: Sequence[UInt8[np.ndarray, "h w 3"]],
    followed: Sequence[UInt8[np.ndarray, "h w 3"]],
    title: str,
) -> None:
    """A motion as it was shown (above) and as the robot followed it (below).

    Args:
        path: of the picture.
        shown: images of the demonstration in their order.
        followed: images of the robot following it.
        title: what is to be said of it.
    """
    figure = Figure(figsize=(2.6 * _STRIP, 4.7), dpi=100, facecolor="white")
    rows = figure.subplots(2, _STRIP, squeeze=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.88, bottom=0.02, wspace=0.03, hspace=0.04)
    for axes, images in zip(rows, (shown, followed), strict=True):
        chosen = np.linspace(0, len(images) - 1, _STRIP).round().astype(int)
        for panel, index in zip(axes, chosen, strict=True):
            _panel(panel, images[index])
    rows[0, 0].set_ylabel("shown", color=SHOWN_COLOUR, fontsize=14, fontweight="bold")
    rows[1, 0].set_ylabel("followed", color=FOLLOWED_COLOUR, fontsize=14, fontweight="bold")
    figure.text(0.03, 0.925, title, fontsize=16, fontweight="bold", color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _panel(axes: Axes, image: UInt8[np.ndarray, "h w 3"]) -> None:
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _draw_paths(canvas: UInt8[np.ndarray, "h w 3"], paths: PointPaths) -> None:
    drawn = range(0, len(paths.ids), -(-len(paths.ids) // LARGEST_DRAWN))
    for index in drawn:
        way = paths.points_px[paths.visible[:, index], index]
        line = np.array([drawn_at(pixel) for pixel in way], np.int32)
        cv2.polylines(canvas, [line], False, LINK, 1, cv2.LINE_AA, SHIFT)
    for index in drawn:
        way = paths.points_px[paths.visible[:, index], index]
        cv2.circle(canvas, drawn_at(way[0]), 2 << SHIFT, NOW, -1, cv2.LINE_AA, SHIFT)
        if paths.visible[-1, index]:
            _draw_head(canvas, way)


def _draw_head(canvas: UInt8[np.ndarray, "h w 3"], way: Float[np.ndarray, "m 2"]) -> None:
    """An arrow's head where a way ends, along its last stretch; a dot where it has none."""
    end = way[-1]
    far = np.flatnonzero(np.linalg.norm(way - end, axis=1) * 2 >= _HEAD_PX)
    if not len(far):
        cv2.circle(canvas, drawn_at(end), 2 << SHIFT, GOAL, -1, cv2.LINE_AA, SHIFT)
        return
    along = (end - way[far[-1]]) / np.linalg.norm(end - way[far[-1]])
    aside = np.array([-along[1], along[0]])
    back = end - along * _HEAD_PX / 2
    corners = [end, back + 0.45 * aside * _HEAD_PX / 2, back - 0.45 * aside * _HEAD_PX / 2]
    head = np.array([drawn_at(corner) for corner in corners], np.int32)
    cv2.fillConvexPoly(canvas, head, GOAL, cv2.LINE_AA, SHIFT)
