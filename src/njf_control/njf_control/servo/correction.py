"""Online correction of the Jacobian from the motion that is seen: J_i becomes J_i M.

A weight that was not there in training, a bent finger or a moved camera make the predicted motion
wrong in the same way at every point. M says in terms of the commands how: a step du moves the robot
as the model says M du would. docs/derivations.md has the mathematics and what can be identified.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field

from njf_control.solver.robust import huber_weights, normal_equations
from njf_perception.config import Config

_ROUNDS = 3  # of reweighting
_MEMORY = 0.8  # of the comparison of both models, per update
_LARGEST = 1e5  # [px] and [px per normalised command]: no camera sees more
_LARGEST_STEP = 2.0  # the whole range of a channel [normalised]
_NORMAL_MEDIAN = 1.48  # standard deviation over median absolute value of a normal distribution


class CorrectionConfig(Config):
    """Settings of the online correction."""

    enabled: bool = Field(default=False, description="correct the Jacobian while servoing")
    prior: float = Field(
        default=0.5, gt=0, le=2, description="expected deviation of an entry of M from identity [1]"
    )
    forgetting: float = Field(
        default=0.95, gt=0, le=1, description="share of what was learnt that an update keeps [1]"
    )
    idle_forgetting: float = Field(
        default=0.998, gt=0, le=1, description="share that an image without an update keeps [1]"
    )
    noise_px: float = Field(
        default=0.5, gt=0, description="standard deviation of an observed motion [px]"
    )
    excitation: float = Field(
        default=0.02, gt=0, le=1, description="change of set-point worth an update [normalised]"
    )
    window_s: float = Field(
        default=0.5, gt=0, le=10, description="longest time over which a motion is compared [s]"
    )
    largest_factor: float = Field(
        default=3.0, gt=1, description="largest singular value of M; its inverse is the smallest"
    )


@dataclass(frozen=True)
class CorrectionState:
    """What is known of the correction.

    Attributes:
        matrix: M as it is applied.
        deviation: largest singular value of M - I.
        condition: condition number of M.
        updates: motions learnt from so far.
        trusted: whether M predicts motions better, before it learns from them, than I does.
    """

    matrix: Float[np.ndarray, "k k"]
    deviation: float
    condition: float
    updates: int
    trusted: bool


class JacobianCorrection:
    """Recursive least squares for M with prior M = I, forgetting and robust weights.

    Only data are forgotten, the prior is not: directions that are not excited fall back to I, and
    the information matrix never loses its lower bound. Always finite and invertible.
    """

    def __init__(self, config: CorrectionConfig, channels: int) -> None:
        self.config, self._channels = config, channels
        self.reset()

    def reset(self) -> None:
        """Forget everything: M = I."""
        k = self._channels
        self._information = np.zeros((k * k, k * k))  # of N = M - I, row by row
        self._evidence = np.zeros(k * k)
        self._N = np.zeros((k, k))
        self._applied = np.eye(k)
        self._losses_px = np.zeros(2)  # with M, without it
        self._updates = 0

    @property
    def state(self) -> CorrectionState:
        """What is known now."""
        M = self._matrix()
        values = np.linalg.svd(M, compute_uv=False)
        deviation = float(np.linalg.norm(M - np.eye(self._channels), 2))
        condition = float(values[0] / values[-1])
        return CorrectionState(M, deviation, condition, self._updates, self._trusted)

    def apply(self, jacobian_m: Float[np.ndarray, "n 3 k"]) -> Float[np.ndarray, "n 3 k"]:
        """Jacobians times M, a new array."""
        return jacobian_m @ self._matrix()

    def idle(self) -> None:
        """An image without a motion worth learning from: forget a little."""
        self._forget(self.config.idle_forgetting)
        self._estimate()

    def update(
        self,
        A: Float[np.ndarray, "n 2 k"],
        du: Float[np.ndarray, " k"],
        dp: Float[np.ndarray, "n 2"],
        weights: Float[np.ndarray, " n"],
    ) -> None:
        """Learn from one motion.

        Args:
            A: image Jacobians that the uncorrected model predicts [px per normalised command].
            du: change of the set-point in effect [normalised].
            dp: motion of the points that was seen [px].
            weights: of the points, 0..1; those with anything not finite are left out.
        """
        usable = _usable(A, dp, weights)
        if not (usable.any() and (np.abs(du) <= _LARGEST_STEP).all()):
            return self.idle()
        A, dp, weights = A[usable], dp[usable], weights[usable]
        e = dp - A @ du
        self._compare(A, du, e, weights)
        self._forget(self.config.forgetting)
        N = self._N
        for _ in range(_ROUNDS):
            information, evidence = self._motion(A, du, e, weights, N)
            N = self._solve(self._information + information, self._evidence + evidence)
        self._information += information
        self._evidence += evidence
        self._updates += 1
        self._estimate()

    def _motion(
        self,
        A: Float[np.ndarray, "n 2 k"],
        du: Float[np.ndarray, " k"],
        e: Float[np.ndarray, "n 2"],
        weights: Float[np.ndarray, " n"],
        N: Float[np.ndarray, "k k"],
    ) -> tuple[Float[np.ndarray, "kk kk"], Float[np.ndarray, " kk"]]:
        """Information and evidence of one motion, points weighted by their residuals at N."""
        lengths = np.linalg.norm(e - A @ (N @ du), axis=1)
        w = weights * huber_weights(lengths, _ordinary_px(lengths, self.config.noise_px))
        AwA, Awe = normal_equations(A, e, w / self.config.noise_px**2)
        return np.kron(AwA, np.outer(du, du)), np.outer(Awe, du).ravel()

    def _solve(
        self, information: Float[np.ndarray, "kk kk"], evidence: Float[np.ndarray, " kk"]
    ) -> Float[np.ndarray, "k k"]:
        """N from information and evidence; NaN when they are too badly scaled."""
        prior = np.eye(len(evidence)) / self.config.prior**2
        try:
            return np.linalg.solve(information + prior, evidence).reshape(self._N.shape)
        except np.linalg.LinAlgError:
            return np.full(self._N.shape, np.nan)

    def _forget(self, share: float) -> None:
        self._information *= share
        self._evidence *= share

    def _estimate(self) -> None:
        """N from what is known, and M with its singular values within bounds."""
        self._N = self._solve(self._information, self._evidence)
        if not np.isfinite(self._N).all():
            return self.reset()
        U, values, Vt = np.linalg.svd(np.eye(self._channels) + self._N)
        largest = self.config.largest_factor
        self._applied = (U * np.clip(values, 1.0 / largest, largest)) @ Vt

    def _compare(
        self,
        A: Float[np.ndarray, "n 2 k"],
        du: Float[np.ndarray, " k"],
        e: Float[np.ndarray, "n 2"],
        weights: Float[np.ndarray, " n"],
    ) -> None:
        """How well the motion was predicted with M, and how well without it."""
        with_M = e - A @ ((self._applied - np.eye(self._channels)) @ du)
        lengths = np.linalg.norm([with_M, e], axis=2)
        losses_px = np.average(lengths, axis=1, weights=weights)
        self._losses_px = _MEMORY * self._losses_px + (1 - _MEMORY) * losses_px

    @property
    def _trusted(self) -> bool:
        return bool(self._losses_px[0] <= self._losses_px[1])

    def _matrix(self) -> Float[np.ndarray, "k k"]:
        return self._applied if self._trusted else np.eye(self._channels)


def _usable(
    A: Float[np.ndarray, "n 2 k"], dp: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    plausible = (np.abs(A) <= _LARGEST).all(axis=(1, 2)) & (np.abs(dp) <= _LARGEST).all(axis=1)
    return plausible & (weights > 0) & (weights <= _LARGEST)  # comparisons with NaN are false


def _ordinary_px(lengths: Float[np.ndarray, " n"], noise_px: float) -> float:
    """Residual up to which points count in full: what is ordinary among them, however large."""
    return max(2.0 * noise_px, 1.5 * _NORMAL_MEDIAN * float(np.median(lengths)))
