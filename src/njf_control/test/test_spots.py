"""Spots: where their middle is, whatever turns about it, and what that asks of their points."""

import numpy as np
import pytest

from njf_control.servo.spots import Spots, middle_of, spot_targets

START = (np.array([100.0, 80.0]) + np.random.default_rng(0).uniform(-8, 8, (10, 2))).astype("f4")
MIDDLE = START.mean(axis=0).astype(np.float64)
ALL = np.ones(len(START))


def moved(turn_rad: float, shift_px: tuple[float, float], scale: float = 1.0) -> np.ndarray:
    """The points, turned about their middle and shifted."""
    c, s = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    turn = np.array([[c, -s], [s, c]])
    return (START - MIDDLE) @ turn.T + MIDDLE + shift_px


@pytest.mark.parametrize("turn_rad", [-0.6, 0.0, 0.3])
def test_the_middle_is_found_however_the_part_has_turned(turn_rad: float) -> None:
    now = moved(turn_rad, (20.0, -5.0), 1.1)
    assert middle_of(START, now, ALL, MIDDLE) == pytest.approx(MIDDLE + [20, -5], abs=1e-4)


def test_lost_points_do_not_move_the_middle() -> None:
    now, weights = moved(0.4, (20.0, -5.0)), ALL.copy()
    weights[np.argsort(START[:, 0])[:5]] = 0.0  # the whole left side
    now[weights == 0] = np.nan
    seen_px = np.nanmean(now, axis=0)
    assert np.linalg.norm(seen_px - (MIDDLE + [20, -5])) > 2.0  # their own mean would
    assert middle_of(START, now, weights, MIDDLE) == pytest.approx(MIDDLE + [20, -5], abs=0.3)


def test_points_that_slid_off_are_outvoted() -> None:
    now = moved(0.3, (20.0, -5.0))
    now[:3] += [15, 10]
    assert middle_of(START, now, ALL, MIDDLE) == pytest.approx(MIDDLE + [20, -5], abs=0.5)


@pytest.mark.parametrize("count", [1, 2])
def test_few_points_are_not_believed_to_turn(count: int) -> None:
    """Half a pixel of noise on two neighbours must not swing a middle that is far from them."""
    weights = ALL * (np.arange(len(ALL)) < count)
    start = np.concatenate([[[92.0, 80.0], [93.0, 80.0]], START[2:]]).astype("f4")
    now = start.astype(np.float64) + [5, 0]
    now[1] += [0, 0.5]
    middle = start.mean(axis=0).astype(np.float64)
    assert middle_of(start, now, weights, middle) == pytest.approx(middle + [5, 0], abs=1.2)


def test_every_point_is_as_far_from_its_target_as_its_spot() -> None:
    spots = np.repeat([4, 9], 5)
    target = START.astype(np.float64)
    target[:5] += [30, 0]
    target[5:] += [0, 10]
    now = START.astype(np.float64) + [10, 0]
    targets = spot_targets(Spots.of(spots, START, target), START, now, target, ALL)
    assert targets[:5] - now[:5] == pytest.approx(np.tile([20.0, 0], (5, 1)), abs=1e-4)
    assert targets[5:] - now[5:] == pytest.approx(np.tile([-10.0, 10], (5, 1)), abs=1e-4)


def test_turning_in_place_is_no_error_and_a_lost_spot_keeps_its_targets() -> None:
    spots = np.repeat([0, 1], 5)
    now, target = moved(0.5, (0.0, 0.0)), START.astype(np.float64)
    first = START[:5].mean(axis=0)
    now[:5] = (START[:5] - first) @ np.array([[0.9, 0.4], [-0.4, 0.9]]) + first
    weights = np.where(spots == 0, 1.0, 0.0)
    targets = spot_targets(Spots.of(spots, START, target), START, now, target, weights)
    assert targets[:5] == pytest.approx(now[:5], abs=1e-4)
    assert targets[5:] == pytest.approx(target[5:])
