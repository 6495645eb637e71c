"""The cycle and its failures, with a robot that fails on demand."""

from pathlib import Path

import numpy as np
import pytest

from njf_control.control_loop import SILENCE_IS_FAULT_S, ControlLoop, RobotFaultError
from njf_control.drivers.base import NoAnswerError, Notice, RobotDriver, RobotState
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.robot import load_robot
from njf_control.safety import GateState, SafetyGate
from njf_perception.errors import CommandRejectedError, DeviceNotConnectedError

ROBOT = load_robot(Path(__file__).parents[3] / "config/robots/finger.yaml")


class ScriptedDriver(RobotDriver):
    """Remembers its calls; `fails` holds exceptions to raise by the name of the method."""

    notices: tuple[Notice, ...] = ()

    def __init__(self):
        self.calls: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.position = np.zeros(3)
        self.alarms: tuple[str, ...] = ()
        self.now_s = 0.0

    def _called(self, name):
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    @property
    def statistics(self):
        return {"calls": len(self.calls)}

    def connect(self):
        self._called("connect")

    def reopen(self):
        self._called("reopen")

    def activate(self):
        self._called("activate")
        return self.read()

    def read(self):
        self._called("read")
        return RobotState(self.position.copy(), np.zeros(3), self.now_s, alarms=self.alarms)

    def send(self, setpoints):
        self._called("send")
        self.position = setpoints.copy()
        return setpoints

    def deactivate(self):
        self._called("deactivate")

    def close(self):
        self.calls.append("close")


@pytest.fixture
def driver() -> ScriptedDriver:
    return ScriptedDriver()


@pytest.fixture
def loop(driver) -> ControlLoop:
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02, clock=lambda: 0.0)
    loop.connect()
    loop.activate()
    driver.calls.clear()
    return loop


def cycle_at(loop, driver, now_s):
    if "read" not in driver.fails:
        driver.now_s = now_s
    return loop.cycle(now_s)


def test_a_cycle_reads_gates_and_sends(loop, driver):
    loop.submit(ROBOT.channel_names, [0.01, 0.02, 0.03], 0.01)
    cycle = cycle_at(loop, driver, 0.02)
    assert driver.calls == ["read", "send"]
    np.testing.assert_allclose(cycle.applied, [0.01, 0.02, 0.03])


def test_a_writer_who_takes_over_begins_near_the_robot(loop, driver):
    names = ROBOT.channel_names
    assert loop.submit(names, [0.1, 0.0, 0.0], 0.01, "servo").accepted
    cycle_at(loop, driver, 0.02)
    verdict = loop.submit(names, [0.9, 0.0, 0.0], 0.5, "planner")
    assert not verdict.accepted and "too far" in verdict.reason
    assert loop.submit(names, [0.15, 0.0, 0.0], 0.5, "planner").accepted
    assert loop.submit(names, [0.9, 0.0, 0.0], 0.51, "planner").accepted, "not the first any more"


def test_the_next_cycle_may_come_early_but_not_at_once(loop, driver):
    cycle_at(loop, driver, 0.02)
    assert not loop.may_cycle_early(0.024)
    assert loop.may_cycle_early(0.026)
    loop.make_safe()
    assert not loop.may_cycle_early(1.0)


def test_cycles_that_come_early_are_no_faster(loop, driver):
    loop.submit(ROBOT.channel_names, [0.19, 0.0, 0.0], 0.0)
    for millisecond in range(1, 21):
        cycle = cycle_at(loop, driver, 0.001 * millisecond)
    assert cycle.applied[0] == pytest.approx(0.02 * ROBOT.max_rate[0])


@pytest.mark.parametrize("where", ["read", "send"])
def test_missed_answers_are_skipped_until_silence_is_a_fault(loop, driver, where):
    """Also of a device that can be read, but takes no set-points."""
    driver.fails[where] = NoAnswerError("motor id 2 is silent")
    assert cycle_at(loop, driver, 0.02) is None
    assert cycle_at(loop, driver, SILENCE_IS_FAULT_S - 0.01) is None
    with pytest.raises(RobotFaultError, match="motor id 2"):
        cycle_at(loop, driver, SILENCE_IS_FAULT_S + 0.01)
    assert loop.gate.state == GateState.FAULT


def test_the_time_that_the_device_kept_a_cycle_waiting_is_silence(driver):
    waiting = iter([0.0, 0.6, 0.6, 1.1])
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02, lambda: next(waiting))
    loop.activate()
    driver.fails["read"] = NoAnswerError("silent")
    assert loop.cycle(0.02) is None
    with pytest.raises(RobotFaultError, match="silent"):
        loop.cycle(0.62)


def test_what_was_not_confirmed_was_not_applied(loop, driver):
    step = 0.02 * ROBOT.max_rate[0]
    loop.submit(ROBOT.channel_names, [0.19, 0.0, 0.0], 0.0)
    first = cycle_at(loop, driver, 0.02)
    driver.fails["send"] = NoAnswerError("busy")
    for number in range(2, 5):
        assert cycle_at(loop, driver, 0.02 * number) is None
    driver.fails.clear()
    later = cycle_at(loop, driver, 0.10)
    assert first.applied[0] == pytest.approx(step)
    assert later.applied[0] == pytest.approx(2 * step), "one cycle after the last that arrived"


def test_an_emergency_stop_that_did_not_arrive_is_sent_again(loop, driver):
    driver.position[:] = 0.1  # somebody pushed it
    loop.gate.estop("test")
    driver.fails["send"] = NoAnswerError("busy")
    assert cycle_at(loop, driver, 0.02) is None
    driver.fails.clear()
    driver.position[:] = 0.12
    np.testing.assert_allclose(cycle_at(loop, driver, 0.04).applied, 0.12)


def test_an_answer_in_between_ends_the_silence(loop, driver):
    driver.fails["read"] = NoAnswerError("silent")
    assert cycle_at(loop, driver, 0.4) is None
    driver.fails.clear()
    assert cycle_at(loop, driver, 0.42) is not None
    driver.fails["read"] = NoAnswerError("silent")
    assert cycle_at(loop, driver, 0.8) is None


@pytest.mark.parametrize("where", ["read", "send"])
def test_a_lost_device_is_a_fault_at_once(loop, driver, where):
    driver.fails[where] = DeviceNotConnectedError("the port was lost")
    with pytest.raises(RobotFaultError, match="the port was lost"):
        cycle_at(loop, driver, 0.02)
    assert driver.calls[-2:] == ["deactivate", "close"]
    assert not loop.active
    assert loop.gate.state == GateState.FAULT and "port was lost" in loop.gate.reason


def test_a_fault_tells_also_what_the_safe_state_could_not_do(loop, driver):
    driver.fails["read"] = DeviceNotConnectedError("port lost.")
    driver.fails["deactivate"] = DeviceNotConnectedError("torque may still be ON.")
    with pytest.raises(RobotFaultError, match="port lost. torque may still be ON."):
        cycle_at(loop, driver, 0.02)


def test_an_alarm_is_a_fault(loop, driver):
    driver.alarms = ("joint_1 (motor id 2): overload",)
    with pytest.raises(RobotFaultError, match="overload"):
        cycle_at(loop, driver, 0.02)


def test_a_measurement_without_number_is_a_fault_and_sends_nothing(loop, driver):
    driver.position[1] = np.nan
    with pytest.raises(RobotFaultError, match="not finite"):
        cycle_at(loop, driver, 0.02)
    assert "send" not in driver.calls


def test_activation_recovers_from_a_fault(loop, driver):
    driver.fails["read"] = DeviceNotConnectedError("gone")
    with pytest.raises(RobotFaultError):
        cycle_at(loop, driver, 0.02)
    with pytest.raises(DeviceNotConnectedError):
        loop.activate()
    assert loop.gate.state == GateState.FAULT, "still"
    driver.fails.clear()
    loop.activate()
    assert loop.gate.state == GateState.READY
    assert cycle_at(loop, driver, 0.04) is not None


def test_a_failing_activation_reaches_the_safe_state(driver):
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02)
    driver.fails["activate"] = DeviceNotConnectedError("no torque")
    with pytest.raises(DeviceNotConnectedError, match="no torque"):
        loop.activate()
    assert driver.calls[-1] == "deactivate"
    assert not loop.active


def test_torque_stays_off_where_the_gate_refuses_the_start(driver):
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02)
    driver.position[0] = 2.0
    with pytest.raises(CommandRejectedError, match="outside its range"):
        loop.activate()
    assert "activate" not in driver.calls


def test_torque_that_nobody_confirmed_off_is_a_fault(loop, driver):
    driver.fails["deactivate"] = DeviceNotConnectedError("torque may still be ON")
    assert "still be ON" in loop.make_safe()
    assert loop.gate.state == GateState.FAULT and "still be ON" in loop.gate.reason


def test_a_safe_state_that_nobody_confirmed_is_tried_again_at_the_end(loop, driver):
    driver.fails["read"] = driver.fails["deactivate"] = DeviceNotConnectedError("unplugged")
    with pytest.raises(RobotFaultError):
        cycle_at(loop, driver, 0.02)
    assert loop.make_safe() == "", "nothing new"
    driver.fails.clear()  # plugged in again
    driver.calls.clear()
    assert loop.close() == ""
    assert driver.calls == ["reopen", "deactivate", "close"]
    assert loop.gate.state == GateState.INACTIVE
    driver.calls.clear()
    assert loop.close() == "" and driver.calls == ["close"]


def test_a_safe_state_that_is_not_confirmed_at_the_end_either_is_told(loop, driver):
    driver.fails["deactivate"] = DeviceNotConnectedError("torque may still be ON")
    assert "still be ON" in loop.make_safe()
    driver.fails["reopen"] = DeviceNotConnectedError("cannot open the port")
    assert loop.close() == "torque may still be ON It was tried again: cannot open the port"
    assert loop.gate.state == GateState.FAULT
    driver.fails.clear()
    assert loop.close() == "" and loop.gate.state == GateState.INACTIVE, "at last"


def test_a_mistake_in_a_drivers_way_to_the_safe_state_does_not_keep_from_another_try(loop, driver):
    driver.fails["deactivate"] = ZeroDivisionError("a mistake")
    with pytest.raises(ZeroDivisionError):
        loop.make_safe()
    driver.fails.clear()
    assert loop.close() == "" and "deactivate" in driver.calls


def test_what_is_true_until_the_robot_is_driven_is_told_until_then(driver):
    passing, lasting = Notice("torque", "is on already", passes=True), Notice("watchdog", "none")
    driver.notices = (passing, lasting)
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02)
    loop.connect()
    assert loop.notices == (passing, lasting)
    loop.activate()
    assert loop.notices == (lasting,)
    loop.make_safe()
    assert loop.notices == (lasting,)
    loop.connect()
    assert loop.notices == (passing, lasting)


def test_a_failed_activation_says_what_may_still_be_on(driver):
    loop = ControlLoop(driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02)
    loop.connect()
    driver.fails["activate"] = DeviceNotConnectedError("no answer.")
    driver.fails["deactivate"] = DeviceNotConnectedError("torque may still be ON")
    with pytest.raises(RobotFaultError, match="no answer. torque may still be ON"):
        loop.activate()
    assert loop.gate.state == GateState.FAULT


def test_the_watchdog_sees_the_time_that_a_slow_read_took(loop, driver):
    loop.submit(ROBOT.channel_names, [0.01, 0.0, 0.0], 0.0)
    driver.now_s = 0.5  # the read, asked for at 0.02 s, answers at 0.5 s
    cycle = loop.cycle(0.02)
    assert cycle is not None and cycle.output.state == GateState.HOLDING
    np.testing.assert_array_equal(cycle.applied, np.zeros(3))


def test_make_safe_happens_once(loop, driver):
    assert loop.make_safe() == "" and loop.make_safe() == ""
    assert driver.calls.count("deactivate") == 1
    assert loop.gate.state == GateState.INACTIVE


def test_dry_run_measures_but_never_moves(driver):
    loop = ControlLoop(DryRunDriver(driver), SafetyGate(ROBOT, 50.0, 0.1), 0.02)
    loop.connect()
    loop.activate()
    loop.submit(ROBOT.channel_names, [0.01, 0.0, 0.0], 0.01)
    cycle = loop.cycle(0.02)
    assert cycle is not None and cycle.applied[0] == 0.01
    assert loop.close() == ""
    assert set(driver.calls) == {"connect", "read", "close"}
