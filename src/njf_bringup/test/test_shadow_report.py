"""The score of a replay."""

import numpy as np
import pytest

from njf_bringup.shadow_report import ShadowRun

HALF = np.array([2.0, 0.5])


def shadow(**values: object) -> ShadowRun:
    return ShadowRun(HALF, **values)  # type: ignore[arg-type]


def test_steps_are_compared_with_the_way_that_was_left() -> None:
    """In half ranges: 1 of the first channel is 0.5, 1 of the second is 2."""
    applied = [(0, [0.0, 0.0]), (10, [1.0, 0.0]), (20, [1.0, 0.5])]
    toward, against, across = (5, [0.5, 0.5]), (12, [1.0, -0.1]), (15, [1.5, 0.0])
    run = shadow(applied=applied, commands=[toward, against, across])
    step, left = np.array([0.5, 0.5]) / HALF, np.array([1.0, 0.5]) / HALF
    first = step @ left / np.linalg.norm(step) / np.linalg.norm(left)
    assert run.cosines() == pytest.approx([first, -1.0, 0.0])


def test_steps_at_the_end_of_the_way_are_not_compared() -> None:
    run = shadow(applied=[(0, [1.0, 0.0]), (20, [1.01, 0.0])], commands=[(5, [1.5, 0.0])])
    assert len(run.cosines()) == 0
    assert run.figures()["cosine_median"] is None
    assert "cosine" not in run.text()


def test_counts_and_endings_are_told() -> None:
    run = shadow(encodings=7, recorded_commands=3, endings={"CONVERGED": 2})
    run.commands = [(1, [0.0, 0.0])]
    assert run.figures()["shadow_commands"] == 1
    assert "7 images encoded, 1 commands solved and sent to nobody (3 in the rec" in run.text()
    assert "goals: CONVERGED 2" in run.text()
