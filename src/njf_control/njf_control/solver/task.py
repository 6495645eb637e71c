"""What the commands should achieve, as quadratic objectives 1/2 u'Hu + c'u of the command step u.

Symbols are those of docs/derivations.md: u step in normalised commands, X points [m], J Jacobian
[m per normalised command], pi projection, r residual [px], A its derivative, w weights.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from njf_control.solver.robust import huber_weights, normal_equations
from njf_perception.camera import project


class Objective(NamedTuple):
    """Quadratic function 1/2 u'Hu + c'u of the step u."""

    H: Float[np.ndarray, "k k"]
    c: Float[np.ndarray, " k"]


@runtime_checkable
class Task(Protocol):
    """Something to achieve, with residuals in pixels."""

    def objective(self, u: Float[np.ndarray, " k"]) -> Objective:
        """Gauss-Newton model around the step `u`, as a function of the whole step."""
        ...

    def error_px(self, u: Float[np.ndarray, " k"]) -> float:
        """Weighted mean residual after the step `u` [px]; NaN when no point is usable."""
        ...


@runtime_checkable
class Regulariser(Protocol):
    """A preference among the steps, relative to how much the tasks care."""

    def objective(self, curvature: float, channels: int) -> Objective:
        """The objective, given the mean curvature trace(H)/k of the tasks [px^2]."""
        ...


class _Tracking(ABC):
    """Robust least squares over points; a subclass gives the residuals and their derivative."""

    def __init__(
        self,
        jacobian_m: Float[np.ndarray, "n 3 k"],
        points_m: Float[np.ndarray, "n 3"],
        K: Float[np.ndarray, "3 3"],
        weights: Float[np.ndarray, " n"],
        huber_px: float,
        targets: Float[np.ndarray, "n d"],
    ) -> None:
        finite = _finite(jacobian_m) & _finite(points_m) & _finite(targets) & _finite(weights)
        self.usable = usable = finite & (weights > 0) & (points_m[:, 2] > 0)
        self._J = jacobian_m[usable].astype(np.float64)
        self._X = points_m[usable].astype(np.float64)
        self._K = K.astype(np.float64)
        self._weights = weights[usable].astype(np.float64)
        self._huber_px = huber_px
        self._targets = targets[usable].astype(np.float64)

    @abstractmethod
    def linearise(
        self, u: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d k"]]:
        """Residuals r [px] after the step `u` and their derivative A = dr/du, usable points."""

    def residuals_px(self, u: Float[np.ndarray, " k"]) -> Float[np.ndarray, " m"]:
        """Length of the residual after the step `u` [px] of every point; NaN where not usable."""
        lengths = np.full(len(self.usable), np.nan)
        lengths[self.usable] = np.linalg.norm(self.linearise(u)[0], axis=1)
        return lengths

    def objective(self, u: Float[np.ndarray, " k"]) -> Objective:
        """See `Task`. One step of iteratively reweighted least squares with Huber weights."""
        r, A = self.linearise(u)
        w = self._weights * huber_weights(np.linalg.norm(r, axis=1), self._huber_px)
        return Objective(*normal_equations(A, r - A @ u, w))

    def error_px(self, u: Float[np.ndarray, " k"]) -> float:
        """See `Task`."""
        r, _ = self.linearise(u)
        total = self._weights.sum()
        return float(self._weights @ np.linalg.norm(r, axis=1) / total) if total > 0 else np.nan


class TrackPixels(_Tracking):
    """Bring tracked pixels to target pixels; perspective exact.

    r(u) = pi(X + J u) - pi(X) - (target - current): the model predicts motion, the tracker says
    where the point is, so a bias of the modelled surface along the image cancels.
    """

    def __init__(
        self,
        jacobian_m: Float[np.ndarray, "n 3 k"],
        points_m: Float[np.ndarray, "n 3"],
        K: Float[np.ndarray, "3 3"],
        target_px: Float[np.ndarray, "n 2"],
        current_px: Float[np.ndarray, "n 2"],
        weights: Float[np.ndarray, " n"],
        huber_px: float = 1.0,
    ) -> None:
        """Points are in the camera frame [m], Jacobians per normalised command unit.

        `weights` (visibility times confidence, 0..1) of zero leave a point out, as do values that
        are not finite and points at or behind the camera. `huber_px` is the residual from which a
        point pulls with constant instead of growing force.
        """
        motion_px = target_px - current_px
        super().__init__(jacobian_m, points_m, K, weights, huber_px, motion_px)
        self._start_px = project(self._X, self._K)

    def linearise(
        self, u: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 k"]]:
        """See `_Tracking`."""
        moved = self._X + self._J @ u
        r = project(moved, self._K) - self._start_px - self._targets
        # A point that the step would carry behind the camera says nothing there.
        r = np.where(moved[:, 2:3] > 0, r, 0.0)
        return r, projection_derivative(moved, self._K) @ self._J


class TrackPoints(_Tracking):
    """Bring 3D points to 3D targets, in pixels: r(u) = f/z (X + J u - target), rows x, y, z.

    The depth row counts `depth_weight` times as much: depth from one image is the least certain.
    """

    def __init__(
        self,
        jacobian_m: Float[np.ndarray, "n 3 k"],
        points_m: Float[np.ndarray, "n 3"],
        K: Float[np.ndarray, "3 3"],
        target_m: Float[np.ndarray, "n 3"],
        weights: Float[np.ndarray, " n"],
        huber_px: float = 1.0,
        depth_weight: float = 0.3,
    ) -> None:
        """See `TrackPixels`; `target_m` is in the camera frame [m]."""
        super().__init__(jacobian_m, points_m, K, weights, huber_px, target_m)
        rows = np.array([1.0, 1.0, depth_weight])
        self._px_per_m = self._K[0, 0] / self._X[:, 2:3] * rows

    def linearise(
        self, u: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3 k"]]:
        """See `_Tracking`."""
        r = self._px_per_m * (self._X + self._J @ u - self._targets)
        return r, self._px_per_m[..., None] * self._J


class Damping:
    """Prefer small steps: curvature of `scale` times the mean curvature of the tasks."""

    def __init__(self, scale: float = 0.003) -> None:
        """`scale` is relative, so it holds for any number of points and any robot."""
        self._scale = scale

    def objective(self, curvature: float, channels: int) -> Objective:
        """See `Regulariser`."""
        return Objective(self._scale * curvature * np.eye(channels), np.zeros(channels))


class StayNear:
    """Prefer steps that end near `preferred_step`, for what the tasks leave open."""

    def __init__(self, preferred_step: Float[np.ndarray, " k"], scale: float = 0.001) -> None:
        """`preferred_step` is a step u [normalised]; `scale` is relative as in `Damping`."""
        self._preferred_step = preferred_step
        self._scale = scale

    def objective(self, curvature: float, channels: int) -> Objective:
        """See `Regulariser`."""
        weight = self._scale * curvature
        return Objective(weight * np.eye(channels), -weight * self._preferred_step)


def _finite(array: Float[np.ndarray, "n *rest"]) -> Bool[np.ndarray, " n"]:
    """Points of which every value is finite."""
    return np.logical_and.reduce(np.isfinite(array), axis=tuple(range(1, array.ndim)))


def projection_derivative(
    points: Float[np.ndarray, "n 3"], K: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2 3"]:
    """Derivative of the pinhole projection [px/m]; zero for points at or behind the camera."""
    x, y, z = points.T
    inverse = np.divide(1.0, z, out=np.zeros_like(z), where=z > 0)
    D = np.zeros((len(points), 2, 3))
    D[:, 0, 0] = K[0, 0] * inverse
    D[:, 1, 1] = K[1, 1] * inverse
    D[:, 0, 2] = -K[0, 0] * x * inverse**2
    D[:, 1, 2] = -K[1, 1] * y * inverse**2
    return D
