"""Pictures of a calibration board as a camera takes them, with known poses.

Every pixel is the mean of rays that meet the board's plane, so perspective and lens distortion are
exact; then come blur and noise.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from njf_perception.calibration.board import Board, tag_cells
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.planar import on_plane_m
from njf_perception.camera import pixel_grid, transform

_CELLS = 8  # of a tag along a side
_INK, _PAPER, _GROUND = 25.0, 215.0, 110.0  # gray values
_GROUND_SPREAD = 30.0


@dataclass(frozen=True)
class Optics:
    """How pictures are taken.

    Attributes:
        blur_px: standard deviation of the blur [px].
        noise: standard deviation of each pixel's noise [gray values of 255].
        rays: per pixel along each side.
    """

    blur_px: float = 0.7
    noise: float = 2.0
    rays: int = 4


def board_picture(
    board: Board,
    lens: Lens,
    T_camera_board: Float[np.ndarray, "4 4"],
    rng: np.random.Generator,
    optics: Optics = Optics(),  # noqa: B008  # frozen
    tag_offsets_m: Float[np.ndarray, "t 2"] | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """A gray picture of the board in front of a blotchy ground.

    Args:
        board: what is seen.
        lens: through what.
        T_camera_board: pose of the board in front of the camera.
        rng: of ground and noise.
        optics: see there.
        tag_offsets_m: how far each tag is from where it should be on the board [m].
    """
    image = _ground(lens, rng)
    left, top, right, bottom = _outline(board, lens, T_camera_board)
    if right > left and bottom > top:
        grid = pixel_grid(right - left, bottom - top) + [left, top]
        colour = np.zeros(grid.shape[:2], np.float32)
        steps = (np.arange(optics.rays) + 0.5) / optics.rays - 0.5
        patch = image[top:bottom, left:right]
        offsets = np.zeros((len(board.ids), 2)) if tag_offsets_m is None else tag_offsets_m
        cells = np.stack([tag_cells(int(i)) for i in board.ids])
        for du in steps:
            for dv in steps:
                points = on_plane_m(grid.reshape(-1, 2) + [du, dv], lens, T_camera_board)
                colour += _colour(board, cells, points, offsets, patch.ravel()).reshape(patch.shape)
        image[top:bottom, left:right] = colour / optics.rays**2
    if optics.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), optics.blur_px)
    image += optics.noise * rng.standard_normal(image.shape, np.float32)
    return np.rint(image).clip(0, 255).astype(np.uint8)


def _ground(lens: Lens, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    coarse = _GROUND + _GROUND_SPREAD * rng.standard_normal((8, 10)).astype(np.float32)
    return cv2.resize(coarse, (lens.width, lens.height), interpolation=cv2.INTER_CUBIC)


def _outline(
    board: Board, lens: Lens, T_camera_board: Float[np.ndarray, "4 4"]
) -> tuple[int, int, int, int]:
    """Box of pixels around the paper: left, top, right, bottom (exclusive)."""
    low, high = _paper(board)
    x, y = (np.linspace(low[i], high[i], 20) for i in (0, 1))
    edge = np.stack([*np.meshgrid(x, y), np.zeros((20, 20))], axis=-1).reshape(-1, 3)
    points = transform(T_camera_board, edge)
    if (points[:, 2] <= 1e-3).any():
        return 0, 0, 0, 0
    pixels, _ = lens.project(points)
    first = np.floor(pixels.min(0) - 2).clip(0, [lens.width, lens.height]).astype(int)
    last = np.ceil(pixels.max(0) + 3).clip(0, [lens.width, lens.height]).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _paper(board: Board) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Corners of the white paper in the board's frame [m]: a gap wider than its tags."""
    corners = board.corners_m[..., :2].reshape(-1, 2)
    gap = board.scale * board.gap_m
    return corners.min(0) - gap, corners.max(0) + gap


def _colour(
    board: Board,
    cells: Bool[np.ndarray, "t 8 8"],
    points: Float[np.ndarray, "n 2"],
    offsets: Float[np.ndarray, "t 2"],
    ground: Float32[np.ndarray, " n"],
) -> Float32[np.ndarray, " n"]:
    """Gray values of points of the board's plane."""
    low, high = _paper(board)
    on_paper = ((points > low) & (points < high)).all(-1)
    colour = np.where(on_paper, np.float32(_PAPER), ground)
    pitch = board.scale * (board.tag_size_m + board.gap_m)
    size = board.scale * board.tag_size_m
    first = board.corners_m[0, 0, :2]
    column = np.rint(((points[:, 0] - first[0]) - size / 2) / pitch).astype(int)
    row = np.rint(((first[1] - points[:, 1]) - size / 2) / pitch).astype(int)
    column, row = column.clip(0, board.columns - 1), row.clip(0, board.rows - 1)
    tag = row * board.columns + column
    local = points - offsets[tag] - first - pitch * np.stack([column, -row], axis=-1)
    cell = np.floor(local * [_CELLS, -_CELLS] / size).astype(int)
    inside = ((cell >= 0) & (cell < _CELLS)).all(-1)
    cell = cell.clip(0, _CELLS - 1)
    colour[inside & cells[tag, cell[:, 1], cell[:, 0]]] = _INK
    return colour
