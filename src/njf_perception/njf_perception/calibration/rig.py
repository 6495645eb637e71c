"""A rig's calibration from beginning to end: check, start, refine, check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from njf_perception.calibration.board import Board
from njf_perception.calibration.bundle import Solution, adjust
from njf_perception.calibration.initialise import initialise
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.refuse import (
    Limits,
    check_lenses,
    check_solution,
    check_views,
    rms_px,
)
from njf_perception.calibration.tag_shifts import tag_shifts
from njf_perception.calibration.views import View, covered_cells


@dataclass(frozen=True)
class CameraFigures:
    """How well one camera is known.

    Attributes:
        views: usable ones.
        error_px: reprojection error of the whole rig's solution, RMS [px].
        position_std_m, rotation_std_rad: standard deviations, the largest axis.
        coverage: cells of the image in which tags were seen (row, column).
    """

    views: int
    error_px: float
    position_std_m: float
    rotation_std_rad: float
    coverage: set[tuple[int, int]]


@dataclass(frozen=True)
class RigCalibration:
    """Where the cameras of a rig stand.

    Attributes:
        lenses: by camera, as they were used.
        views: those that were used, which `solution.residuals.view` counts.
        solution: poses, uncertainties, residuals.
        rest: the instant that defines the world.
    """

    lenses: Mapping[str, Lens]
    views: Sequence[View]
    solution: Solution
    rest: str

    def figures(self) -> dict[str, CameraFigures]:
        """Of each camera."""
        owner = np.array([view.camera for view in self.views])
        residuals = self.solution.residuals
        figures = {}
        for name, lens in self.lenses.items():
            ours = (owner == name)[residuals.view]
            figures[name] = CameraFigures(
                views=int((owner == name).sum()),
                error_px=rms_px(residuals.error_px[ours]),
                position_std_m=self.solution.position_std_m[name],
                rotation_std_rad=self.solution.rotation_std_rad[name],
                coverage=covered_cells(residuals.pixels[ours], (lens.width, lens.height)),
            )
        return figures


def rest_instant(views: Sequence[View]) -> str:
    """The instant that defines the world where none is named: the first; empty without views."""
    return min((view.instant for view in views), default="")


def calibrate_rig(
    board: Board,
    lenses: Mapping[str, Lens],
    views: Sequence[View],
    rest: str | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
) -> RigCalibration:
    """Poses of all cameras in the world, which is where the board lies at rest.

    Args:
        board: what was shown, and where it lies at rest.
        lenses: by camera, every one of the rig.
        views: of all cameras and instants.
        rest: instant of the board at rest; the first one when None.
        limits: when to refuse.

    Raises:
        DataError: refused; the message says why and what to do.
    """
    check_lenses(lenses)
    at_rest = rest_instant(views) if rest is None else rest
    check_views(board, lenses, views, at_rest, limits)
    usable = [view for view in views if view.usable(board)]
    start = initialise(board, lenses, usable, at_rest)
    solution = adjust(board, lenses, usable, start, at_rest)
    shifts = tag_shifts(board, lenses, usable, solution)
    check_solution(board, usable, solution, shifts, at_rest, limits)
    return RigCalibration(dict(sorted(lenses.items())), usable, solution, at_rest)
