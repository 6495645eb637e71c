"""Intrinsics and distortion of one camera, refused where its views leave them open."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from pydantic import Field

from njf_perception.calibration.board import Board
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.config import Config
from njf_perception.errors import DataError

_CORNER = 0.3  # of the image's width and height
_NAMES = ("top left", "top right", "bottom left", "bottom right")


class IntrinsicsLimits(Config):
    """When intrinsics are refused."""

    views: int = Field(default=8, ge=3, description="usable views")
    tilt_deg: float = Field(
        default=15.0, gt=0, le=60, description="tilt of the board that counts [deg]"
    )
    tilted: int = Field(default=4, ge=1, description="views with at least that tilt")
    focal_std: float = Field(
        default=0.005, gt=0, description="standard deviation of the focal length, of itself"
    )
    error_px: float = Field(default=1.0, gt=0, description="reprojection error, RMS [px]")


@dataclass(frozen=True)
class IntrinsicsResult:
    """A lens, and how well it is known.

    Attributes:
        lens: K and the five coefficients of plumb_bob.
        std: standard deviations of fx, fy, cx, cy [px], k1, k2, p1, p2, k3.
        error_px: reprojection error, RMS [px].
        views: used.
    """

    lens: Lens
    std: Float[np.ndarray, "9"]
    error_px: float
    views: int


def calibrate_lens(
    board: Board,
    camera: str,
    size: tuple[int, int],
    views: Sequence[View],
    limits: IntrinsicsLimits = IntrinsicsLimits(),  # noqa: B008  # frozen
) -> IntrinsicsResult:
    """Intrinsics from one camera's views (Zhang 2000, by OpenCV).

    Args:
        board: what was shown.
        camera: its name, for messages.
        size: width and height of the images [px].
        views: of this camera.
        limits: when to refuse.

    Raises:
        DataError: refused; the message says what the views lack.
    """
    usable = [view for view in views if view.usable(board)]
    if len(usable) < limits.views:
        raise DataError(
            f"{camera}: {len(usable)} usable views, expected at least {limits.views} for "
            "intrinsics. Hold the board at more angles, near enough to fill a third of the image."
        )
    _check_corners(camera, size, usable)
    error_px, K, distortion, rotations, std = _fit(board, size, usable)
    _check_tilts(camera, rotations, limits)
    result = IntrinsicsResult(Lens(*size, K, distortion), std, error_px, len(usable))
    _check_result(camera, result, limits)
    return result


def _fit(
    board: Board, size: tuple[int, int], views: Sequence[View]
) -> tuple[float, np.ndarray, np.ndarray, Float[np.ndarray, "v 3"], Float[np.ndarray, "9"]]:
    """(error [px], K, distortion, rotation vectors, standard deviations)."""
    points = [view.points_m(board).astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    guess = np.array([[size[0], 0, size[0] / 2], [0, size[0], size[1] / 2], [0, 0, 1.0]])
    error, K, distortion, rotations, _, std, _, _ = cv2.calibrateCameraExtended(
        points, pixels, size, guess, np.zeros(5)
    )
    turns = np.array(rotations).reshape(-1, 3)
    return error, K, distortion.ravel()[:5], turns, np.array(std).ravel()[:9]


def _check_corners(camera: str, size: tuple[int, int], views: Sequence[View]) -> None:
    """Distortion shows in the image's corners: something must have been seen there."""
    part = np.concatenate([view.pixels for view in views]) / size
    is_right, is_low = part > 1 - _CORNER, part < _CORNER
    across, down = (is_low[:, 0], is_right[:, 0]), (is_low[:, 1], is_right[:, 1])
    empty = [
        name
        for name, (i, j) in zip(_NAMES, ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True)
        if not (across[i] & down[j]).any()
    ]
    if empty:
        raise DataError(
            f"{camera}: no tag was seen in the image's {' and '.join(empty)} corner, so the "
            "distortion there is open. Hold the board into every corner of the image."
        )


def _check_tilts(
    camera: str, rotations: Float[np.ndarray, "v 3"], limits: IntrinsicsLimits
) -> None:
    """Frontal views leave focal length and distance open: they scale together."""
    normals = np.array([cv2.Rodrigues(turn)[0][:, 2] for turn in rotations])
    tilts = np.rad2deg(np.arccos(np.abs(normals[:, 2]).clip(0, 1)))
    tilted = int((tilts >= limits.tilt_deg).sum())
    if tilted < limits.tilted:
        raise DataError(
            f"{camera}: {tilted} of {len(tilts)} views have the board tilted by "
            f"{limits.tilt_deg:g} deg or more, expected at least {limits.tilted}; frontal views "
            "leave the focal length open. Tilt the board to the left, right, top and bottom."
        )


def _check_result(camera: str, result: IntrinsicsResult, limits: IntrinsicsLimits) -> None:
    numbers = np.concatenate([result.lens.K.ravel(), result.lens.distortion, result.std])
    if not np.isfinite(numbers).all():
        raise DataError(
            f"{camera}: the intrinsics came out as no numbers. Take more, and more varied, views."
        )
    if result.error_px > limits.error_px:
        raise DataError(
            f"{camera}: intrinsics leave a reprojection error of {result.error_px:.2f} px, "
            f"expected at most {limits.error_px:g}. Is the board flat and its file the print's? Is "
            "the lens a fisheye, or is its focus or zoom changing by itself?"
        )
    relative = float((result.std[:2] / result.lens.K[[0, 1], [0, 1]]).max())
    if relative > limits.focal_std:
        raise DataError(
            f"{camera}: the views leave the focal length open by {100 * relative:.1f} %, expected "
            f"at most {100 * limits.focal_std:g} %. Add views with the board near and tilted."
        )
