"""A saved goal as seen from where the robot stands now."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from njf_bringup.goals.point_paths import FEWEST_POINTS
from njf_bringup.goals.taught import TaughtGoal
from njf_perception.errors import DataError
from njf_perception.relocation import relocate
from njf_perception.trackers.base import Tracks

_FOUND = 0.3  # of the goal's points, to begin at once
_NEAR_PX = 4.0  # of where a way begins, to follow it


@dataclass(frozen=True)
class Placed:
    """A goal's points in an image taken now.

    Attributes:
        now: where they are, in the goal's order; None for a goal image alone.
        off_px: their mean distance from where the goal begins; NaN where none was found.
        ready: the goal may begin here; else the robot must first come to the start picture.
    """

    now: Tracks | None
    off_px: float
    ready: bool


def place(goal: TaughtGoal, image: UInt8[np.ndarray, "h w 3"]) -> Placed:
    """Find a goal's points in the present image (RGB).

    A goal without a start picture has nothing to find them by: its points are believed to be where
    it begins.

    Raises:
        DataError: the image has another size than the goal's.
    """
    if goal.paths is None:
        return Placed(None, 0.0, True)
    start = goal.paths.start
    if goal.start is None:
        return Placed(start, 0.0, True)
    found = relocate(goal.start, start.points, image)
    found = replace(found, visible=found.visible & start.visible)
    count = int(found.visible.sum())
    distance = np.linalg.norm(found.points - start.points, axis=1)[found.visible]
    off_px = float(distance.mean()) if count else float("nan")
    enough = count >= max(FEWEST_POINTS, _FOUND * len(start.points))
    return Placed(found, off_px, bool(enough and (not goal.paths.is_way or off_px <= _NEAR_PX)))


def require_ready(name: str, placed: Placed) -> None:
    """See that a goal may begin.

    Raises:
        DataError: too few of its points are seen, or the robot is not where its way begins.
    """
    if placed.ready:
        return
    assert placed.now is not None  # a goal image alone is always ready
    where = f", {placed.off_px:.1f} px from where they begin" if placed.now.visible.any() else ""
    raise DataError(
        f"{int(placed.now.visible.sum())} of {len(placed.now.visible)} points of goal '{name}' are "
        f"found in the camera's image{where}. Move the robot to where the goal was taught "
        f"(`njf goal show {name}` draws it)."
    )
