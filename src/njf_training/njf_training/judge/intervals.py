"""Means with bootstrap confidence intervals over motions.

Views of one motion resemble each other, so whole motions are drawn, not views (the cluster
bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

DRAWS = 2000
LEVEL = 0.95


def mean_with_interval(
    values: Sequence[float], motions: Sequence[int], seed: int = 0
) -> dict[str, float | int]:
    """Mean, confidence interval, percentiles and count of the finite values.

    `motions` says which motion each value belongs to. Keys: mean, low, high (of the mean, 95 %),
    std, p10, median, p90, count, motions; only count without any finite value.
    """
    array, owner = np.asarray(values, float), np.asarray(motions, int)
    finite = np.isfinite(array)
    array, owner = array[finite], owner[finite]
    if not len(array):
        return {"count": 0}
    low, high = interval(array, np.ones(len(array)), owner, seed)
    p10, median, p90 = np.percentile(array, [10, 50, 90])
    return {
        "mean": float(array.mean()),
        "low": low,
        "high": high,
        "std": float(array.std()),
        "p10": float(p10),
        "median": float(median),
        "p90": float(p90),
        "count": len(array),
        "motions": len(np.unique(owner)),
    }


def ratio_with_interval(
    parts: Sequence[float], wholes: Sequence[float], seed: int = 0
) -> dict[str, float | int]:
    """Ratio of the sums of two figures of every motion, with its confidence interval."""
    part, whole = np.asarray(parts, float), np.asarray(wholes, float)
    finite = np.isfinite(part) & np.isfinite(whole)
    part, whole = part[finite], whole[finite]
    if not len(part) or whole.sum() == 0:
        return {"count": 0}
    low, high = interval(part, whole, np.arange(len(part)), seed)
    mean = float(part.sum() / whole.sum())
    return {"mean": mean, "low": low, "high": high, "count": len(part), "motions": len(part)}


def interval(
    parts: Float[np.ndarray, " n"],
    wholes: Float[np.ndarray, " n"],
    motions: Int[np.ndarray, " n"],
    seed: int,
) -> tuple[float, float]:
    """Bootstrap interval of sum(parts) / sum(wholes) when motions are drawn with replacement."""
    _, index = np.unique(motions, return_inverse=True)
    count = int(index.max()) + 1
    above, below = np.bincount(index, parts, count), np.bincount(index, wholes, count)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    total = drawn @ below
    found = (drawn @ above)[total > 0] / total[total > 0]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
