"""Jacobians against the exact ones, as the image shows them: per channel and over all."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from njf_control.servo.model import SurfaceJacobians
from njf_control.solver.task import projection_derivative

SEEN_PX = 0.5  # root mean square effect of a channel below which the image does not show it


class JacobianScore(NamedTuple):
    """One state; NaN for channels of which the image shows nothing."""

    cosine: float  # all channels and pixels in one vector
    channel_cosine: Float[np.ndarray, " k"]
    channel_gain: Float[np.ndarray, " k"]  # length of the predicted over that of the exact


def image_jacobian(
    surface: SurfaceJacobians, K: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "n 2 k"]:
    """Motion of pixels per unit of every command [px], at the surface's own points."""
    points = np.nan_to_num(surface.points_m.astype(np.float64))
    return projection_derivative(points, K) @ surface.jacobian_m.astype(np.float64)


def score_jacobian(
    predicted: Float[np.ndarray, "n 2 k"], exact: Float[np.ndarray, "n 2 k"]
) -> JacobianScore:
    """Compare image Jacobians at the same pixels, both per normalised command."""
    k = exact.shape[2]
    p, e = predicted.reshape(-1, k), exact.reshape(-1, k)
    length_p, length_e = np.linalg.norm(p, axis=0), np.linalg.norm(e, axis=0)
    shown = length_e > SEEN_PX * np.sqrt(max(len(exact), 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (p * e).sum(0) / np.maximum(length_p * length_e, 1e-12)
        gain = length_p / length_e
    whole = float((p * e).sum() / max(float(np.linalg.norm(p) * np.linalg.norm(e)), 1e-12))
    return JacobianScore(
        whole if shown.any() else float("nan"),
        np.where(shown, cosine, np.nan),
        np.where(shown, gain, np.nan),
    )
