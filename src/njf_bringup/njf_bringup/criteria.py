"""What a checkpoint must reach to be installed, per robot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bound:
    """A figure of metrics.json and the value that it must not miss.

    Attributes:
        figure: keys to the figure, joined by dots.
        at_most: the figure must not exceed `value`; else it must reach it.
    """

    figure: str
    value: float
    at_most: bool = False

    def missed(self, metrics: Mapping[str, Any]) -> str | None:
        """Why the bound is missed; None when it is kept, or the robot has no such figure."""
        found = look_up(metrics, self.figure)
        if found is None or (found <= self.value if self.at_most else found >= self.value):
            return None
        wanted = "at most" if self.at_most else "at least"
        return f"{self.figure} is {found:.3g}, wanted {wanted} {self.value:g}"


_UNSEEN_COSINE = "prediction.flow.held_out.cosine.mean"
_JOINTS = "closed_loop.learned.joint_error_deg"
_TIPS = "closed_loop.learned.tip_error_mm"
_REACHED = "closed_loop.learned.success_rate"

CRITERIA: dict[str, tuple[Bound, ...]] = {
    "finger": (
        Bound(_UNSEEN_COSINE, 0.95),
        Bound(f"{_JOINTS}.median", 1.0, at_most=True),
        Bound(f"{_JOINTS}.p90", 2.0, at_most=True),
        Bound(_REACHED, 0.95),
    ),
    "poppy": (
        Bound(f"{_JOINTS}.median", 0.7, at_most=True),
        Bound(f"{_TIPS}.median", 1.5, at_most=True),
        Bound(_REACHED, 0.90),
    ),
    "allegro": (
        Bound(f"{_JOINTS}.median", 0.7, at_most=True),
        Bound(f"{_TIPS}.median", 1.6, at_most=True),
        Bound(_REACHED, 0.90),
    ),
    "allegro8": (
        Bound(f"{_JOINTS}.median", 0.7, at_most=True),
        Bound(f"{_TIPS}.median", 1.6, at_most=True),
        Bound(_REACHED, 0.90),
    ),
    "pneumatic": (Bound(f"{_TIPS}.median", 3.0, at_most=True), Bound(_REACHED, 0.90)),
    "hsa": (Bound(f"{_TIPS}.median", 5.0, at_most=True),),
}
DEFAULT = (Bound(_UNSEEN_COSINE, 0.90), Bound(_REACHED, 0.90))


def missed(robot: str, metrics: Mapping[str, Any]) -> list[str]:
    """The robot's missed bounds in words."""
    answers = [bound.missed(metrics) for bound in CRITERIA.get(robot, DEFAULT)]
    return [answer for answer in answers if answer is not None]


def look_up(metrics: Mapping[str, Any], figure: str) -> float | None:
    """A figure by its keys, joined by dots; None where it is not there."""
    found: Any = metrics
    for key in figure.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return None if found is None else float(found)
