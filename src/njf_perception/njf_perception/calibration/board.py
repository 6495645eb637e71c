"""The board that is held in front of the cameras: a grid of AprilTags on one plane."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator

from njf_perception.config import Config

FAMILY = cv2.aruco.DICT_APRILTAG_36h11
_TAGS = 587  # of the family
_CELLS = 6  # of the code along a side; a black border of one cell is around it
_LARGEST_SCALE = 0.1  # a print that is off by more was made from another file


class Board(Config):
    """A board's geometry, as printed; see docs/calibration.md.

    The board's frame has x to the right of the print, y to its top and z out of the paper, towards
    who reads it. Lying on the table, z points up.
    """

    columns: int = Field(default=4, ge=1, le=40, description="tags per row")
    rows: int = Field(default=5, ge=1, le=40, description="rows of tags")
    tag_size_m: float = Field(
        default=0.036, gt=0.001, le=2.0, description="side of a tag's black square [m]"
    )
    gap_m: float = Field(
        default=0.009, gt=0, le=2.0, description="white between neighbouring tags [m]"
    )
    first_id: int = Field(
        default=0, ge=0, description="id of the tag at the top left; then row by row"
    )
    origin: Literal["center", "first_tag"] = Field(
        default="center", description="what of the board its pose means"
    )
    measured_width_m: float | None = Field(
        default=None,
        gt=0,
        description="measured on the print from the left edge of the first tag of a row to the "
        "right edge of its last; every length is scaled by it [m]",
    )
    rest_position_m: list[float] = Field(
        default=[0.0, 0.0, 0.0],
        min_length=3,
        max_length=3,
        description="where the board's origin lies at rest, world frame [m]",
    )
    rest_yaw_rad: float = Field(
        default=0.0, description="turn about z of the board at rest, world frame [rad]"
    )

    @model_validator(mode="after")
    def _printable(self) -> "Board":
        last = self.first_id + self.rows * self.columns - 1
        if last >= _TAGS:
            raise ValueError(f"last id {last}, but the family tag36h11 ends at {_TAGS - 1}")
        if abs(self.scale - 1) > _LARGEST_SCALE:
            raise ValueError(
                f"measured_width_m {self.measured_width_m} is {self.scale:.3f} times the width "
                f"{self._width_m:.4f} of {self.columns} tags of tag_size_m and gap_m: this file "
                "is of another board, or the width was measured between other edges"
            )
        return self

    @property
    def _width_m(self) -> float:
        return self.columns * self.tag_size_m + (self.columns - 1) * self.gap_m

    @property
    def scale(self) -> float:
        """Size of the print over the size in this file."""
        return 1.0 if self.measured_width_m is None else self.measured_width_m / self._width_m

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height between the tags' outer edges, as printed [m]."""
        height = self.rows * self.tag_size_m + (self.rows - 1) * self.gap_m
        return self.scale * self._width_m, self.scale * height

    @property
    def ids(self) -> Int[np.ndarray, " t"]:
        """Ids of all tags, row by row from the top left."""
        return self.first_id + np.arange(self.rows * self.columns)

    @property
    def corners_m(self) -> Float[np.ndarray, "t 4 3"]:
        """Corners per tag in the board's frame [m]: top left, then clockwise, as in OpenCV."""
        pitch = self.tag_size_m + self.gap_m
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        top_left = np.stack([column * pitch, -row * pitch], axis=-1)
        square = self.tag_size_m * np.array([[0, 0], [1, 0], [1, -1], [0, -1]])
        flat = top_left[:, None] + square
        middle = flat[0].mean(0) if self.origin == "first_tag" else flat.reshape(-1, 2).mean(0)
        corners = np.zeros((len(row), 4, 3))
        corners[..., :2] = self.scale * (flat - middle)
        return corners

    @property
    def rest_pose(self) -> Float[np.ndarray, "4 4"]:
        """T_world_board of the board at rest."""
        c, s = np.cos(self.rest_yaw_rad), np.sin(self.rest_yaw_rad)
        T = np.eye(4)
        T[:2, :2] = [[c, -s], [s, c]]
        T[:3, 3] = self.rest_position_m
        return T


def tag_cells(tag_id: int) -> Bool[np.ndarray, "8 8"]:
    """Which cells of a tag are black, row by row from the top, its border included."""
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILY)
    code = dictionary.bytesList[tag_id : tag_id + 1]
    to_bits = getattr(cv2.aruco, "Dictionary_getBitsFromByteList")  # noqa: B009  # not in the stubs
    white = to_bits(code, _CELLS).astype(bool)
    return ~np.pad(white, 1)


def black_squares_m(board: Board) -> Float[np.ndarray, "s 4 2"]:
    """Corners of all black cells in the board's frame [m], for printing and rendering."""
    squares = []
    for tag_id, corners in zip(board.ids, board.corners_m[..., :2], strict=True):
        right, down = (corners[1] - corners[0]) / 8, (corners[3] - corners[0]) / 8
        rows, columns = np.nonzero(tag_cells(int(tag_id)))
        start = corners[0] + columns[:, None] * right + rows[:, None] * down
        squares.append(start[:, None] + np.stack([0 * right, right, right + down, down]))
    return np.concatenate(squares)
