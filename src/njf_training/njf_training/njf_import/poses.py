"""Units and axes of the published layout, turned into ours (docs/conventions.md)."""

import numpy as np
from jaxtyping import Float, UInt16

from njf_perception.errors import DataError

OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])  # y up, looking along -z; and y down, +z


def world_camera(transform_matrix: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """`T_world_camera` with OpenCV axes from a camera-to-world matrix with OpenGL axes [m]."""
    return transform_matrix @ OPENGL_FROM_OPENCV


def pose_matrix(transform_matrix: list[list[float]]) -> Float[np.ndarray, "4 4"]:
    """The matrix of a list of rows; the last row may be left out.

    Raises:
        DataError: it is no rigid transform.
    """
    rows = np.array(transform_matrix, dtype=np.float64)
    matrix = np.vstack([rows, [0, 0, 0, 1]]) if rows.shape == (3, 4) else rows
    if matrix.shape != (4, 4) or not _is_rotation(matrix[:3, :3]):
        raise DataError(
            f"transform_matrix {transform_matrix} is no rigid transform. Expected 4 x 4, camera to "
            "world."
        )
    return matrix


def _is_rotation(R: Float[np.ndarray, "3 3"]) -> bool:
    return bool(np.abs(R @ R.T - np.eye(3)).max() <= 1e-3 and np.linalg.det(R) > 0)


def metres(millimetres: UInt16[np.ndarray, "h w"], block: int) -> Float[np.ndarray, "h2 w2"]:
    """Depth [m] per `block` x `block` pixels, NaN where nothing was measured (0).

    The lower median of what was measured: a mean would put points between an edge and what is
    behind it.
    """
    h, w = millimetres.shape[0] // block, millimetres.shape[1] // block
    blocks = millimetres[: h * block, : w * block].reshape(h, block, w, block)
    values = np.moveaxis(blocks, 1, 2).reshape(h, w, -1).astype(np.float64)
    values = np.sort(np.where(values > 0, values, np.inf), axis=-1)
    count = np.isfinite(values).sum(-1)
    middle = np.take_along_axis(values, np.maximum(count - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    return np.where(count > 0, middle, np.nan) * 1e-3
