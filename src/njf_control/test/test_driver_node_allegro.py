"""The driver node with the Allegro hand: whatever breaks, the hand ends without torque."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter

from njf_control.nodes.driver import DriverNode
from njf_msgs.msg import SafetyState
from njf_perception.nodes.conversions import stamp_to_ns

pytestmark = [pytest.mark.ros, pytest.mark.fault]
START = np.full(16, 0.1)
GOAL = np.linspace(0.0, 0.14, 16)


@pytest.fixture
def active(hand_bench, hand_probe, spin, namespace):
    """A probe beside an active driver."""
    values = {"robot_file": str(hand_bench.robot_file), "port": hand_bench.port}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    overrides.append(Parameter("watchdog_timeout_s", value=0.5))
    spin(DriverNode(namespace=namespace, parameter_overrides=overrides))
    assert hand_probe.change("configure") and hand_probe.change("activate")
    assert hand_bench.hand.servo_on
    return hand_probe


def faulted(probe, wait_until) -> str:
    """Wait for the fault and the fall back to inactive; the reason, as on the diagnostics."""
    wait_until(lambda: probe.state == SafetyState.FAULT, 60.0)
    wait_until(lambda: probe.lifecycle() == "inactive", 60.0)
    reason = probe.safety[-1].reason
    wait_until(lambda: "driver: command" in probe.statuses)
    wait_until(lambda: probe.statuses["driver: command"].message == reason)
    assert probe.statuses["driver: command"].level == DiagnosticStatus.ERROR
    return reason


def test_commands_go_through_and_deactivation_switches_off(active, hand_bench, wait_until):
    active.setpoint = GOAL.tolist()
    wait_until(lambda: np.allclose(hand_bench.positions(), GOAL, atol=0.003), 120.0)
    assert active.state == SafetyState.RUNNING
    assert not active.joints[-1].effort, "a duty cycle is no torque in Nm"
    assert active.change("deactivate")
    assert hand_bench.is_limp


def test_a_first_command_far_away_is_rejected(active, hand_bench, wait_until):
    active.setpoint = (START + 1.0).tolist()
    wait_until(lambda: "first command too far" in active.reason)
    np.testing.assert_allclose(hand_bench.positions(), START, atol=0.01)


def test_a_hot_hand_is_switched_off(active, hand_bench, wait_until):
    hand_bench.hand.faults.over_temperature = True
    assert "too hot (85 degC)" in faulted(active, wait_until)
    wait_until(lambda: hand_bench.is_limp)
    assert len(active.errors) == 1, "one clear error, no flood"
    assert not active.change("activate"), "still hot"
    hand_bench.hand.faults.over_temperature = False
    assert active.change("activate")


def test_a_silent_hand_has_no_torque_at_once_and_is_a_fault_a_second_later(
    active, hand_bench, wait_until
):
    active.setpoint = GOAL.tolist()
    hand_bench.hand.faults.stuck.add(0)  # so that there is a torque to lose
    wait_until(lambda: abs(hand_bench.hand.torque[0]) > 50, 120.0)
    hand_bench.hand.faults.silent = True
    silent_ns = active.get_clock().now().nanoseconds
    wait_until(lambda: not hand_bench.hand.torque.any())
    reason = faulted(active, wait_until)
    assert "reported no complete set of positions" in reason
    assert "Check its power" in reason and "activate again" in reason
    wait_until(lambda: hand_bench.is_limp)
    fault = next(msg for msg in active.safety if msg.state == SafetyState.FAULT)
    assert stamp_to_ns(fault.header.stamp) - silent_ns > 0.7e9  # the last report was before that


@pytest.mark.parametrize("fault", ["half_cycle", "wrong_length"])
def test_reports_that_cannot_be_used_are_a_fault(active, hand_bench, wait_until, fault):
    setattr(hand_bench.hand.faults, fault, True)
    assert "reported no complete set of positions" in faulted(active, wait_until)
    wait_until(lambda: hand_bench.is_limp)


def test_a_brown_out_is_a_fault_and_activation_recovers(active, hand_bench, wait_until):
    hand_bench.hand.brown_out()
    faulted(active, wait_until)
    assert hand_bench.is_limp
    assert active.change("activate")
    assert hand_bench.hand.servo_on


def test_servos_that_went_off_by_themselves_are_a_fault(active, hand_bench, wait_until):
    hand_bench.hand.servo_on = False
    assert "switched its servos off by itself" in faulted(active, wait_until)
    wait_until(lambda: hand_bench.is_limp)


def test_bus_off_is_a_fault_that_says_what_to_do(active, hand_bench, wait_until):
    """Nothing can be sent any more: the hand keeps its torque, and somebody has to be told."""
    hand_bench.hand.faults.bus_off = True
    reason = faulted(active, wait_until)
    assert "BUS-OFF" in reason and "may still be ON" in reason and "Cut the hand's power" in reason
    hand_bench.hand.faults.bus_off = False
    assert active.change("activate")
    assert active.change("deactivate")
    assert hand_bench.is_limp


def test_servos_are_off_once_the_bus_is_back_after_bus_off(active, hand_bench, wait_until):
    """Nobody has to activate for that; the interface comes back by itself with restart-ms."""
    hand = hand_bench.hand
    hand.faults.bus_off = True
    wait_until(lambda: hand._bus_off_told)
    time.sleep(0.15)
    hand.faults.bus_off = False
    reason = faulted(active, wait_until)
    assert hand_bench.is_limp
    assert "BUS-OFF" in reason and "may still be ON" not in reason


def test_an_unplugged_adapter_is_a_fault_and_plugging_in_recovers(active, hand_bench, wait_until):
    hand_bench.unplug()
    assert "failed" in faulted(active, wait_until)
    assert not active.change("activate"), "still gone"
    hand_bench.plug()
    assert active.change("activate")
    assert hand_bench.hand.servo_on


def test_frames_of_another_hand_are_told_and_do_no_harm(active, hand_bench, wait_until):
    def told(text: str) -> bool:
        bus = active.statuses.get("driver: bus")
        return bus is not None and text in bus.message

    wait_until(lambda: told("the device answers"), 60.0)
    hand_bench.hand.faults.other_device = True
    wait_until(lambda: told("foreign_frames"), 60.0)
    assert active.state == SafetyState.READY
    np.testing.assert_allclose(hand_bench.positions(), START, atol=0.01)


def test_a_stuck_joint_gets_no_more_than_its_largest_torque(active, hand_bench, wait_until):
    hand_bench.hand.faults.stuck.add(4)
    active.setpoint = START.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = (START + np.eye(16)[4] * 0.15).tolist()  # mfj0
    wait_until(lambda: hand_bench.hand.torque[4] > 200, 120.0)
    wait_until(lambda: hand_bench.hand.torque[4] >= 375, 120.0)
    assert hand_bench.hand.torque[4] == 375
    assert active.state == SafetyState.RUNNING


@pytest.fixture
def node_process(hand_bench, namespace) -> Iterator[Callable[..., subprocess.Popen]]:
    """`node_process()` starts the driver node as a process of its own."""
    command = [sys.executable, "-m", "njf_control.nodes.driver", "--ros-args"]
    command += ["-r", f"__ns:=/{namespace}", "-p", f"robot_file:={hand_bench.robot_file}"]
    command += ["-p", f"port:={hand_bench.port}"]
    started: list[subprocess.Popen] = []

    def begin() -> subprocess.Popen:
        started.append(subprocess.Popen(command))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_with_the_servos_off(node_process, hand_probe, hand_bench, number):
    process = node_process()
    assert hand_probe.change("configure") and hand_probe.change("activate")
    assert hand_bench.hand.servo_on
    process.send_signal(number)
    assert process.wait(60.0) == 0
    assert hand_bench.is_limp


def test_a_killed_driver_leaves_the_last_torque(node_process, hand_probe, hand_bench, wait_until):
    """What no software mends: the hand has no watchdog. The next start switches it off first."""
    process = node_process()
    assert hand_probe.change("configure") and hand_probe.change("activate")
    hand_bench.hand.faults.stuck.add(4)
    hand_probe.setpoint = (START + np.eye(16)[4] * 0.15).tolist()
    wait_until(lambda: hand_bench.hand.torque[4] > 250, 120.0)  # all of it: no passing peak
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert hand_bench.hand.servo_on and hand_bench.hand.torque[4] > 50
    hand_probe.setpoint = None
    node_process()
    assert hand_probe.change("configure")
    assert not hand_bench.hand.servo_on
