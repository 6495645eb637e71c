"""Bootstrap over motions."""

import numpy as np
import pytest

from njf_training.judge.intervals import mean_with_interval, ratio_with_interval


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        found = mean_with_interval(rng.normal(1.0, 0.5, 40).tolist(), list(range(40)))
        covered += found["low"] <= 1.0 <= found["high"]
    assert 0.85 <= covered / 60 <= 0.99


def test_views_of_one_motion_are_not_independent() -> None:
    values = np.repeat(np.random.default_rng(1).normal(size=20), 8)
    together = mean_with_interval(values.tolist(), np.repeat(np.arange(20), 8).tolist())
    apart = mean_with_interval(values.tolist(), list(range(160)))
    assert together["mean"] == apart["mean"]
    assert together["high"] - together["low"] > 2 * (apart["high"] - apart["low"])
    assert (together["count"], together["motions"]) == (160, 20)


def test_same_seed_gives_the_same_interval_and_nan_does_not_count() -> None:
    values = [1.0, float("nan"), 3.0, 2.0]
    first, again = (mean_with_interval(values, [0, 1, 2, 3]) for _ in range(2))
    assert first == again
    assert (first["mean"], first["count"]) == (2.0, 3)
    assert mean_with_interval([float("nan")], [0]) == {"count": 0}


def test_ratio_weighs_motions_by_their_size() -> None:
    found = ratio_with_interval([1.0, 0.0], [10.0, 0.0])
    assert found["mean"] == pytest.approx(0.1)
    assert ratio_with_interval([0.0], [0.0]) == {"count": 0}
