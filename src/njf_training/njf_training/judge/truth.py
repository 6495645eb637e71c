"""What a judge must be told: who knows what really happened, and what they say."""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from njf_control.servo.model import SurfaceJacobians


class TrueView(NamedTuple):
    """What really happened in one view between two states."""

    flow: Float[np.ndarray, "h w 2"]  # [px]
    depth: Float[np.ndarray, "h w"]  # [m], NaN where there is no surface
    robot: Bool[np.ndarray, "h w"]  # the pixel shows a part that can move


@runtime_checkable
class Truth(Protocol):
    """Somebody who knows, such as the simulator."""

    def view(self, before: int, after: int, camera: str) -> TrueView:
        """The view of a camera at state `before`, and its motion to state `after`."""
        ...

    def jacobian(
        self, state: int, camera: str, pixels: Int[np.ndarray, "n 2"]
    ) -> SurfaceJacobians | None:
        """Surface points in the camera frame [m] and their exact Jacobians.

        Columns are per channel unit, not normalised. None from someone who does not know.
        """
        ...
