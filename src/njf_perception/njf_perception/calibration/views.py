"""What was seen, by camera and instant, and what a live display says of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.planar import board_poses

BLURRED_PX = 2.5  # standard deviation of the blur from which a view says nothing reliable
FEWEST_TAGS = 4
_COVERAGE_GRID = (4, 6)  # rows and columns of the image that the coverage is counted in


@dataclass(frozen=True)
class View:
    """One camera's image at one instant, at which the board stood still.

    Attributes:
        camera: name.
        instant: name of the instant; cameras that share it saw the board in the same pose.
        sighting: the tags in it.
    """

    camera: str
    instant: str
    sighting: Sighting

    def usable(self, board: Board) -> bool:
        """Sharp, and with enough tags for a pose."""
        enough = min(FEWEST_TAGS, len(board.ids))
        return len(self.sighting.ids) >= enough and self.sighting.blur_px <= BLURRED_PX

    def points_m(self, board: Board) -> Float[np.ndarray, "n 3"]:
        """Corners of the seen tags in the board's frame [m], in the order of `pixels`."""
        return board.corners_m[self.sighting.ids - board.first_id].reshape(-1, 3)

    @property
    def pixels(self) -> Float[np.ndarray, "n 2"]:
        """Where the corners were seen (u, v) [px]."""
        return self.sighting.corners_px.reshape(-1, 2)


@dataclass
class Tally:
    """One camera's figures so far.

    The error is that of each view by itself, with a pose of the board of its own.

    Attributes:
        images: looked at.
        views: usable ones.
        blurred: images dropped for their blur.
        tags: seen in all.
        squares_px2: mean square of each view's reprojection error [px^2].
        covered: cells of the image in which tags were seen.
    """

    images: int = 0
    views: int = 0
    blurred: int = 0
    tags: int = 0
    squares_px2: list[float] = field(default_factory=list)
    covered: set[tuple[int, int]] = field(default_factory=set)

    @property
    def error_px(self) -> float:
        """Reprojection error, RMS over the views [px]; NaN while there is none."""
        return float(np.sqrt(np.mean(self.squares_px2))) if self.squares_px2 else float("nan")

    @property
    def coverage(self) -> float:
        """Share of the image in which tags were seen."""
        return len(self.covered) / (_COVERAGE_GRID[0] * _COVERAGE_GRID[1])

    def line(self, camera: str) -> str:
        """The figures, for a terminal."""
        error = f"{self.error_px:6.2f}" if self.squares_px2 else "     -"
        return (
            f"{camera:16s} {self.views:4d} views of {self.images:4d}  {self.tags:5d} tags  "
            f"{error} px  coverage {100 * self.coverage:3.0f} %"
        )


class Tallies:
    """Every camera's figures, updated with each view."""

    def __init__(
        self,
        board: Board,
        lenses: Mapping[str, Lens],
        sizes: Mapping[str, tuple[int, int]],
    ) -> None:
        """Figures of cameras with images of `sizes` [px]; no error where the lens is unknown."""
        self._board, self._lenses, self._sizes = board, lenses, sizes
        self.by_camera: dict[str, Tally] = defaultdict(Tally)

    def add(self, view: View) -> Tally:
        """Count one view; returns its camera's figures."""
        tally, sighting = self.by_camera[view.camera], view.sighting
        tally.images += 1
        tally.tags += len(sighting.ids)
        tally.blurred += sighting.blur_px > BLURRED_PX
        if view.usable(self._board):
            tally.views += 1
            tally.covered |= covered_cells(view.pixels, self._sizes[view.camera])
            tally.squares_px2 += self._squares(view)
        return tally

    def _squares(self, view: View) -> list[float]:
        lens = self._lenses.get(view.camera)
        poses = lens and board_poses(view.points_m(self._board), view.pixels, lens)
        return [poses[0].error_px ** 2] if poses else []

    def lines(self) -> list[str]:
        """A line per camera."""
        return [tally.line(camera) for camera, tally in sorted(self.by_camera.items())]


def covered_cells(pixels: Float[np.ndarray, "n 2"], size: tuple[int, int]) -> set[tuple[int, int]]:
    """Cells (row, column) of a coarse grid over an image of `size` [px] that pixels lie in."""
    rows, columns = _COVERAGE_GRID
    cells = (pixels + 0.5) / size * [columns, rows]
    cells = np.floor(cells).astype(int).clip(0, [columns - 1, rows - 1])
    return {(int(row), int(column)) for column, row in cells}


def groups(views: Iterable[View]) -> list[set[str]]:
    """Cameras that are linked by instants they share, directly or through others."""
    seen: dict[str, set[str]] = defaultdict(set)
    for view in views:
        seen[view.instant].add(view.camera)
    found: list[set[str]] = []
    for cameras in seen.values():
        linked = [group for group in found if group & cameras]
        found = [group for group in found if not group & cameras]
        found.append(cameras.union(*linked))
    return sorted(found, key=lambda group: (-len(group), sorted(group)))
