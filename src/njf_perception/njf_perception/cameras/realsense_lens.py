"""A RealSense's factory intrinsics as a calibration in the ROS format."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from njf_perception.cameras.calibration import Calibration, Matrix
from njf_perception.errors import ConfigError

_GRID = 15  # samples per row and column of the image
LARGEST_ERROR_PX = 0.2
Project = Callable[[Any, Sequence[float]], Sequence[float]]


def lens_calibration(name: str, intrinsics: Any, project: Project) -> Calibration:
    """Calibration of librealsense's intrinsics.

    librealsense has half a dozen lens models, and its *inverse* one is not what its name says. So
    the lens is asked: `project` (rs2_project_point_to_pixel) shows rays through a grid of pixels
    to it, and the coefficients of plumb_bob, which enter linearly, are fitted to the answers.

    Raises:
        ConfigError: plumb_bob does not follow the lens within 0.2 px.
    """
    i = intrinsics
    coefficients = np.zeros(5)
    if np.any(i.coeffs):
        coefficients, error_px = fit_plumb_bob(i, project)
        if error_px > LARGEST_ERROR_PX:
            raise ConfigError(
                f"{name}: its factory lens model {i.model.name} differs from plumb_bob by "
                f"{error_px:.1f} px. Calibrate the camera and give the parameter calibration."
            )
    K = [i.fx, 0.0, i.ppx, 0.0, i.fy, i.ppy, 0.0, 0.0, 1.0]
    return Calibration(
        camera_name=name,
        image_width=i.width,
        image_height=i.height,
        camera_matrix=Matrix(rows=3, cols=3, data=K),
        distortion_model="plumb_bob",
        distortion_coefficients=Matrix(rows=1, cols=5, data=coefficients.tolist()),
    )


def fit_plumb_bob(intrinsics: Any, project: Project) -> tuple[Float[np.ndarray, " 5"], float]:
    """Coefficients k1, k2, p1, p2, k3 (OpenCV's) of a lens, and the largest error [px]."""
    i = intrinsics
    v, u = np.meshgrid(np.linspace(0, i.height - 1, _GRID), np.linspace(0, i.width - 1, _GRID))
    x, y = (u.ravel() - i.ppx) / i.fx, (v.ravel() - i.ppy) / i.fy
    seen = np.array([project(i, [a, b, 1.0]) for a, b in zip(x, y, strict=True)])
    moved = (seen - [i.ppx, i.ppy]) / [i.fx, i.fy] - np.stack([x, y], axis=1)
    r2, xy2 = x**2 + y**2, 2 * x * y
    columns = [
        np.stack([x * r2, y * r2], axis=1),
        np.stack([x * r2**2, y * r2**2], axis=1),
        np.stack([xy2, r2 + 2 * y**2], axis=1),
        np.stack([r2 + 2 * x**2, xy2], axis=1),
        np.stack([x * r2**3, y * r2**3], axis=1),
    ]
    design = np.stack([column.ravel() for column in columns], axis=1)
    fitted = np.linalg.lstsq(design, moved.ravel(), rcond=None)[0]
    error = (design @ fitted - moved.ravel()).reshape(-1, 2) * [i.fx, i.fy]
    return fitted, float(np.abs(error).max())
