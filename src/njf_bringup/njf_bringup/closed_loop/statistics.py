"""Figures of a closed-loop test, with what chance makes of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from njf_bringup.closed_loop.trial import TrialResult
from njf_bringup.demo.metrics import SUCCESS_DEG

SUCCESS_MM = 3.0  # of the tips, where no joint is measured
_RESAMPLES = 1000


def summary(results: Sequence[TrialResult], by_tips: bool = False) -> dict[str, Any]:
    """Figures over all goals; those that could not be pursued count with their start errors.

    With `by_tips` joints do not count: under a weight other ones than the goal's hold its pose.
    """
    joint = np.array([result.end.joint_deg for result in results])
    has_joints = bool(np.isfinite(joint).all()) and not by_tips
    figures: dict[str, Any] = {
        "goals": len(results),
        "success_rate": float(np.mean([succeeded(result, by_tips) for result in results])),
        "reasons": dict(Counter(result.reason for result in results)),
        "tip_error_mm": _spread(results, lambda result: result.end.tip_mm),
        "start_tip_error_mm": _spread(results, lambda result: result.start.tip_mm),
        "steps": _spread(results, lambda result: float(result.steps)),
        "duration_s": _spread(results, lambda result: result.duration_s),
        "stage_ms": _stages(results),
    }
    if has_joints:
        figures["joint_error_deg"] = _spread(results, lambda result: result.end.joint_deg)
        figures["max_joint_error_deg"] = _spread(results, lambda result: result.end.max_joint_deg)
        figures["start_joint_error_deg"] = _spread(results, lambda result: result.start.joint_deg)
    if any(result.replayed for result in results):
        figures["replayed_tip_error_mm"] = _spread(results, _replayed_mm)
    if all(result.shown_path_m for result in results):
        figures["strayed_mm"] = _spread(results, _strayed_mm)
    return figures


def _replayed_mm(result: TrialResult) -> float:
    """Tip error without a camera; a goal that could not be pursued was not replayed either."""
    return (result.replayed or result.start).tip_mm


def _strayed_mm(result: TrialResult) -> float:
    return strayed_mm(np.array(result.tip_path_m), np.array(result.shown_path_m))


def succeeded(result: TrialResult, by_tips: bool = False) -> bool:
    """Joints within 3 deg on average; without servos or `by_tips`, tips within 3 mm on average."""
    joint = result.end.joint_deg
    if by_tips or not np.isfinite(joint):
        return bool(result.end.tip_mm < SUCCESS_MM)
    return bool(joint < SUCCESS_DEG)


def spread(values: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Median with its 95 % confidence interval (percentile bootstrap), and 90th percentile."""
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(len(values), size=(_RESAMPLES, len(values)))]
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return {
        "median": float(np.median(values)),
        "median_low": float(low),
        "median_high": float(high),
        "p90": float(np.percentile(values, 90)),
    }


def strayed_mm(path_m: Float[np.ndarray, "t 3"], shown_m: Float[np.ndarray, "s 3"]) -> float:
    """Largest distance of a path from the polyline that was shown [mm]."""
    begins, ways = shown_m[:-1], np.diff(shown_m, axis=0)
    squared = np.maximum((ways**2).sum(axis=1), 1e-18)
    offsets = path_m[:, None] - begins
    share = np.clip((offsets * ways).sum(axis=2) / squared, 0.0, 1.0)
    distances = np.linalg.norm(offsets - share[..., None] * ways, axis=2)
    return float(1e3 * distances.min(axis=1).max())


def table(figures: dict[str, Any]) -> str:
    """The summary for reading."""
    rows = [
        ("joint error", "joint_error_deg", "deg"),
        ("largest joint error", "max_joint_error_deg", "deg"),
        ("tip error", "tip_error_mm", "mm"),
        ("joint error at the start", "start_joint_error_deg", "deg"),
        ("tip error without camera", "replayed_tip_error_mm", "mm"),
        ("tip error at the start", "start_tip_error_mm", "mm"),
        ("strayed from the way shown", "strayed_mm", "mm"),
        ("steps", "steps", ""),
    ]
    lines = [_row(label, figures[key], unit) for label, key, unit in rows if key in figures]
    reasons = ", ".join(f"{count} {name}" for name, count in figures["reasons"].items())
    stages = ", ".join(f"{name} {ms:.1f}" for name, ms in figures["stage_ms"].items())
    lines.append(f"reached {figures['success_rate']:.0%} of {figures['goals']} goals: {reasons}")
    lines.append(f"milliseconds per step: {stages}")
    return "\n".join(lines)


def _row(label: str, values: dict[str, float], unit: str) -> str:
    interval = f"[{values['median_low']:.2f}, {values['median_high']:.2f}]"
    return f"{label:<27}{values['median']:8.2f} {interval:>16} {unit:<4} p90 {values['p90']:.2f}"


def _spread(
    results: Sequence[TrialResult], figure: Callable[[TrialResult], float]
) -> dict[str, float]:
    return spread(np.array([figure(result) for result in results]))


def _stages(results: Sequence[TrialResult]) -> dict[str, float]:
    """Mean over the goals that made steps."""
    rows = [result.stage_ms for result in results if result.stage_ms]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}
