"""Bundle adjustment: all camera and board poses at once, for the least reprojection error.

A corner X of the board at instant i is seen by camera c at the projection of
R_c (R_i X + t_i) + t_c, with (R_c, t_c) = T_camera_world and (R_i, t_i) = T_world_board. Each
rotation is exp(w) times that at the start; d(exp(w) q)/dw = -[exp(w) q]x J(w) with the left
Jacobian J of SO(3) (Sola et al., A micro Lie theory, 2018, eq. 145). The board at rest is fixed: it
is the world.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from njf_perception.calibration.board import Board
from njf_perception.calibration.focal import FocalCheck, check_focal
from njf_perception.calibration.initialise import Poses, Start
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.camera import invert
from njf_perception.errors import DataError

_SCALE_PX = 1.0  # errors beyond count ever less (Cauchy's loss)
_ROUNDS = 200
_NEAREST_M = 1e-3  # points behind a camera while it searches


@dataclass(frozen=True)
class Residuals:
    """What is left between seen and predicted corners, a row per corner.

    Attributes:
        view: index of the view it is of.
        tag_id: id of its tag.
        pixels: where it was seen (u, v) [px].
        error_px: predicted minus seen [px].
    """

    view: Int[np.ndarray, " n"]
    tag_id: Int[np.ndarray, " n"]
    pixels: Float[np.ndarray, "n 2"]
    error_px: Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Solution:
    """Refined poses.

    Attributes:
        T_world_camera: by camera.
        T_world_board: by instant.
        position_std_m: standard deviation of each camera's position, the largest axis [m].
        rotation_std_rad: standard deviation of its rotation, the largest axis [rad].
        focal: by camera, what the views say about its given focal length.
        residuals: see there.
    """

    T_world_camera: Poses
    T_world_board: Poses
    position_std_m: dict[str, float]
    rotation_std_rad: dict[str, float]
    focal: dict[str, FocalCheck]
    residuals: Residuals


class _Problem:
    """Residuals and their Jacobian in the steps away from the start, six per free pose."""

    def __init__(
        self,
        board: Board,
        lenses: Mapping[str, Lens],
        views: Sequence[View],
        start: Start,
        rest: str,
    ) -> None:
        self.cameras = sorted(start.T_world_camera)
        self.instants = [rest, *sorted(set(start.T_world_board) - {rest})]
        self._lenses = [lenses[name] for name in self.cameras]
        self._camera0 = np.array([invert(start.T_world_camera[name]) for name in self.cameras])
        self._board0 = np.array([start.T_world_board[name] for name in self.instants])
        sizes = [len(view.pixels) for view in views]
        self.points = np.concatenate([view.points_m(board) for view in views])
        self.pixels = np.concatenate([view.pixels for view in views])
        self.view = np.repeat(np.arange(len(views)), sizes)
        self.camera = np.repeat([self.cameras.index(view.camera) for view in views], sizes)
        self.instant = np.repeat([self.instants.index(view.instant) for view in views], sizes)
        self.unknowns = 6 * (len(self.cameras) + len(self.instants) - 1)

    def poses(
        self, x: Float[np.ndarray, " m"]
    ) -> tuple[Float[np.ndarray, "c 4 4"], Float[np.ndarray, "i 4 4"]]:
        """T_camera_world and T_world_board after steps `x`."""
        steps = np.concatenate([x, np.zeros(6)]).reshape(-1, 6)
        count = len(self.cameras)
        boards = np.concatenate([steps[-1:], steps[count:-1]])
        return _moved(self._camera0, steps[:count]), _moved(self._board0, boards)

    def residuals(self, x: Float[np.ndarray, " m"]) -> Float[np.ndarray, " r"]:
        """Predicted minus seen, u and v in turn [px]."""
        return (self._project(x)[0] - self.pixels).ravel()

    def jacobian(self, x: Float[np.ndarray, " m"]) -> csr_matrix:
        """Derivatives of `residuals`."""
        _, by_point, in_world, in_camera, R = self._project(x)
        count = len(self.cameras)
        steps = np.concatenate([x, np.zeros(6)]).reshape(-1, 6)
        of_board = np.where(self.instant > 0, count + self.instant - 1, len(steps) - 1)
        camera_t = self.poses(x)[0][self.camera, :3, 3]
        board_t = self.poses(x)[1][self.instant, :3, 3]
        blocks = (
            _by_step(by_point, in_camera - camera_t, steps[:count, :3], self.camera),
            _by_step(by_point @ R, in_world - board_t, steps[:, :3], of_board),
        )
        columns = [6 * owner[:, None] + np.arange(6) for owner in (self.camera, of_board)]
        values = np.concatenate(blocks, axis=-1).ravel()
        column = np.repeat(np.concatenate(columns, axis=1)[:, None], 2, axis=1).ravel()
        starts = np.arange(0, len(values) + 1, 12)
        whole = csr_matrix((values, column, starts), (len(starts) - 1, self.unknowns + 6))
        return whole[:, : self.unknowns]

    def _project(self, x: Float[np.ndarray, " m"]) -> tuple[np.ndarray, ...]:
        """Pixels, their derivatives by the points, the points in world and camera, R_camera."""
        cameras, boards = self.poses(x)
        T = boards[self.instant]
        in_world = np.einsum("nij,nj->ni", T[:, :3, :3], self.points) + T[:, :3, 3]
        T = cameras[self.camera]
        in_camera = np.einsum("nij,nj->ni", T[:, :3, :3], in_world) + T[:, :3, 3]
        pixels, by_point = np.empty((len(T), 2)), np.empty((len(T), 2, 3))
        safe = in_camera.copy()
        safe[:, 2] = np.maximum(safe[:, 2], _NEAREST_M)
        for index, lens in enumerate(self._lenses):
            ours = self.camera == index
            pixels[ours], by_point[ours] = lens.project(safe[ours])
        return pixels, by_point, in_world, in_camera, T[:, :3, :3]


def adjust(
    board: Board, lenses: Mapping[str, Lens], views: Sequence[View], start: Start, rest: str
) -> Solution:
    """Refine `start` on usable views.

    Raises:
        DataError: the search ended at something that is no number.
    """
    problem = _Problem(board, lenses, views, start, rest)
    found = least_squares(
        problem.residuals,
        np.zeros(problem.unknowns),
        problem.jacobian,  # type: ignore[arg-type]  # the stubs know no sparse Jacobian
        method="trf",
        loss="cauchy",
        f_scale=_SCALE_PX,
        x_scale="jac",
        tr_solver="lsmr",
        tr_options={"atol": 1e-12, "btol": 1e-12},
        max_nfev=_ROUNDS,
    )
    error = problem.residuals(found.x).reshape(-1, 2)
    if not np.isfinite(error).all():
        raise DataError("the poses diverged. Take more views in which the board is tilted.")
    sigma_px = 1.4826 * float(np.median(np.abs(error)))  # without the few largest
    jacobian = problem.jacobian(found.x)
    cameras, boards = problem.poses(found.x)
    deviations = sigma_px * _unit_deviations(jacobian, cameras)
    names = problem.cameras
    tags = np.concatenate([np.repeat(view.sighting.ids, 4) for view in views])
    return Solution(
        {name: invert(T) for name, T in zip(names, cameras, strict=True)},
        dict(zip(problem.instants, boards, strict=True)),
        dict(zip(names, deviations[:, 0].tolist(), strict=True)),
        dict(zip(names, deviations[:, 1].tolist(), strict=True)),
        check_focal(lenses, names, problem.camera, problem.pixels, jacobian, error, sigma_px),
        Residuals(problem.view, tags, problem.pixels, error),
    )


def _unit_deviations(
    jacobian: csr_matrix, cameras: Float[np.ndarray, "c 4 4"]
) -> Float[np.ndarray, "c 2"]:
    """Of each camera's position [m] and rotation [rad], the largest axis, for errors of 1 px.

    A camera stands at p = -R' t. With the steps w and d of `_moved`, p moves by -R' (d + t x w).
    """
    covariance = np.linalg.pinv((jacobian.T @ jacobian).toarray())
    deviations = np.zeros((len(cameras), 2))
    for index, T in enumerate(cameras):
        block = covariance[6 * index : 6 * index + 6, 6 * index : 6 * index + 6]
        by_step = -T[:3, :3].T @ np.hstack([_cross(T[None, :3, 3])[0], np.eye(3)])
        variances = np.diag(by_step @ block @ by_step.T), np.diag(block)[:3]
        deviations[index] = [np.sqrt(variance.max()) for variance in variances]
    return deviations


def _moved(
    T: Float[np.ndarray, "k 4 4"], steps: Float[np.ndarray, "k 6"]
) -> Float[np.ndarray, "k 4 4"]:
    moved = T.copy()
    moved[:, :3, :3] = Rotation.from_rotvec(steps[:, :3]).as_matrix() @ T[:, :3, :3]
    moved[:, :3, 3] += steps[:, 3:]
    return moved


def _by_step(
    by_point: Float[np.ndarray, "n 2 3"],
    turned: Float[np.ndarray, "n 3"],
    w: Float[np.ndarray, "k 3"],
    owner: Int[np.ndarray, " n"],
) -> Float[np.ndarray, "n 2 6"]:
    """Derivatives by rotation and translation of the pose `owner`, of points it turned."""
    by_turn = -_cross(turned) @ _left_jacobian(w)[owner]
    return np.concatenate([by_point @ by_turn, by_point], axis=-1)


def _left_jacobian(w: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 3 3"]:
    angle = np.maximum(np.linalg.norm(w, axis=-1), 1e-6)[:, None, None]
    W = _cross(w)
    first, second = (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3
    return np.eye(3) + first * W + second * (W @ W)


def _cross(v: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 3 3"]:
    zero = np.zeros(len(v))
    x, y, z = v.T
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)
