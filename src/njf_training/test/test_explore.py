"""The random plan stays in range, repeats by seed, continues; standstill is recognised."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njf_control.robot import RobotConfig, load_robot
from njf_training.explore import SAFE_FRACTION, STEP_LIMIT, PlannedState, SettleDetector, plan

FINGER = load_robot(Path(__file__).parents[3] / "config" / "robots" / "finger.yaml")


def lopsided(lower: float, upper: float) -> RobotConfig:
    """The finger with other limits of its first channel."""
    data = FINGER.model_dump()
    data["channels"][0] |= {"lower": lower, "upper": upper}
    return RobotConfig.model_validate(data)


def setpoints(states: list[PlannedState]) -> np.ndarray:
    return np.array([state.setpoint for state in states])


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    lower=st.floats(-5e5, 4e5),
    span=st.floats(0.1, 1e5),
    steps=st.integers(0, 30),
)
def test_every_state_is_in_the_safe_range(seed: int, lower: float, span: float, steps: int) -> None:
    robot = lopsided(lower, lower + span)
    values = setpoints(list(plan(robot, 60, steps, seed)))
    center, reach = (robot.lower + robot.upper) / 2, (robot.upper - robot.lower) / 2
    assert np.all(np.abs(values - center) <= SAFE_FRACTION * reach * (1 + 1e-9))


def test_steps_are_small_and_some_move_one_channel() -> None:
    states = list(plan(FINGER, 400, 7, seed=3))
    assert [s.step for s in states[:9]] == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    change = np.diff(setpoints(states), axis=0)[[s.step > 0 for s in states[1:]]]
    assert np.abs(change).max() <= STEP_LIMIT * 1.2 + 1e-9
    moved = (np.abs(change) > 1e-12).sum(1)
    assert 0.3 < np.mean(moved == 1) < 0.7 and np.all(moved >= 1)
    assert 0.05 < np.abs(change[moved == 3]).mean() < 0.1


def test_jumps_cover_the_range() -> None:
    jumps = setpoints([s for s in plan(FINGER, 400, 1, seed=0) if s.step == 0])
    counts = [np.histogram(channel, 5, (-1.08, 1.08))[0] for channel in jumps.T]
    assert np.min(counts) > 20


def test_a_plan_continues_where_another_stopped() -> None:
    whole = list(plan(FINGER, 40, 4, seed=5))
    rest = list(plan(FINGER, 20, 4, seed=5, first_trajectory=4))
    assert [s.trajectory for s in rest] == [s.trajectory for s in whole[20:]]
    assert np.array_equal(setpoints(rest), setpoints(whole[20:]))


def test_seeds_differ() -> None:
    one, other = (setpoints(list(plan(FINGER, 10, 4, seed))) for seed in (1, 2))
    assert not np.allclose(one, other)


TARGET = np.array([0.5, 0.0])


@pytest.fixture
def detector() -> SettleDetector:
    return SettleDetector(0.1, np.array([0.01, 0.01]), TARGET)


def test_standing_still_at_the_target_for_the_window_settles(detector: SettleDetector) -> None:
    results = [detector.update(0.02 * k, TARGET, TARGET + 0.004 * (k % 2)) for k in range(8)]
    assert results == [False] * 5 + [True] * 3


def test_few_cycles_far_apart_are_not_enough(detector: SettleDetector) -> None:
    results = [detector.update(0.3 * k, TARGET, TARGET) for k in range(5)]
    assert results == [False, False, False, True, True]


def test_still_arriving_does_not_settle(detector: SettleDetector) -> None:
    for k in range(20):
        assert not detector.update(0.02 * k, TARGET, TARGET - 0.2 * 0.9**k)


def test_standing_elsewhere_does_not_settle(detector: SettleDetector) -> None:
    assert not any(detector.update(0.02 * k, TARGET + 0.1, TARGET) for k in range(50))


def test_unknown_measurements_do_not_settle(detector: SettleDetector) -> None:
    nan = np.full(2, np.nan)
    assert not any(detector.update(0.02 * k, TARGET, nan) for k in range(50))


def test_moving_again_starts_the_window_anew(detector: SettleDetector) -> None:
    for k in range(5):
        detector.update(0.02 * k, TARGET, TARGET)
    detector.update(0.1, TARGET + 0.1, TARGET)
    results = [detector.update(0.12 + 0.02 * k, TARGET, TARGET) for k in range(7)]
    assert results == [False] * 5 + [True] * 2
