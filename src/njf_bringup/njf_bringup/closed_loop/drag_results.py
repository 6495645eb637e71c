"""How drags on the camera's picture went, one by one and in figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from njf_bringup.closed_loop.statistics import spread
from njf_perception.errors import DataError

ARRIVED_PX = 3.0  # what a person who drags would call there
NOTHING = "NOTHING_TO_PRESS"


@dataclass(frozen=True)
class DragResult:
    """How one drag went.

    Attributes:
        index: number of the drag.
        reason: name of the `Reason` why the motion ended, or `NOTHING`.
        points: that the press took hold of.
        refused: presses before it of which the page said that there is nothing to hold.
        begin_px, target_px, end_px: where the spot was, was dragged to, and is at rest (u, v) [px].
        steps: of the servo.
    """

    index: int
    reason: str
    points: int
    refused: int
    begin_px: list[float]
    target_px: list[float]
    end_px: list[float]
    steps: int

    @property
    def way_px(self) -> float:
        """How far it was dragged [px]."""
        return float(np.linalg.norm(np.subtract(self.target_px, self.begin_px)))

    @property
    def error_px(self) -> float:
        """How far from its target the spot is at rest [px]."""
        return float(np.linalg.norm(np.subtract(self.target_px, self.end_px)))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> "DragResult":
        """Inverse of `as_dict`."""
        return DragResult(**content)


def drag_summary(results: Sequence[DragResult]) -> dict[str, Any]:
    """Figures over all drags; those without anything to press count as not arrived.

    Raises:
        DataError: nothing could be pressed in any of them.
    """
    pressed = [result for result in results if result.reason != NOTHING]
    if not pressed:
        raise DataError(
            f"the model sees nothing to press in any of {len(results)} pictures. Does it fit the "
            "robot and its camera? `njf evaluate` says."
        )
    return {
        "drags": len(results),
        "arrived_rate": sum(result.error_px < ARRIVED_PX for result in pressed) / len(results),
        "reasons": dict(Counter(result.reason for result in results)),
        "refused_presses": sum(result.refused for result in results),
        "error_px": spread(np.array([result.error_px for result in pressed])),
        "way_px": spread(np.array([result.way_px for result in pressed])),
        "steps": spread(np.array([float(result.steps) for result in pressed])),
    }


def drag_table(figures: dict[str, Any]) -> str:
    """The summary for reading."""
    error, way = figures["error_px"], figures["way_px"]
    reasons = ", ".join(f"{count} {name}" for name, count in figures["reasons"].items())
    return (
        f"dragged {way['median']:.1f} px (median), p90 {way['p90']:.1f} px\n"
        f"ended {error['median']:.2f} px away [{error['median_low']:.2f}, "
        f"{error['median_high']:.2f}], p90 {error['p90']:.2f} px\n"
        f"within {ARRIVED_PX:g} px: {figures['arrived_rate']:.0%} of {figures['drags']}: "
        f"{reasons}; {figures['refused_presses']} presses refused"
    )
