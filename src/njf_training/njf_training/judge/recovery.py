"""Which command caused this flow? The servo's own solver asked about motions that happened."""

import numpy as np
from jaxtyping import Float

from njf_control.servo.model import SurfaceJacobians
from njf_control.solver import CommandRange, Damping, Status, TrackPixels, solve

DAMPING = 1e-4  # only what keeps a command defined that the image does not show
FEWEST_POINTS = 12


def recovered_command(
    surface: SurfaceJacobians,
    K: Float[np.ndarray, "3 3"],
    pixels: Float[np.ndarray, "n 2"],
    flow: Float[np.ndarray, "n 2"],
    start: Float[np.ndarray, " k"],
    reach: float = 1.0,
) -> Float[np.ndarray, " k"] | None:
    """The step [normalised] that explains the flow [px] of pixels best; None without enough points.

    `start` is the set-point before; the only limit is that the set-point stays within `reach`.
    Points count by their confidence.
    """
    known = np.isfinite(flow).all(-1)
    if known.sum() < FEWEST_POINTS:
        return None
    weights = np.where(known, surface.confidence, 0.0).astype(np.float64)
    task = TrackPixels(surface.jacobian_m, surface.points_m, K, pixels + flow, pixels, weights)
    limit = CommandRange(start, np.full_like(start, -reach), np.full_like(start, reach))
    solution = solve([task], [Damping(DAMPING)], [limit], len(start))
    return solution.delta if solution.status is Status.SOLVED else None
