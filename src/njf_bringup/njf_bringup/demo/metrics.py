"""Figures of merit of a demo, from what was noted and what a judge knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from njf_perception.errors import DataError

SUCCESS_DEG = 3.0
LARGEST_GAP_NS = 200_000_000  # between a picture and the nearest true position


@dataclass(frozen=True)
class Truth:
    """True motion over time.

    Attributes:
        joints_ns, joints_rad: stamps and positions.
        tip_ns, tip_m: stamps and positions of the tip in the world.
    """

    joints_ns: Int64[np.ndarray, " t"]
    joints_rad: Float[np.ndarray, "t n"]
    tip_ns: Int64[np.ndarray, " s"]
    tip_m: Float[np.ndarray, "s 3"]

    def joints_at(self, stamp_ns: int) -> Float[np.ndarray, " n"]:
        """Joint positions nearest in time. Raises DataError when none is near."""
        return self.joints_rad[_nearest(self.joints_ns, stamp_ns)]

    def tip_at(self, stamp_ns: int) -> Float[np.ndarray, " 3"]:
        """Tip position nearest in time. Raises DataError when none is near."""
        return self.tip_m[_nearest(self.tip_ns, stamp_ns)]


@dataclass(frozen=True)
class Applied:
    """Applied commands over time; `image_ns` is 0 where a command answers no image."""

    stamp_ns: Int64[np.ndarray, " t"]
    image_ns: Int64[np.ndarray, " t"]

    def first_of_each_image(self) -> "Applied":
        """Only the first application of a command that answers an image."""
        answering = np.flatnonzero(self.image_ns)
        _, first = np.unique(self.image_ns[answering], return_index=True)
        rows = answering[first]
        return Applied(self.stamp_ns[rows], self.image_ns[rows])


@dataclass(frozen=True)
class TrialStamps:
    """Acquisition times [ns] of the pictures with the robot at rest."""

    goal_ns: int
    start_ns: int
    end_ns: int


def joint_error_deg(truth: Truth, at_ns: int, goal_ns: int) -> float:
    """Mean over joints of the absolute difference between two times [deg]."""
    difference = truth.joints_at(at_ns) - truth.joints_at(goal_ns)
    return float(np.degrees(np.abs(difference)).mean())


def tip_error_mm(truth: Truth, at_ns: int, goal_ns: int) -> float:
    """Distance of the tip between two times [mm]."""
    return float(1e3 * np.linalg.norm(truth.tip_at(at_ns) - truth.tip_at(goal_ns)))


def accuracy(truth: Truth, trials: Sequence[TrialStamps]) -> dict[str, Any]:
    """How near the robot came to its goals, and how far away it began."""
    joint = [joint_error_deg(truth, t.end_ns, t.goal_ns) for t in trials]
    tip = [tip_error_mm(truth, t.end_ns, t.goal_ns) for t in trials]
    start = [joint_error_deg(truth, t.start_ns, t.goal_ns) for t in trials]
    return {
        "joint_error_deg": spread(joint),
        "tip_error_mm": spread(tip),
        "success_rate": float(np.mean([error < SUCCESS_DEG for error in joint])),
        "start_error_deg": float(np.median(start)),
        "start_error_deg_all": start,
    }


def timing(applied: Applied, trials: Sequence[TrialStamps]) -> dict[str, Any]:
    """From the acquisition of an image to its command on the bus, and how often that happens."""
    first = applied.first_of_each_image()
    if not len(first.stamp_ns):
        raise DataError("no applied command answers an image; was anything controlled at all?")
    delay_ms = (first.stamp_ns - first.image_ns) / 1e6
    rates = [_rate_hz(first.image_ns, trial) for trial in trials]
    return {
        "camera_to_command_ms": {
            "median": float(np.median(delay_ms)),
            "p99": float(np.percentile(delay_ms, 99)),
            "count": len(delay_ms),
        },
        "control_hz": float(np.nanmedian(rates)),
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, 90th percentile and all values."""
    low, high = np.percentile(values, [50, 90])
    return {"median": float(low), "p90": float(high), "all": [float(value) for value in values]}


def _rate_hz(image_ns: Int64[np.ndarray, " t"], trial: TrialStamps) -> float:
    """Images answered per second during one motion; NaN for fewer than two."""
    inside = image_ns[(image_ns >= trial.start_ns) & (image_ns <= trial.end_ns)]
    if len(inside) < 2:
        return float("nan")
    return float((len(inside) - 1) / ((inside[-1] - inside[0]) / 1e9))


def _nearest(stamps_ns: Int64[np.ndarray, " t"], stamp_ns: int) -> int:
    if len(stamps_ns):
        row = int(np.argmin(np.abs(stamps_ns - stamp_ns)))
        if abs(int(stamps_ns[row]) - stamp_ns) <= LARGEST_GAP_NS:
            return row
    raise DataError(
        f"no true position within {LARGEST_GAP_NS / 1e9:g} s of {stamp_ns / 1e9:.3f} s; "
        "the recording has a gap. Look at the recorder's log for dropped messages."
    )
