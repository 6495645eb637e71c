"""What the demo notes down while it runs; no truth in it."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import UInt8

from njf_perception.trackers.base import Tracks


@dataclass(frozen=True)
class Picture:
    """One camera image with the points that are tracked in it.

    Attributes:
        stamp_ns: acquisition time.
        image: what the camera saw.
        tracks: where the points are [px].
        targets: where the leg that the points belong to wants them [px].
        error_px: mean distance from tracks to targets.
    """

    stamp_ns: int
    image: UInt8[np.ndarray, "h w 3"]
    tracks: Tracks | None = None
    targets: Tracks | None = None
    error_px: float = float("nan")

    def tracked(self, tracks: Tracks, targets: Tracks) -> "Picture":
        """The picture with its points."""
        error_px = mean_error_px(tracks, targets)
        return replace(self, tracks=tracks, targets=targets, error_px=error_px)


@dataclass(frozen=True)
class Step:
    """One control step as the action reports it; `time_s` since the goal was sent.

    `waypoint` of `waypoints` is approached, from 0; no waypoints: no demonstration is followed.
    """

    time_s: float
    error_px: float
    rate_hz: float
    waypoint: int = 0
    waypoints: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a servo motion ended.

    Attributes:
        reason: a name of `njf_control.servo.Reason`.
        message: the same in words.
        error_px: what was left.
        steps, elapsed_s: commands and time, of all legs.
        legs: parts of the way, each a goal of its own.
    """

    reason: str
    message: str
    error_px: float
    steps: int
    elapsed_s: float
    legs: int = 1

    def after(self, earlier: "Outcome | None") -> "Outcome":
        """The outcome of this leg and those before it."""
        if earlier is None:
            return self
        return replace(
            self,
            steps=earlier.steps + self.steps,
            elapsed_s=earlier.elapsed_s + self.elapsed_s,
            legs=earlier.legs + self.legs,
        )


@dataclass
class TrialRecord:
    """How one goal went, as seen by the camera and told by the action.

    Attributes:
        goal, start, end: pictures with the robot at rest.
        steps: every control step.
        film: pictures of the way, kept for some goals.
        legs_ns: stamps of the pictures in which the legs began.
    """

    goal: Picture
    start: Picture
    end: Picture
    steps: list[Step]
    outcome: Outcome
    film: list[Picture] = field(default_factory=list)
    legs_ns: list[int] = field(default_factory=list)


def mean_error_px(now: Tracks, goal: Tracks) -> float:
    """Mean distance of points visible in both [px]; NaN when there is none."""
    both = now.visible & goal.visible
    if not both.any():
        return float("nan")
    return float(np.linalg.norm(now.points[both] - goal.points[both], axis=1).mean())
