"""Figures of merit of a demo, from what was noted and what a judge knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from njf_perception.errors import DataError

SUCCESS_DEG = 3.0  # mean over joints
SUCCESS_MM = 3.0  # mean over tips, for a robot without servos
LARGEST_GAP_NS = 200_000_000  # between a picture and the nearest true position


@dataclass(frozen=True)
class Truth:
    """True motion over time.

    Attributes:
        joints_ns, joints_rad: stamps and positions of the channels that are servos.
        tips_ns, tips_m: stamps and positions of the tips in the world.
    """

    joints_ns: Int64[np.ndarray, " t"]
    joints_rad: Float[np.ndarray, "t n"]
    tips_ns: Int64[np.ndarray, " s"]
    tips_m: Float[np.ndarray, "s m 3"]

    @property
    def has_servos(self) -> bool:
        """Whether there are joints to compare."""
        return self.joints_rad.shape[1] > 0

    def joints_at(self, stamp_ns: int) -> Float[np.ndarray, " n"]:
        """Joint positions nearest in time. Raises DataError when none is near."""
        return self.joints_rad[_nearest(self.joints_ns, stamp_ns)]

    def tips_at(self, stamp_ns: int) -> Float[np.ndarray, "m 3"]:
        """Tip positions nearest in time. Raises DataError when none is near."""
        return self.tips_m[_nearest(self.tips_ns, stamp_ns)]


@dataclass(frozen=True)
class Applied:
    """Applied commands over time.

    Attributes:
        stamp_ns: when they were applied.
        image_ns: the image they answer; 0 where they answer none.
        pressure_pa: set-points of the channels that are pressures.
    """

    stamp_ns: Int64[np.ndarray, " t"]
    image_ns: Int64[np.ndarray, " t"]
    pressure_pa: Float[np.ndarray, "t p"]

    def pressure_at(self, stamp_ns: int) -> Float[np.ndarray, " p"]:
        """Pressures nearest in time. Raises DataError when none is near."""
        return self.pressure_pa[_nearest(self.stamp_ns, stamp_ns)]

    def first_of_each_image(self) -> "Applied":
        """Only the first application of a command that answers an image."""
        answering = np.flatnonzero(self.image_ns)
        _, first = np.unique(self.image_ns[answering], return_index=True)
        rows = answering[first]
        return Applied(self.stamp_ns[rows], self.image_ns[rows], self.pressure_pa[rows])


@dataclass(frozen=True)
class TrialStamps:
    """Acquisition times [ns] of the pictures with the robot at rest; between legs it rests, too."""

    goal_ns: int
    start_ns: int
    end_ns: int
    legs_ns: Sequence[int] = ()


def joint_error_deg(truth: Truth, at_ns: int, goal_ns: int) -> float:
    """Mean over joints of the absolute difference between two times [deg]."""
    difference = truth.joints_at(at_ns) - truth.joints_at(goal_ns)
    return float(np.degrees(np.abs(difference)).mean())


def tip_error_mm(truth: Truth, at_ns: int, goal_ns: int) -> float:
    """Mean distance of the tips between two times [mm]."""
    difference = truth.tips_at(at_ns) - truth.tips_at(goal_ns)
    return float(1e3 * np.linalg.norm(difference, axis=1).mean())


def pressure_error_kpa(applied: Applied, at_ns: int, goal_ns: int) -> float:
    """Mean over chambers of the absolute difference of their set-points at two times [kPa]."""
    difference = applied.pressure_at(at_ns) - applied.pressure_at(goal_ns)
    return float(1e-3 * np.abs(difference).mean())


def accuracy(truth: Truth, applied: Applied, trials: Sequence[TrialStamps]) -> dict[str, Any]:
    """How near the robot came to its goals, and how far away it began.

    The figures of joints are there only for servos, those of pressures only for pressures. Servos
    succeed by their joints, a robot without them by its tips.
    """
    tip = [tip_error_mm(truth, t.end_ns, t.goal_ns) for t in trials]
    tip_start = [tip_error_mm(truth, t.start_ns, t.goal_ns) for t in trials]
    figures: dict[str, Any] = {
        "tip_error_mm": spread(tip),
        "start_tip_error_mm": float(np.median(tip_start)),
        "success_rate": float(np.mean([error < SUCCESS_MM for error in tip])),
    }
    if applied.pressure_pa.shape[1]:
        pressure = [pressure_error_kpa(applied, t.end_ns, t.goal_ns) for t in trials]
        figures["pressure_error_kpa"] = spread(pressure)
    if truth.has_servos:
        joint = [joint_error_deg(truth, t.end_ns, t.goal_ns) for t in trials]
        start = [joint_error_deg(truth, t.start_ns, t.goal_ns) for t in trials]
        figures |= {
            "joint_error_deg": spread(joint),
            "success_rate": float(np.mean([error < SUCCESS_DEG for error in joint])),
            "start_error_deg": float(np.median(start)),
            "start_error_deg_all": start,
        }
    return figures


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
    """Images answered per second while legs were driven; NaN for fewer than two of a leg."""
    inside = image_ns[(image_ns >= trial.start_ns) & (image_ns <= trial.end_ns)]
    gap_s = np.diff(inside) / 1e9
    begins = np.searchsorted(inside, np.array(trial.legs_ns, np.int64))
    between_legs = begins[(begins > 0) & (begins < len(inside))] - 1
    gap_s = np.delete(gap_s, between_legs)
    return float(1.0 / gap_s.mean()) if len(gap_s) else float("nan")


def _nearest(stamps_ns: Int64[np.ndarray, " t"], stamp_ns: int) -> int:
    if len(stamps_ns):
        row = int(np.argmin(np.abs(stamps_ns - stamp_ns)))
        if abs(int(stamps_ns[row]) - stamp_ns) <= LARGEST_GAP_NS:
            return row
    raise DataError(
        f"no true position within {LARGEST_GAP_NS / 1e9:g} s of {stamp_ns / 1e9:.3f} s; "
        "the recording has a gap. Look at the recorder's log for dropped messages."
    )
