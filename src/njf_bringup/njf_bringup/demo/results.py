"""What the demo notes down while it runs; no truth in it."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from njf_perception.trackers.base import Tracks


@dataclass(frozen=True)
class Picture:
    """One camera image, where the tracked points are in it, and how far they are from the goal."""

    stamp_ns: int
    image: UInt8[np.ndarray, "h w 3"]
    tracks: Tracks | None = None
    error_px: float = float("nan")


@dataclass(frozen=True)
class Step:
    """One control step as the action reports it; `time_s` since the goal was sent."""

    time_s: float
    error_px: float
    rate_hz: float


@dataclass(frozen=True)
class Outcome:
    """How a servo motion ended; `reason` is a name of njf_control.servo.Reason."""

    reason: str
    message: str
    error_px: float
    steps: int
    elapsed_s: float


@dataclass
class TrialRecord:
    """How one goal went, as seen by the camera and told by the action.

    Attributes:
        goal, start, end: pictures with the robot at rest.
        steps: every control step.
        film: pictures of the way, kept for some goals.
    """

    goal: Picture
    start: Picture
    end: Picture
    steps: list[Step]
    outcome: Outcome
    film: list[Picture] = field(default_factory=list)
