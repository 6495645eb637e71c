"""Stand-in for ROS `tf_transformations`: rotations as quaternions in the order x, y, z, w.

Matrices are homogeneous 4 x 4; Euler axes are named as in the original: "sxyz" turns about the
static axes x, y, z in this order, "rxyz" about the rotating ones.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from scipy.spatial.transform import Rotation

# The original answers with tuples here and with arrays elsewhere; node code must work with both.
Quaternion = tuple[float, float, float, float]

_EPSILON = 4.0 * np.finfo(float).eps


def identity_matrix() -> np.ndarray:
    """The 4 x 4 identity."""
    return np.identity(4)


def translation_matrix(direction: Sequence[float] | np.ndarray) -> np.ndarray:
    """Matrix that moves by the vector `direction`."""
    matrix = np.identity(4)
    matrix[:3, 3] = direction[:3]
    return matrix


def translation_from_matrix(matrix: np.ndarray) -> np.ndarray:
    """Translation vector of a matrix."""
    return np.array(matrix, dtype=float)[:3, 3]


def inverse_matrix(matrix: np.ndarray) -> np.ndarray:
    """Inverse of any invertible matrix."""
    return np.linalg.inv(matrix)


def concatenate_matrices(*matrices: np.ndarray) -> np.ndarray:
    """Product of the matrices from left to right."""
    return reduce(np.dot, matrices, np.identity(4))


def quaternion_matrix(quaternion: Sequence[float] | np.ndarray) -> np.ndarray:
    """Rotation matrix (4 x 4) of a quaternion of any length; identity for the zero quaternion."""
    matrix = np.identity(4)
    if np.dot(quaternion, quaternion) > _EPSILON:
        matrix[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
    return matrix


def quaternion_from_matrix(matrix: np.ndarray) -> Quaternion:
    """Unit quaternion (w >= 0) of the rotation part of a matrix."""
    return _quaternion(Rotation.from_matrix(np.asarray(matrix)[:3, :3]))


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> Quaternion:
    """Unit quaternion of three Euler angles [rad]."""
    return _quaternion(Rotation.from_euler(_scipy_axes(axes), [ai, aj, ak]))


def euler_from_quaternion(
    quaternion: Sequence[float] | np.ndarray, axes: str = "sxyz"
) -> tuple[float, float, float]:
    """Three Euler angles [rad] of a quaternion."""
    ai, aj, ak = Rotation.from_quat(quaternion).as_euler(_scipy_axes(axes))
    return float(ai), float(aj), float(ak)


def euler_matrix(ai: float, aj: float, ak: float, axes: str = "sxyz") -> np.ndarray:
    """Rotation matrix (4 x 4) of three Euler angles [rad]."""
    return quaternion_matrix(quaternion_from_euler(ai, aj, ak, axes))


def euler_from_matrix(matrix: np.ndarray, axes: str = "sxyz") -> tuple[float, float, float]:
    """Three Euler angles [rad] of the rotation part of a matrix."""
    return euler_from_quaternion(quaternion_from_matrix(matrix), axes)


def quaternion_multiply(
    quaternion1: Sequence[float] | np.ndarray, quaternion0: Sequence[float] | np.ndarray
) -> Quaternion:
    """Quaternion of the rotation `quaternion0` followed by `quaternion1`."""
    x1, y1, z1, w1 = quaternion1
    x0, y0, z0, w0 = quaternion0
    vector = w1 * np.array([x0, y0, z0]) + w0 * np.array([x1, y1, z1])
    vector += np.cross([x1, y1, z1], [x0, y0, z0])
    x, y, z = vector.tolist()
    return x, y, z, float(w1 * w0 - x1 * x0 - y1 * y0 - z1 * z0)


def quaternion_conjugate(quaternion: Sequence[float] | np.ndarray) -> np.ndarray:
    """Quaternion with its vector part negated."""
    return np.asarray(quaternion, dtype=float) * [-1.0, -1.0, -1.0, 1.0]


def quaternion_inverse(quaternion: Sequence[float] | np.ndarray) -> np.ndarray:
    """Quaternion whose product with the given one is the identity."""
    return quaternion_conjugate(quaternion) / np.dot(quaternion, quaternion)


def _quaternion(rotation: Rotation) -> Quaternion:
    x, y, z, w = rotation.as_quat(canonical=True).tolist()
    return x, y, z, w


def _scipy_axes(axes: str) -> str:
    """Scipy names static axes in lower case and rotating ones in upper case."""
    return axes[1:] if axes[0] == "s" else axes[1:].upper()
