"""Does the model know where it is right? Its confidence against the share of right points."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

BINS = 10


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> dict[str, Any]:
    """Bins of confidence with their share of right points, and figures over all points.

    Keys: bins (confidence and right: means, count), ece (expected calibration error; Guo et al.,
    ICML 2017), auroc (chance that a right point is more confident than a wrong one), right, count.
    """
    if not len(confidence):
        return {"count": 0, "bins": []}
    index = np.minimum((confidence.clip(0, 1) * BINS).astype(int), BINS - 1)
    bins = [
        {
            "confidence": float(confidence[index == b].mean()),
            "right": float(right[index == b].mean()),
            "count": int((index == b).sum()),
        }
        for b in np.unique(index)
    ]
    gaps = [b["count"] * abs(b["confidence"] - b["right"]) for b in bins]
    return {
        "bins": bins,
        "ece": float(sum(gaps) / len(confidence)),
        "auroc": _auroc(confidence, right),
        "right": float(right.mean()),
        "count": len(confidence),
    }


def _auroc(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Area under the ROC curve from ranks (Mann-Whitney); NaN when all points are alike."""
    positive, negative = int(right.sum()), int((~right).sum())
    if not positive or not negative:
        return float("nan")
    _, group, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    total = rank[group][right].sum() - positive * (positive + 1) / 2
    return float(total / (positive * negative))
