"""One step of visual servoing: what the camera saw in, the next set-points out.

The image shows the robot as it was, so every step estimates where the goal lies in set-points from
the set-point that was in effect then, and moves the newest set-point a part of the way there:

    goal estimate  g_k = s(t_image) + delta_k
    next           s_k = s_(k-1) + gain (g_k - s_(k-1))

Motion that is already on its way is not asked for twice; docs/derivations.md shows that this
converges for any delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from njf_control.servo.commands import CommandSpace
from njf_control.servo.correction import CorrectionConfig, JacobianCorrection
from njf_control.servo.history import SetpointHistory
from njf_control.servo.motion import MotionWindow, Sight
from njf_control.servo.progress import Progress, ProgressConfig, Reason
from njf_control.solver import (
    CommandRange,
    CommandRate,
    Damping,
    Limit,
    Solution,
    Status,
    TrackPixels,
    TrackPoints,
    projection_derivative,
    solve,
)
from njf_perception.camera import project
from njf_perception.config import Config

_NS_PER_S = 1e9
_LONGEST_FRAME_S = 0.1  # a longer gap between images must not allow a longer step


class ServoConfig(Config):
    """Settings of the loop."""

    gain: float = Field(default=0.5, gt=0, le=1, description="part of the way to the goal per step")
    max_step: float = Field(
        default=0.06, gt=0, le=1, description="largest step per image [normalised]"
    )
    damping: float = Field(default=0.003, gt=0, description="relative damping of the solver")
    huber_px: float = Field(
        default=1.0, gt=0, description="residual from which a point pulls evenly [px]"
    )
    outlier_px: float = Field(
        default=3.0, gt=0, description="unexplained error that is an outlier [px]"
    )
    min_points: int = Field(default=4, ge=2, description="fewest visible points to steer by")
    min_confidence: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="of the model at `min_points` visible points; with less it does not steer",
    )
    lost_steps: int = Field(
        default=5, ge=1, description="steps without enough points, or sure ones, before giving up"
    )
    lag_s: float = Field(default=0.0, ge=0, le=0.5, description="from set-point to motion [s]")
    progress: ProgressConfig = Field(default_factory=ProgressConfig)
    correction: CorrectionConfig = Field(default_factory=CorrectionConfig)


@dataclass(frozen=True)
class Measurement:
    """What one image and its model say about the tracked points.

    Attributes:
        stamp_ns: acquisition time of the image [ns].
        K: intrinsic matrix of the image [px].
        current_px: tracked positions; may be anything where the weight is zero [px].
        target: where they should be, pixels or points in the camera frame [m].
        weights: visibility times confidence, 0..1.
        points_m: surface points in the camera frame [m].
        jacobian_m: motion per normalised command unit [m].
        confidence: the model's own, which is part of `weights`; NaN at points that are not
            visible. None: from a model that does not doubt.
        anchored: points measured against the goal image instead of the first one, where a change
            is a jump and no motion; None: no point.
        max_motion_px: how far a step may move any of them in the image [px]: faster ones get lost.
    """

    stamp_ns: int
    K: Float[np.ndarray, "3 3"]
    current_px: Float[np.ndarray, "n 2"]
    target: Float[np.ndarray, "n 2"] | Float[np.ndarray, "n 3"]
    weights: Float[np.ndarray, " n"]
    points_m: Float[np.ndarray, "n 3"]
    jacobian_m: Float[np.ndarray, "n 3 k"]
    confidence: Float[np.ndarray, " n"] | None = None
    anchored: Bool[np.ndarray, " n"] | None = None
    max_motion_px: float = np.inf

    def task(self, weights: Float[np.ndarray, " n"], huber_px: float) -> TrackPixels | TrackPoints:
        """The solver's task with these weights."""
        if self.target.shape[1] == 2:
            data = (self.target, self.current_px, weights)
            return TrackPixels(self.jacobian_m, self.points_m, self.K, *data, huber_px)
        return TrackPoints(self.jacobian_m, self.points_m, self.K, self.target, weights, huber_px)

    def slowdown(self, step: Float[np.ndarray, " k"], weights: Float[np.ndarray, " n"]) -> float:
        """Share of a step with which no point of weight moves further than `max_motion_px`."""
        if np.isinf(self.max_motion_px):
            return 1.0
        used = weights > 0
        A = projection_derivative(self.points_m[used], self.K) @ self.jacobian_m[used]
        furthest_px = float(np.linalg.norm(A @ step, axis=1).max(initial=0.0))
        return min(1.0, self.max_motion_px / furthest_px) if furthest_px > 0 else 1.0

    def sight(self, setpoint: Float[np.ndarray, " k"]) -> Sight:
        """What the correction learns from, with the set-point [normalised] that the image shows."""
        anchored = np.zeros(len(self.weights), bool) if self.anchored is None else self.anchored
        A = projection_derivative(self.points_m, self.K) @ self.jacobian_m
        return Sight(self.stamp_ns, setpoint, self.current_px, anchored, self.weights, A)

    def is_doubted(self, least: float, min_points: int) -> bool:
        """Enough points are visible, but at too few the confidence is more than `least`."""
        if self.confidence is None:
            return False
        visible = np.count_nonzero(np.isfinite(self.confidence))
        return bool(visible >= min_points > np.count_nonzero(self.confidence > least))

    def errors_px(self) -> Float[np.ndarray, " n"]:
        """Distance of every point from its target in the image [px]."""
        goal_px = self.target if self.target.shape[1] == 2 else project(self.target, self.K)
        return np.linalg.norm(goal_px - self.current_px, axis=1)


@dataclass(frozen=True)
class ServoStep:
    """What one step decided.

    Attributes:
        setpoint: the next set-points [channel unit].
        reason: why the motion is over; None while it goes on.
        error_px, max_error_px: weighted mean and largest error over the points used; NaN without.
        used: number of points used.
        active_limits: channels whose limit was active in the solution.
        condition: condition number of the task Jacobian.
        status: how the solver ended.
        correction: size of the correction of the Jacobian, largest singular value of M - I.
        waypoint, waypoints: the one approached, from 0, and their number; 0 without any.
    """

    setpoint: Float[np.ndarray, " k"]
    reason: Reason | None
    error_px: float
    max_error_px: float
    used: int
    active_limits: tuple[str, ...]
    condition: float
    status: Status
    correction: float = 0.0
    waypoint: int = 0
    waypoints: int = 0


class Servo:
    """The loop of one goal. Feed it every image's measurement; it answers with set-points."""

    def __init__(
        self,
        config: ServoConfig,
        space: CommandSpace,
        history: SetpointHistory,
        max_steps: int = 0,
        correction: JacobianCorrection | None = None,
    ) -> None:
        """`history` is kept up to date by the caller; `max_steps` of zero is no limit.

        `correction` goes on from what an earlier goal taught; without one, learning begins anew.
        It is used only when the configuration enables it.
        """
        self._config, self._space, self._history = config, space, history
        self._max_steps = max_steps
        self._progress = Progress(config.progress)
        self._correction = correction or JacobianCorrection(config.correction, len(space.names))
        self._motions = MotionWindow(config.correction.excitation, config.correction.window_s)
        self._commanded: Float[np.ndarray, " k"] | None = None
        self._stamp_ns = 0
        self._lost = 0
        self.steps = 0

    def step(self, measurement: Measurement) -> ServoStep:
        """Answer one measurement.

        The first step asks for the set-point that is in effect, so that the motion begins where
        the robot stands.

        Raises:
            LookupError: no applied set-point is known yet.
        """
        with np.errstate(all="ignore"):  # points that are not finite get no weight
            return self._step(measurement)

    def resume(self) -> None:
        """Go on after the end, because the goal has other points now."""
        self.retarget()
        self.repoint()

    def repoint(self) -> None:
        """Compare no motions of old points with those of new ones."""
        self._motions.restart()

    def retarget(self) -> None:
        """Judge progress anew, because the same points have other targets now."""
        self._progress = Progress(self._config.progress)

    def _step(self, measurement: Measurement) -> ServoStep:
        max_step, base, newest = self._setpoints(measurement.stamp_ns)
        if self._config.correction.enabled:
            measurement = self._corrected(measurement, base)
        weights = self._inliers(measurement, base)
        used = int(np.count_nonzero(weights))
        limits = self._limits(base, newest, max_step)
        solution = self._solve(measurement, weights, limits)
        correction = base + solution.delta - newest
        first = self._commanded is None
        blind = self._blind(measurement, used, solution)
        hold = first or blind is not None
        step = self._config.gain * correction
        step *= measurement.slowdown(step, weights)
        self._commanded = newest if hold else newest + step
        self.steps += 1
        error_px, max_error_px = _errors(measurement, weights)
        reason = self._reason(blind, error_px, correction)
        return ServoStep(
            setpoint=self._space.setpoint(self._commanded),
            reason=reason,
            error_px=error_px,
            max_error_px=max_error_px,
            used=used,
            active_limits=self._active(solution),
            condition=solution.condition,
            status=solution.status,
            correction=self._correction.state.deviation if self._config.correction.enabled else 0.0,
        )

    def _corrected(self, measurement: Measurement, base: Float[np.ndarray, " k"]) -> Measurement:
        """Learn from what has moved, and correct the Jacobians."""
        motion = self._motions.add(measurement.sight(base))
        if motion is None:
            self._correction.idle()
        else:
            self._correction.update(motion.A, motion.du, motion.dp, motion.weights)
        return replace(measurement, jacobian_m=self._correction.apply(measurement.jacobian_m))

    def _setpoints(
        self, stamp_ns: int
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Largest step now, set-point the image shows, and newest set-point [normalised]."""
        elapsed_s = np.clip((stamp_ns - self._stamp_ns) / _NS_PER_S, 0.0, _LONGEST_FRAME_S)
        self._stamp_ns = stamp_ns
        max_step = np.minimum(self._config.max_step, self._space.max_rate * elapsed_s)
        shown_ns = stamp_ns - int(self._config.lag_s * _NS_PER_S)
        base = self._space.normalised(self._history.at(shown_ns))
        applied = self._space.normalised(self._history.newest)
        if self._commanded is None:
            return max_step, base, applied
        # The gate may hold or limit: what was asked must not run away from what was applied.
        return max_step, base, np.clip(self._commanded, applied - max_step, applied + max_step)

    def _limits(
        self,
        base: Float[np.ndarray, " k"],
        newest: Float[np.ndarray, " k"],
        max_step: Float[np.ndarray, " k"],
    ) -> list[Limit]:
        """Limits of delta such that goal estimate and step are allowed."""
        reach = CommandRange(base, self._space.lower, self._space.upper)
        return [reach, CommandRate(max_step / self._config.gain, newest - base)]

    def _solve(
        self, measurement: Measurement, weights: Float[np.ndarray, " n"], limits: Sequence[Limit]
    ) -> Solution:
        task = measurement.task(weights, self._config.huber_px)
        damping = Damping(self._config.damping)
        return solve([task], [damping], limits, len(self._space.names), max_iterations=4)

    def _inliers(
        self, measurement: Measurement, base: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " n"]:
        """Weights with outliers at zero: points whose error no allowed command would halve.

        When that is true of many points, the goal is out of reach or the model is off, and none of
        them can be blamed: all are kept.
        """
        weights = measurement.weights
        reach = CommandRange(base, self._space.lower, self._space.upper)
        solution = self._solve(measurement, weights, [reach])
        residuals = measurement.task(weights, self._config.huber_px).residuals_px(solution.delta)
        allowed = self._config.outlier_px + 0.5 * np.nan_to_num(measurement.errors_px())
        weights = np.where(np.isfinite(residuals), weights, 0.0)
        outliers: Bool[np.ndarray, " n"] = (residuals > allowed) & (weights > 0)
        few = outliers.sum() <= 0.3 * np.count_nonzero(weights)
        return np.where(outliers, 0.0, weights) if few else weights

    def _blind(self, measurement: Measurement, used: int, solution: Solution) -> Reason | None:
        """Why this image says nothing about the way, if so."""
        if measurement.is_doubted(self._config.min_confidence, self._config.min_points):
            return Reason.MODEL_UNSURE
        lost = used < self._config.min_points or solution.status is not Status.SOLVED
        return Reason.LOST_TRACKS if lost else None

    def _reason(
        self, blind: Reason | None, error_px: float, correction: Float[np.ndarray, " k"]
    ) -> Reason | None:
        self._lost = self._lost + 1 if blind is not None else 0
        if blind is not None:
            return blind if self._lost >= self._config.lost_steps else None
        reason = self._progress.update(error_px, correction)
        if reason is None and 0 < self._max_steps <= self.steps:
            return Reason.TIMEOUT
        return reason

    def _active(self, solution: Solution) -> tuple[str, ...]:
        pairs = zip(self._space.names, solution.active, strict=True)
        return tuple(name for name, limit in pairs if limit)


def _errors(measurement: Measurement, weights: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Weighted mean and maximum of the errors of the points with weight [px]."""
    used = weights > 0
    if not used.any():
        return float("nan"), float("nan")
    errors_px = measurement.errors_px()[used]
    return float(np.average(errors_px, weights=weights[used])), float(errors_px.max())
