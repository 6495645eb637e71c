"""The board on paper, in millimetres, with what to measure on it."""

import io
from pathlib import Path

import yaml
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from njf_perception.calibration.board import Board, black_squares_m
from njf_perception.errors import ConfigError

_MARGIN_MM, _FOOT_MM, _INCH_MM = 12.0, 10.0, 25.4
_DPI = 600
_FORMATS = ("pdf", "svg", "png")


def board_print(board: Board, path: Path) -> bytes:
    """A page that is just large enough, in the format that the path's suffix names.

    Raises:
        ConfigError: the suffix is none of pdf, svg and png.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in _FORMATS:
        raise ConfigError(f"{path}: cannot print to '.{suffix}'. Use .pdf, .svg or .png.")
    width_mm, height_mm = (1e3 * length for length in board.size_m)
    page = (width_mm + 2 * _MARGIN_MM, height_mm + 2 * _MARGIN_MM + _FOOT_MM)
    figure = Figure(figsize=(page[0] / _INCH_MM, page[1] / _INCH_MM), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, page[0]), ylim=(0, page[1]))
    axes.set_axis_off()
    squares = 1e3 * black_squares_m(board)
    squares += [_MARGIN_MM, _MARGIN_MM + _FOOT_MM] - squares.reshape(-1, 2).min(0)
    # One path, filled at once: neighbouring cells leave no seam.
    closed = [Outline([*square, square[0]], closed=True) for square in squares]
    outline = Outline.make_compound_path(*closed)
    axes.add_patch(PathPatch(outline, facecolor="black", edgecolor="none", linewidth=0))
    text = (
        f"tag36h11 {board.first_id} to {board.ids[-1]}, {board.columns} x {board.rows}. "
        f"Left edge of a row's first tag to right edge of its last: {width_mm:.1f} mm."
    )
    axes.text(page[0] / 2, _MARGIN_MM, text, ha="center", va="center", fontsize=6)
    content = io.BytesIO()
    figure.savefig(content, format=suffix, dpi=_DPI)
    return content.getvalue()


def board_text(board: Board) -> str:
    """The board's YAML file."""
    return yaml.safe_dump(board.model_dump(exclude_none=True), sort_keys=False)
