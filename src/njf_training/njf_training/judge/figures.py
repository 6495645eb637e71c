"""From raw findings to the figures of metrics.json."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from njf_training.judge.calibration import reliability
from njf_training.judge.intervals import mean_with_interval, ratio_with_interval
from njf_training.judge.judge import Findings
from njf_training.judge.views import ViewScore

DISPLAY = {"rad": ("deg", 180 / np.pi), "Pa": ("kPa", 1e-3)}  # units for people


def figures(
    findings: Findings, channels: Sequence[str], units: Sequence[str], half_range: Sequence[float],
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """All figures; means carry 95 % bootstrap intervals over motions, see `intervals`.

    Keys: flow (per camera role the fields of `ViewScore`), jacobian (cosine; per channel cosine
    and gain), command_recovery (per kind of flow), confidence (see `reliability`).
    """
    return {
        "flow": _flow(findings, seed),
        "jacobian": _jacobian(findings, channels, seed),
        "command_recovery": {
            kind: _recovery(found, channels, units, half_range, seed)
            for kind, found in findings.recovered.items()
        },
        "confidence": _confidence(findings),
    }


def _flow(findings: Findings, seed: int) -> dict[str, Any]:
    roles = [
        role
        for role in ("control", "training", "held_out")
        if any(found == role for _, found, _ in findings.views)
    ]
    result: dict[str, Any] = {}
    for role in roles:
        rows = [(motion, score) for motion, found, score in findings.views if found == role]
        motions = [motion for motion, _ in rows]
        result[role] = {
            name: mean_with_interval([getattr(score, name) for _, score in rows], motions, seed)
            for name in ViewScore._fields
        }
    return result


def _jacobian(findings: Findings, channels: Sequence[str], seed: int) -> dict[str, Any]:
    motions = [motion for motion, _ in findings.jacobians]
    scores = [score for _, score in findings.jacobians]
    if not scores:
        return {"cosine": {"count": 0}, "channels": {}}
    return {
        "cosine": mean_with_interval([s.cosine for s in scores], motions, seed),
        "channels": {
            name: {
                "cosine": mean_with_interval(
                    [float(s.channel_cosine[i]) for s in scores], motions, seed
                ),
                "gain": mean_with_interval(
                    [float(s.channel_gain[i]) for s in scores], motions, seed
                ),
            }
            for i, name in enumerate(channels)
        },
    }


def _recovery(
    found: list[tuple[int, np.ndarray, np.ndarray]],
    channels: Sequence[str],
    units: Sequence[str],
    half_range: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """Errors of recovered steps: relative to the steps, and mean absolute per channel."""
    motions = [motion for motion, _, _ in found]
    errors = np.array([step - true for _, step, true in found])
    true = np.array([true for _, _, true in found])
    per_channel: dict[str, Any] = {}
    for i, (name, unit) in enumerate(zip(channels, units, strict=True)):
        shown, scale = DISPLAY[unit]
        error = mean_with_interval(np.abs(errors[:, i]).tolist(), motions, seed)
        physical = half_range[i] * scale
        per_channel[name] = {"normalised": error, "mean": error["mean"] * physical, "unit": shown}
    return {
        "relative": ratio_with_interval(
            np.linalg.norm(errors, axis=1).tolist(), np.linalg.norm(true, axis=1).tolist(), seed
        ),
        "normalised": mean_with_interval(np.abs(errors).mean(axis=1).tolist(), motions, seed),
        "command_normalised": float(np.abs(true).mean()),
        "channels": per_channel,
    }


def _confidence(findings: Findings) -> dict[str, Any]:
    if not findings.confidence:
        return {"count": 0, "bins": []}
    points = np.concatenate(findings.confidence), np.concatenate(findings.right)
    beside = findings.confidence_beside
    return reliability(*points) | {
        "beside_robot": float(np.mean(beside)) if beside else float("nan")
    }
