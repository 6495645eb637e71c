"""The driver node with XL-320, X series and AX-12: faults that all of them can have."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from njf_control.control_loop import SILENCE_IS_FAULT_S
from njf_msgs.msg import SafetyState

pytestmark = [pytest.mark.ros, pytest.mark.fault]
ATTEMPTS_S = 5 * 0.1  # of one request to a servo that does not answer


@pytest.fixture(params=["poppy", "hsa", "ax12"])
def bench(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("fault", "value"),
    [("mute", True), ("truncate", True), ("corrupt_crc", True), ("answers_as", 77)],
)
def test_a_motor_that_cannot_be_understood_holds_and_then_all_let_go(rig, bench, fault, value):
    """No goal is sent without a measurement, so nothing moves until the silence is a fault."""
    rig.begin()
    since_s = time.monotonic()
    setattr(bench.servos[1].faults, fault, value)
    rig.probe.setpoint = (bench.start + 0.1).tolist()
    reason = rig.faulted()
    assert "no complete answer" in reason and f"motor id(s) {bench.servos[1].motor_id} " in reason
    rig.limp_in_time(since_s, SILENCE_IS_FAULT_S + 3 * ATTEMPTS_S)
    np.testing.assert_allclose(bench.positions(), bench.start, atol=0.03)
    setattr(bench.servos[1].faults, fault, None if value == 77 else False)
    rig.probe.setpoint = bench.start.tolist()
    assert rig.probe.change("activate"), "it may be told to go on once the cause is gone"


@pytest.mark.parametrize("fault", ["overheat", "low_voltage"])
def test_a_motors_own_alarm_switches_all_off(rig, bench, fault):
    rig.begin()
    since_s = time.monotonic()
    setattr(bench.servos[2].faults, fault, True)
    alarm = {"overheat": "overheating", "low_voltage": "input voltage"}[fault]
    assert f"{bench.servos[2].motor_id}): {alarm}" in rig.faulted()
    rig.limp_in_time(since_s)
    channel = bench.robot.channel_names[2]
    assert rig.probe.statuses[f"driver: {channel}"].level == DiagnosticStatus.ERROR
    assert not rig.probe.change("activate"), "the alarm stays until the power was off"
    setattr(bench.servos[2].faults, fault, False)
    bench.servos[2].reboot()
    assert rig.probe.change("activate")


def test_a_stuck_motor_is_overloaded_and_all_let_go(rig, bench, wait_until):
    rig.begin()
    bench.servos[0].faults.stuck = True
    rig.probe.setpoint = (bench.start + 0.4 * np.eye(len(bench.start))[0]).tolist()
    wait_until(lambda: bench.servos[0].hardware_error)
    since_s = time.monotonic()
    assert "overload" in rig.faulted()
    rig.limp_in_time(since_s)
    assert bench.positions()[0] == pytest.approx(bench.start[0], abs=1e-3)


def test_a_brown_out_of_one_motor_is_a_fault_of_all(rig, bench):
    """The motor is limp, and forgot what activation told it; it must not be driven on."""
    rig.begin()
    since_s = time.monotonic()
    bench.servos[1].reboot()
    reason = rig.faulted()
    assert f"(motor id {bench.servos[1].motor_id}) switched its torque off by itself" in reason
    rig.limp_in_time(since_s)
    assert rig.probe.change("activate")
    assert bench.torque_is_on and all(bench.registers(bench.servos[0].table.roles.speed_limit))


def test_an_unplugged_bus_is_a_fault_that_says_that_torque_may_be_on(rig, bench):
    rig.begin()
    since_s = time.monotonic()
    bench.unplug()
    reason = rig.faulted()
    fault = next(msg for msg in rig.probe.safety if msg.state == SafetyState.FAULT)
    assert "was lost" in reason and "may still be ON" in reason
    assert fault.header.stamp.sec and time.monotonic() - since_s < 10.0
    assert not rig.probe.change("activate"), "still unplugged"
    bench.plug()
    assert rig.probe.change("activate")


def test_another_model_is_refused(rig, bench):
    bench.set(1, "model_number", 29)
    assert "is model number 29, expected" in rig.refuses_to_begin()


def test_a_motor_at_another_speed_is_found_and_the_command_told(rig, bench):
    bench.set(1, "baud_rate", 34 if bench.robot.driver.model == "ax12" else 1)
    reason = rig.refuses_to_begin()
    assert f"answers at 57600 bit/s, not at {bench.robot.driver.baud}" in reason
    assert f"--motor-id {bench.servos[1].motor_id} --new-baud {bench.robot.driver.baud}" in reason


def test_a_slow_bus_slows_the_loop_down_but_commands_and_stop_are_heard(rig, bench, wait_until):
    """A cycle takes three periods, and nobody else must starve behind it."""
    rig.begin()
    bench.bus.answer_delay_s = 0.06
    rig.told("driver: loop", "Hz instead of 50 Hz")
    goal = bench.start + 0.1
    rig.probe.setpoint = goal.tolist()
    wait_until(lambda: np.allclose(bench.positions(), goal, atol=0.01))
    assert rig.probe.state == SafetyState.RUNNING
    assert rig.probe.call("estop", reason="too slow for me").success
    wait_until(lambda: rig.probe.state == SafetyState.ESTOP)


def test_answers_later_than_the_driver_waits_are_told(rig, bench):
    rig.begin()
    bench.bus.answer_delay_s = 0.15
    rig.told("driver: bus", "retries")
    assert rig.probe.change("deactivate")
    assert bench.is_limp
