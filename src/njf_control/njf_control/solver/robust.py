"""Robust least squares over image points, as the tasks and the online correction share it."""

import numpy as np
from jaxtyping import Float

_SMALLEST = 1e-9  # of a residual; only keeps the division defined


def huber_weights(lengths: Float[np.ndarray, " n"], threshold: float) -> Float[np.ndarray, " n"]:
    """Weights of points by the length of their residuals, in the unit of `threshold` (Huber, 1964).

    One up to the threshold; beyond it a point pulls with constant instead of growing force.
    """
    return np.minimum(1.0, threshold / np.maximum(lengths, _SMALLEST))


def normal_equations(
    A: Float[np.ndarray, "n d k"], r: Float[np.ndarray, "n d"], w: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, " k"]]:
    """A'WA and A'Wr, summed over points that each have d rows and one weight."""
    return np.einsum("n,ndk,ndl->kl", w, A, A), np.einsum("n,ndk,nd->k", w, A, r)
