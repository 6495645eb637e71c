"""The command step that serves the tasks best within the limits: a small box-constrained QP."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import daqp
import numpy as np
from jaxtyping import Float

from njf_control.solver.limits import Bounds, Limit, active, combine
from njf_control.solver.task import Objective, Regulariser, Task

_OPTIMAL = 1  # DAQP's exit flag


class Status(Enum):
    """How a solve ended."""

    SOLVED = "solved"
    NO_DATA = "no usable point, or none that the commands move"
    NOT_FINITE = "an input is not finite"
    FAILED = "the QP solver found no solution"


@dataclass(frozen=True)
class Solution:
    """A command step and what is known of it.

    Attributes:
        delta: step [normalised], always finite; within the limits when solved, else zero.
        residual_px: weighted mean residual predicted after the step [px]; NaN without points.
        active: per channel the name of the limit the step stands at, empty where free.
        condition: condition number of the weighted task Jacobian; infinity when singular.
        iterations: linearisations used.
        status: how the solve ended; `status.value` says it in words.
    """

    delta: Float[np.ndarray, " k"]
    residual_px: float
    active: tuple[str, ...]
    condition: float
    iterations: int
    status: Status


def solve(
    tasks: Sequence[Task],
    regularisers: Sequence[Regulariser],
    limits: Sequence[Limit],
    channels: int,
    max_iterations: int = 6,
    tolerance: float = 1e-5,
) -> Solution:
    """Minimise the tasks' objectives by Gauss-Newton, each iteration one QP within the limits.

    Bad data never become a command and never raise: the step is zero then and `status` says why.
    Stops when an iteration changes the step by less than `tolerance` [normalised].
    """
    with np.errstate(all="ignore"):  # overflow and NaN are caught by value
        bounds = combine(limits, channels)
        if np.isnan(bounds.lower).any() or np.isnan(bounds.upper).any():
            return _hold(channels, Status.NOT_FINITE)
        u, H, iterations, change = np.clip(np.zeros(channels), *bounds), np.eye(channels), 0, np.inf
        while iterations < max_iterations and change > tolerance:
            objective = _sum([task.objective(u) for task in tasks], channels)
            proposal = _step(objective, regularisers, bounds)
            if isinstance(proposal, Status):
                return _hold(channels, proposal)
            iterations, change = iterations + 1, np.abs(proposal - u).max()
            u, H = proposal, objective.H
        residual_px = float(np.mean([task.error_px(u) for task in tasks]))
        return Solution(u, residual_px, active(limits, u), _condition(H), iterations, Status.SOLVED)


def _step(
    tasks: Objective, regularisers: Sequence[Regulariser], bounds: Bounds
) -> Float[np.ndarray, " k"] | Status:
    """The best step of one quadratic model, or why there is none."""
    channels = len(tasks.c)
    curvature = float(np.trace(tasks.H)) / channels
    if not (np.isfinite(curvature) and np.isfinite(tasks.H).all() and np.isfinite(tasks.c).all()):
        return Status.NOT_FINITE
    if curvature <= 0:
        return Status.NO_DATA
    extra = [regulariser.objective(curvature, channels) for regulariser in regularisers]
    H, c = _sum([tasks, *extra], channels)
    # Divided by the curvature the QP is well scaled, whatever the robot and the number of points.
    return _solve_box(H / curvature, c / curvature, bounds)


def _solve_box(
    H: Float[np.ndarray, "k k"], c: Float[np.ndarray, " k"], bounds: Bounds
) -> Float[np.ndarray, " k"] | Status:
    if not (np.isfinite(H).all() and np.isfinite(c).all()):
        return Status.NOT_FINITE
    no_rows, sense = np.zeros((0, len(c))), np.zeros(len(c), np.int32)
    u, _, flag, _ = daqp.solve(H, c, no_rows, bounds.upper, bounds.lower, sense)
    if flag != _OPTIMAL or not np.isfinite(u).all():
        return Status.FAILED
    # DAQP keeps bounds to its own tolerance; the limits here hold exactly.
    return np.clip(u, bounds.lower, bounds.upper)


def _sum(objectives: Sequence[Objective], channels: int) -> Objective:
    H, c = np.zeros((channels, channels)), np.zeros(channels)
    for objective in objectives:
        H, c = H + objective.H, c + objective.c
    return Objective(H, c)


def _condition(H: Float[np.ndarray, "k k"]) -> float:
    """Condition number of A with H = A'A."""
    values = np.linalg.eigvalsh(H)
    return float(np.sqrt(values[-1] / values[0])) if values[0] > 0 else float("inf")


def _hold(channels: int, status: Status) -> Solution:
    """No step, with its reason. Zero even if that is outside a limit: no data, no motion."""
    return Solution(np.zeros(channels), np.nan, ("",) * channels, np.inf, 0, status)
