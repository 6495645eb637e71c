"""Draws docs/images/<robot>/field.png: what RViz shows, made from the same points and arrows.

Left the overlay, in the middle the coloured surface, right where one channel would move it:
.venv/bin/python scripts/field_pictures.py
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from njf_bringup.closed_loop.run import Bench, Setup
from njf_control.robot import load_robot
from njf_control.visualization.colors import channel_color, influence_colors
from njf_control.visualization.field import FieldView, arrows, spread_out
from njf_control.visualization.overlay import draw_overlay
from njf_perception.camera import pixel_grid

ROOT = Path(__file__).parents[1]
SHOWN = {"poppy": "m1", "allegro": "ffj1"}  # robots, and the channel whose arrows are drawn
POSE = (0.62, 0.4, 0.6, 0.45, 0.55)  # of each channel's range, over and over
STRIDE_PX, SURE, ARROW_M = 8, 0.3, 0.04


def field_of(bench: Bench, pose: np.ndarray) -> tuple[UInt8[np.ndarray, "h w 3"], FieldView]:
    """A photo of the robot at a pose, and its Jacobian field as the node publishes it."""
    view = bench.look(pose)
    pixels = pixel_grid(bench.camera.width, bench.camera.height)
    pixels = pixels[STRIDE_PX // 2 :: STRIDE_PX, STRIDE_PX // 2 :: STRIDE_PX].reshape(-1, 2)
    encoding = bench.eyes.encode(view, bench.camera)
    surface = bench.eyes.model.evaluate(encoding, bench.camera, pixels)
    field = FieldView(surface.points_m, surface.jacobian_m, surface.confidence)
    return view.rgb, field.sure(SURE)


def draw(name: str, channel: str) -> None:
    """Write one robot's picture."""
    robot = load_robot(ROOT / "config" / "robots" / f"{name}.yaml")
    bench = Bench(Setup(robot, str(ROOT / "checkpoints" / name / f"{name}.pt")))
    pose = robot.lower + np.resize(POSE, len(robot.channels)) * (robot.upper - robot.lower)
    photo, field = field_of(bench, pose)
    figure = Figure(figsize=(15, 4.6), dpi=100, facecolor="white")
    left = figure.add_axes((0.01, 0.02, 0.36, 0.86))
    left.imshow(draw_overlay(photo, bench.camera.K, field, STRIDE_PX))
    left.set_title("visualization/overlay", fontsize=11)
    left.axis("off")
    colors = influence_colors(field.influence_m)
    middle = _space(figure, (0.37, 0.0, 0.31, 0.9), field, "visualization/influence")
    middle.scatter(*_upright(field.points_m), c=colors, s=9)
    index = robot.channel_names.index(channel)
    few = spread_out(len(field.points_m), 250)
    ends = arrows(field.points_m[few], field.motion_m[few, :, index], ARROW_M)
    right = _space(figure, (0.68, 0.0, 0.31, 0.9), field, f"visualization/arrows, {channel}")
    right.scatter(*_upright(field.points_m), c=colors, s=2, alpha=0.35)
    begin, way = _upright(ends[0]), _upright(ends[1] - ends[0])
    right.quiver(*begin, *way, color=channel_color(index), linewidth=1.0, arrow_length_ratio=0.3)
    figure.savefig(ROOT / "docs" / "images" / name / "field.png")


def _space(
    figure: Figure, place: tuple[float, float, float, float], field: FieldView, title: str
) -> Axes:
    axes = figure.add_axes(place, projection="3d")
    axes.set_box_aspect(np.ptp(_upright(field.points_m), axis=1))
    axes.view_init(elev=18, azim=-60)
    axes.set_title(title, fontsize=11)
    axes.tick_params(labelsize=7)
    return axes


def _upright(points: np.ndarray) -> np.ndarray:
    """Right, away and up as the camera sees them."""
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]])


if __name__ == "__main__":
    for robot_name, shown in SHOWN.items():
        draw(robot_name, shown)
