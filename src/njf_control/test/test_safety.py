"""The safety gate: one test per way in which robots hurt themselves, then random storms."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njf_control.robot import RobotConfig, load_robot
from njf_control.safety import Alteration, GateState, SafetyGate
from njf_perception.errors import CommandRejectedError

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/finger.yaml")
NAMES = ROBOT.channel_names
RATE_HZ = 50.0
DT = 1.0 / RATE_HZ
TIMEOUT_S = 0.1
STEP = float(ROBOT.max_rate[0]) * DT  # 0.05 rad in one cycle
HOME = np.zeros(3)


class Robot:
    """A gate with a clock and a robot that follows at once."""

    def __init__(self, start: npt.ArrayLike = HOME):
        self.gate = SafetyGate(ROBOT, RATE_HZ, TIMEOUT_S)
        self.now_s = 100.0
        self.measured = np.array(start, dtype=float)
        self.gate.activate(self.measured)

    def submit(self, *values, names=NAMES):
        return self.gate.submit(names, values, self.now_s)

    def step(self, dt_s=DT, measured=None):
        self.now_s += dt_s
        output = self.gate.step(
            self.measured if measured is None else np.array(measured), self.now_s, dt_s
        )
        self.measured = output.applied.copy()
        return output


@pytest.fixture
def robot() -> Robot:
    return Robot()


def test_activation_holds_the_measured_state():
    start = np.array([0.3, -0.2, 0.1])
    output = Robot(start).step()
    assert output.state == GateState.READY and output.drives
    np.testing.assert_array_equal(output.applied, start)
    assert (output.alterations == Alteration.HELD).all()
    assert np.isnan(output.requested).all()


def test_a_good_command_is_applied_unchanged(robot):
    assert robot.submit(0.02, -0.03, 0.04).accepted
    output = robot.step()
    assert output.state == GateState.RUNNING and output.reason == ""
    np.testing.assert_array_equal(output.applied, [0.02, -0.03, 0.04])
    np.testing.assert_array_equal(output.alterations, 0)


def test_channels_are_matched_by_name(robot):
    robot.submit(0.03, 0.01, 0.02, names=["joint_2", "joint_0", "joint_1"])
    np.testing.assert_array_equal(robot.step().applied, [0.01, 0.02, 0.03])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_rejects_the_whole_command(robot, bad):
    robot.submit(0.01, 0.01, 0.01)
    verdict = robot.submit(0.02, bad, 0.02)
    assert not verdict.accepted and "not finite" in verdict.reason
    output = robot.step()
    np.testing.assert_array_equal(output.applied, [0.01, 0.01, 0.01])
    assert (output.alterations & Alteration.REJECTED).all()
    assert "not finite" in output.reason
    assert robot.gate.counts.rejected == 1


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["joint_0", "joint_1", "elbow"], [0.0, 0.0, 0.0]),
        (["joint_0", "joint_1"], [0.0, 0.0]),
        (["joint_0", "joint_1", "joint_1"], [0.0, 0.0, 0.0]),
        (NAMES, [0.0, 0.0]),
        (NAMES, [0.0, 0.0, 0.0, 0.0]),
        ([], []),
    ],
)
def test_wrong_names_or_lengths_reject_the_whole_command(robot, names, values):
    verdict = robot.gate.submit(names, values, robot.now_s)
    assert not verdict.accepted
    assert "joint_2" in verdict.reason, "the expected names are part of the message"
    assert robot.step().state == GateState.READY


def test_out_of_range_is_limited_and_reported(robot):
    robot.measured[:] = [1.18, 0.0, 0.0]
    robot.gate.activate(robot.measured)
    assert robot.submit(1.3, 0.0, 0.0).accepted
    output = robot.step()
    np.testing.assert_allclose(output.applied, [1.2, 0.0, 0.0])
    assert output.alterations.tolist() == [Alteration.RANGE_LIMITED, 0, 0]
    assert output.requested[0] == 1.3
    assert "range limit: joint_0" in output.reason


def test_too_fast_is_limited_and_reported_and_gets_there(robot):
    robot.submit(0.12, 0.0, 0.0)
    output = robot.step()
    assert output.applied[0] == pytest.approx(STEP)
    assert output.alterations.tolist() == [Alteration.RATE_LIMITED, 0, 0]
    assert "rate limit: joint_0" in output.reason
    robot.step()
    output = robot.step()
    assert output.applied[0] == 0.12
    assert output.reason == ""
    assert robot.gate.counts.limited == 1, "one command, counted once"


def test_rate_counts_from_the_last_applied_not_the_measured(robot):
    robot.submit(0.19, 0.0, 0.0)
    stuck = [0.0, 0.0, 0.0]
    assert robot.step(measured=stuck).applied[0] == pytest.approx(STEP)
    assert robot.step(measured=stuck).applied[0] == pytest.approx(2 * STEP)


@pytest.mark.parametrize("dt_s", [10.0, math.inf, math.nan, -1.0, 0.0])
def test_a_late_or_absurd_cycle_allows_no_leap(robot, dt_s):
    robot.submit(0.19, 0.0, 0.0)
    output = robot.gate.step(HOME, robot.now_s, dt_s)
    assert 0.0 <= output.applied[0] <= 2 * STEP + 1e-12


def test_a_first_command_far_from_the_measured_state_is_rejected(robot):
    verdict = robot.submit(0.5, 0.0, 0.0)
    assert not verdict.accepted and "too far" in verdict.reason
    output = robot.step()
    assert output.state == GateState.READY
    np.testing.assert_array_equal(output.applied, HOME)
    assert robot.submit(0.15, 0.0, 0.0).accepted


def test_a_wild_first_command_is_not_saved_by_the_range_limit():
    robot = Robot([1.19, 0.0, 0.0])
    assert not robot.submit(50.0, 0.0, 0.0).accepted


def test_the_watchdog_holds_and_a_fresh_command_resumes(robot):
    robot.submit(0.19, 0.0, 0.0)
    moved = robot.step()
    robot.now_s += TIMEOUT_S
    held = robot.step()
    assert held.state == GateState.HOLDING and "watchdog" in held.reason
    np.testing.assert_array_equal(held.applied, moved.applied)
    assert (held.alterations == Alteration.HELD).all()
    assert robot.gate.counts.watchdog == 1
    robot.step()
    assert robot.gate.counts.watchdog == 1, "one trip, counted once"
    assert robot.submit(0.19, 0.0, 0.0).accepted
    assert robot.step().state == GateState.RUNNING


def test_rejected_commands_do_not_feed_the_watchdog(robot):
    robot.submit(0.01, 0.0, 0.0)
    for _ in range(10):
        robot.submit(math.nan, 0.0, 0.0)
        output = robot.step()
    assert output.state == GateState.HOLDING
    assert "not finite" in output.reason


def test_a_clock_that_goes_wrong_holds(robot):
    for now_s in (math.nan, -5.0):
        robot.submit(0.01, 0.0, 0.0)
        assert robot.gate.step(HOME, now_s, DT).state == GateState.HOLDING


def test_estop_latches_and_holds_where_the_robot_is(robot):
    robot.submit(0.19, 0.0, 0.0)
    robot.step()
    robot.gate.estop("a hand in the way")
    output = robot.step(measured=[0.03, 0.0, 0.0])
    assert output.state == GateState.ESTOP and "a hand in the way" in output.reason
    np.testing.assert_allclose(output.applied, [0.03, 0.0, 0.0])
    sagged = robot.step(measured=[0.01, 0.0, 0.0])
    np.testing.assert_array_equal(sagged.applied, output.applied, "it does not follow a load")
    assert not robot.submit(0.03, 0.0, 0.0).accepted
    assert robot.step().state == GateState.ESTOP


def test_estop_survives_deactivation_and_blocks_activation(robot):
    robot.gate.estop("")
    robot.gate.deactivate()
    assert robot.gate.state == GateState.ESTOP
    with pytest.raises(CommandRejectedError, match="estop_reset"):
        robot.gate.activate(HOME)
    assert robot.gate.reset().accepted
    robot.gate.activate(HOME)
    assert robot.gate.state == GateState.READY


def test_reset_forgets_old_commands_and_asks_for_a_near_one(robot):
    robot.submit(0.19, 0.0, 0.0)
    robot.step()
    robot.gate.estop("test")
    robot.step()
    assert robot.gate.reset().accepted
    output = robot.step()
    assert output.state == GateState.READY
    assert np.isnan(output.requested).all()
    np.testing.assert_allclose(output.applied[0], STEP)
    assert not robot.submit(0.9, 0.0, 0.0).accepted
    assert robot.submit(0.06, 0.0, 0.0).accepted
    assert not robot.gate.reset().accepted, "nothing is latched any more"


def test_a_command_right_after_the_reset_counts(robot):
    robot.step()
    robot.gate.estop("test")
    robot.gate.reset()
    assert robot.submit(0.04, 0.0, 0.0).accepted
    assert robot.step().applied[0] == 0.04


def test_a_fault_stays_until_activation(robot):
    robot.gate.fault("unplugged")
    robot.gate.fault("a later complaint")
    assert robot.gate.state == GateState.FAULT and "unplugged" in robot.gate.reason
    assert not robot.step().drives
    assert not robot.submit(0.0, 0.0, 0.0).accepted
    robot.gate.activate(HOME)
    assert robot.gate.state == GateState.READY


def test_a_measurement_that_is_not_finite_is_a_fault(robot):
    output = robot.step(measured=[0.0, math.nan, 0.0])
    assert output.state == GateState.FAULT and not output.drives


def test_inactive_drives_nothing(robot):
    robot.gate.deactivate()
    assert not robot.submit(0.0, 0.0, 0.0).accepted
    output = robot.gate.step(HOME, robot.now_s, DT)
    assert output.state == GateState.INACTIVE and not output.drives


def test_activation_a_little_outside_the_range_comes_in_slowly():
    robot = Robot([1.32, 0.0, 0.0])
    assert robot.step().applied[0] == 1.32  # nothing moves without a command
    robot.submit(1.3, 0.0, 0.0)
    assert robot.step().applied[0] == pytest.approx(1.32 - STEP)
    for _ in range(3):
        output = robot.step()
    assert output.applied[0] == 1.2


@pytest.mark.parametrize("start", [[1.5, 0.0, 0.0], [math.nan, 0.0, 0.0]])
def test_activation_far_outside_the_range_is_refused(start):
    with pytest.raises(CommandRejectedError, match="joint_0"):
        Robot(start)


def test_counts_start_anew_with_activation(robot):
    robot.submit(0.0, 0.0, 0.0)
    robot.submit(math.nan, 0.0, 0.0)
    robot.gate.activate(HOME)
    assert robot.gate.counts.accepted == robot.gate.counts.rejected == 0


BAD = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300])
WILD_COMMANDS = st.tuples(
    st.one_of(st.just(NAMES), st.lists(st.sampled_from([*NAMES, "elbow"]), max_size=4)),
    st.lists(st.one_of(st.floats(-2.0, 2.0), BAD), max_size=4),
)
OFFSETS = st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3)  # of a plausible command
DTS = st.one_of(st.just(DT), st.floats(0.0, 5.0), BAD)
EVENT = st.one_of(
    WILD_COMMANDS.map(lambda value: ("wild", value)),
    OFFSETS.map(lambda value: ("near", value)),
    DTS.map(lambda value: ("step", value)),
    DTS.map(lambda value: ("step", value)),
    st.sampled_from([("estop", None), ("reset", None), ("reset", None), ("reset", None)]),
)
SEEN = dict.fromkeys(("accepted", "limited", "rejected", "watchdog"), 0)


@pytest.mark.fuzz
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(EVENT, min_size=20, max_size=100),
    st.lists(st.floats(-1.2, 1.2), min_size=3, max_size=3),
)
def test_random_storms_never_leave_range_rate_or_the_real_numbers(events, start):
    """About nine thousand events; `test_the_storms_reached_every_branch` sees that they bite."""
    robot = Robot(start)
    for kind, value in events:
        if kind == "wild":
            names, values = value
            robot.gate.submit(names, values, robot.now_s)
        elif kind == "near":
            robot.submit(*(robot.measured + value))
        elif kind == "estop":
            robot.gate.estop("random")
        elif kind == "reset":
            robot.gate.reset()
        else:
            before = robot.measured
            robot.now_s += value if 0.0 <= value < 10.0 else 0.0
            output = robot.gate.step(before, robot.now_s, value)
            check_output(output, before)
            robot.measured = output.applied
    for name in SEEN:
        SEEN[name] += getattr(robot.gate.counts, name)


def check_output(output, before):
    assert np.isfinite(output.applied).all()
    assert (output.applied >= ROBOT.lower).all() and (output.applied <= ROBOT.upper).all()
    assert (np.abs(output.applied - before) <= 2 * STEP + 1e-9).all()
    differs = output.applied != output.requested
    assert (output.alterations[differs] > 0).all(), "every difference is reported"
    assert bool(output.reason) == bool(output.alterations.any())


@pytest.mark.fuzz
def test_the_storms_reached_every_branch():
    assert all(SEEN.values()), SEEN


def test_a_robot_with_one_channel_needs_no_other_code():
    config = ROBOT.model_dump()
    config["channels"] = config["channels"][:1]
    gate = SafetyGate(RobotConfig.model_validate(config), RATE_HZ, TIMEOUT_S)
    gate.activate(np.zeros(1))
    assert gate.submit(["joint_0"], [0.01], 0.0).accepted
    assert gate.step(np.zeros(1), 0.01, DT).applied.tolist() == [0.01]
