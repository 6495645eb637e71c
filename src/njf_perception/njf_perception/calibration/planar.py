"""The board's plane in one image: its pose, and where rays meet it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from njf_perception.calibration.lens import Lens
from njf_perception.camera import invert, transform


@dataclass(frozen=True)
class BoardPose:
    """One pose that explains an image of the board.

    Attributes:
        T_camera_board: the pose.
        error_px: its reprojection error, RMS over the corners [px].
    """

    T_camera_board: Float[np.ndarray, "4 4"]
    error_px: float


def board_poses(
    points_m: Float[np.ndarray, "n 3"], pixels: Float[np.ndarray, "n 2"], lens: Lens
) -> list[BoardPose]:
    """Poses of a board's points (z = 0) seen at pixels, the better one first.

    A small or distant plane looks the same from two sides, so there may be two (Collins and
    Bartoli, Infinitesimal Plane-based Pose Estimation, 2014). None where the points say nothing.
    """
    flat = lens.undistort(pixels)
    if not np.isfinite(flat).all():
        return []
    middle = points_m.mean(0)  # IPPE wants the points around their origin
    around, eye = points_m - middle, np.eye(3)
    count, rotations, translations, _ = cv2.solvePnPGeneric(
        around, flat, eye, None, flags=cv2.SOLVEPNP_IPPE
    )
    found = []
    for r, t in zip(rotations[:count], translations[:count], strict=True):
        if not (np.isfinite(r).all() and np.isfinite(t).all()):
            continue
        r, t = cv2.solvePnPRefineVVS(around, flat, eye, None, r, t)
        T = np.eye(4)
        T[:3, :3] = cv2.Rodrigues(r)[0]
        T[:3, 3] = t.ravel() - T[:3, :3] @ middle
        in_camera = transform(T, points_m)
        if (in_camera[:, 2] > 0).all():
            error, _ = lens.project(in_camera)
            rms = float(np.sqrt(((error - pixels) ** 2).sum(-1).mean()))
            found.append(BoardPose(T, rms))
    return sorted(found, key=lambda pose: pose.error_px)


def on_plane_m(
    pixels: Float[np.ndarray, "n 2"], lens: Lens, T_camera_board: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "n 2"]:
    """Where the rays through pixels meet the board's plane, in its frame [m]."""
    T = invert(T_camera_board)
    slopes = lens.undistort(pixels)
    rays = np.concatenate([slopes, np.ones_like(slopes[:, :1])], axis=1) @ T[:3, :3].T
    return T[:2, 3] - (T[2, 3] / rays[:, 2])[:, None] * rays[:, :2]
