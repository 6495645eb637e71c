"""Figures of merit on motions whose answer is known."""

import numpy as np
import pytest

from njf_bringup.demo.metrics import Applied, TrialStamps, Truth, accuracy, timing
from njf_bringup.demo.verdict import Criterion, criteria, succeeded, table
from njf_perception.errors import DataError

S = 1_000_000_000


def truth() -> Truth:
    """Joint 0 stands at 10 deg, then 25 deg, then 11 deg; joint 1 at 0, 5, 0 deg. Tip likewise."""
    stamps = np.arange(0, 30 * S, S // 20)
    joints = np.zeros((len(stamps), 2))
    joints[:, 0] = np.radians(np.select([stamps < 10 * S, stamps < 20 * S], [10, 25], 11))
    joints[:, 1] = np.radians(np.where((stamps >= 10 * S) & (stamps < 20 * S), -5, 0))
    tips = np.zeros((len(stamps), 2, 3))
    tips[:, 0, 0] = np.select([stamps < 10 * S, stamps < 20 * S], [0.1, 0.2], 0.106)
    return Truth(stamps, joints, stamps, tips)


NO_PRESSURE = Applied(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0)))


TRIAL = TrialStamps(goal_ns=5 * S, start_ns=15 * S, end_ns=25 * S)


def test_accuracy_is_the_mean_over_joints_against_the_goal_picture() -> None:
    figures = accuracy(truth(), NO_PRESSURE, [TRIAL])
    assert figures["joint_error_deg"]["all"] == pytest.approx([0.5])
    assert figures["start_error_deg"] == pytest.approx(10.0)
    assert figures["tip_error_mm"]["median"] == pytest.approx(3.0)
    assert figures["success_rate"] == 1.0


def test_a_motion_that_did_not_happen_is_no_success() -> None:
    figures = accuracy(truth(), NO_PRESSURE, [TRIAL, TrialStamps(5 * S, 15 * S, 15 * S)])
    assert figures["success_rate"] == 0.5
    assert figures["joint_error_deg"]["p90"] == pytest.approx(0.5 + 0.9 * 9.5)


def test_a_gap_in_the_truth_is_an_error_not_a_guess() -> None:
    with pytest.raises(DataError, match="no true position within 0.2 s"):
        accuracy(truth(), NO_PRESSURE, [TrialStamps(5 * S, 15 * S, 31 * S)])


def test_delay_counts_only_the_first_command_of_each_image() -> None:
    image = np.repeat(15 * S + np.arange(40) * (S // 16), 3)
    stamp = image + np.tile([20_000_000, 40_000_000, 60_000_000], 40)
    image[:3] = 0  # answers no image: somebody else's command
    figures = timing(Applied(stamp, image, np.zeros((len(stamp), 0))), [TRIAL])
    assert figures["camera_to_command_ms"] == {"median": 20.0, "p99": 20.0, "count": 39}
    assert figures["control_hz"] == pytest.approx(16.0)


def test_the_rest_between_legs_does_not_count_into_the_rate() -> None:
    image = np.concatenate([16 * S + np.arange(10) * (S // 10), 20 * S + np.arange(10) * (S // 10)])
    applied = Applied(image + 20_000_000, image, np.zeros((len(image), 0)))
    legs_ns = [15 * S, 20 * S - 1]
    trial = TrialStamps(goal_ns=5 * S, start_ns=15 * S, end_ns=25 * S, legs_ns=legs_ns)
    assert timing(applied, [trial])["control_hz"] == pytest.approx(10.0)
    assert timing(applied, [TRIAL])["control_hz"] < 5.0


def test_no_control_at_all_is_an_error() -> None:
    nothing = np.zeros(3, np.int64)
    with pytest.raises(DataError, match="no applied command answers an image"):
        timing(Applied(nothing, nothing, np.zeros((3, 0))), [TRIAL])


def test_the_verdict_names_goals_that_were_given_up(demo_metrics: dict) -> None:
    assert "goal" not in table(demo_metrics).splitlines()[-1].split(":")[0]
    demo_metrics["results"][3] = {"reason": "STALE_IMAGE", "message": "no image for 0.6 s"}
    assert table(demo_metrics).splitlines()[-1] == "  goal 3: STALE_IMAGE, no image for 0.6 s"


@pytest.fixture(params=["servos", "soft"])
def metrics(request: pytest.FixtureRequest, demo_metrics: dict, soft_metrics: dict) -> dict:
    return demo_metrics if request.param == "servos" else soft_metrics


@pytest.mark.parametrize("index", range(4))
def test_every_criterion_decides(index: int, metrics: dict) -> None:
    assert succeeded(metrics)
    criterion: Criterion = criteria(metrics)[index]
    section = metrics
    for key in criterion.path[:-1]:
        section = section[key]
    for bad in (criterion.bound + (1e-3 if criterion.at_most else -1e-3), float("nan")):
        section[criterion.path[-1]] = bad
        assert not succeeded(metrics)
        assert f"FAIL {criterion.label}" in table(metrics)
        assert "FAILED" in table(metrics)


def test_the_table_speaks_of_what_the_robot_has(demo_metrics: dict, soft_metrics: dict) -> None:
    assert "within 3 deg" in table(demo_metrics) and "15.1 deg per joint" in table(demo_metrics)
    soft = table(soft_metrics)
    assert "joint" not in soft and "within 3 mm" in soft
    assert "started 9.8 mm per tip away" in soft and "pressures 0.7 kPa at the end" in soft
