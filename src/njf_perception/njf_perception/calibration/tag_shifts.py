"""How far each tag is from where the board's file has it, measured on the board itself."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_perception.calibration.board import Board
from njf_perception.calibration.bundle import Solution
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.planar import on_plane_m
from njf_perception.calibration.views import View
from njf_perception.camera import invert

_LEAST = 0.02  # of a tag's side: less is the printer's and the paper's
_CERTAIN = 6.0  # standard errors


@dataclass(frozen=True)
class TagShift:
    """Where a tag is on the board, seen over all views.

    Attributes:
        mean_m: from where it should be, to the right and up [m].
        moved: further than printing and measuring explain.
        views: in which it was seen.
    """

    mean_m: Float[np.ndarray, "2"]
    moved: bool
    views: int

    @property
    def distance_m(self) -> float:
        """Length of the shift [m]."""
        return float(np.linalg.norm(self.mean_m))


def tag_shifts(
    board: Board, lenses: Mapping[str, Lens], views: Sequence[View], solution: Solution
) -> dict[int, TagShift]:
    """Shift of every tag that was seen, by its id.

    A tag is where the rays of its corners meet the board's plane. The median over the views is
    compared with its standard error, and with a fiftieth of the tag's side.
    """
    found: dict[int, list[np.ndarray]] = defaultdict(list)
    for view in views:
        T = invert(solution.T_world_camera[view.camera]) @ solution.T_world_board[view.instant]
        on_board = on_plane_m(view.pixels, lenses[view.camera], T)
        off = (on_board - view.points_m(board)[:, :2]).reshape(-1, 4, 2).mean(1)
        for tag, shift in zip(view.sighting.ids.tolist(), off, strict=True):
            found[tag].append(shift)
    least_m = _LEAST * board.scale * board.tag_size_m
    return {tag: _shift(np.array(shifts), least_m) for tag, shifts in sorted(found.items())}


def _shift(shifts: Float[np.ndarray, "v 2"], least_m: float) -> TagShift:
    mean = np.median(shifts, axis=0)
    spread = 1.4826 * np.median(np.abs(shifts - mean))
    enough_m = max(least_m, _CERTAIN * float(spread) / np.sqrt(len(shifts)))
    return TagShift(mean, bool(np.linalg.norm(mean) > enough_m), len(shifts))
