"""The driver node through a real graph, with fake servos behind it."""

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter

from njf_control.nodes.driver import DriverNode
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_perception.nodes.conversions import stamp_to_ns

pytestmark = pytest.mark.ros
NAMES = ["joint_0", "joint_1", "joint_2"]
START = np.array([0.1, -0.2, 0.3])


def readiness(probe) -> str:
    """What the driver says of itself as a whole."""
    status = probe.statuses.get("driver")
    return status.message if status else ""


@pytest.fixture
def start(bench, probe, spin, robot_file, namespace):
    """`start(port=..., dry_run=...)` spins a driver node on the bench; returns the probe."""

    def begin(watchdog_timeout_s: float = 0.5, **parameters):
        values = {"robot_file": str(robot_file), "port": bench.port, **parameters}
        values["watchdog_timeout_s"] = watchdog_timeout_s
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = DriverNode(namespace=namespace, parameter_overrides=overrides)
        spin(node)
        return probe

    return begin


@pytest.fixture
def active(start, bench):
    """A probe beside an active driver."""
    probe = start()
    assert probe.change("configure") and probe.change("activate")
    assert bench.torque_is_on
    return probe


def test_activation_holds_where_the_robot_stands(active, bench, wait_until):
    wait_until(lambda: active.state == SafetyState.READY and active.joints)
    np.testing.assert_allclose(active.joints[-1].position, START, atol=0.006)
    np.testing.assert_allclose(bench.positions(), START, atol=0.006)
    assert active.applied[-1].reason
    assert all(bits == CommandApplied.HELD for bits in active.applied[-1].alterations)
    assert np.isnan(active.applied[-1].requested).all()


def test_commands_move_the_robot_and_carry_the_image_stamp(active, bench, wait_until):
    goal = START + [0.15, -0.1, 0.05]
    active.setpoint = goal.tolist()
    wait_until(lambda: np.allclose(bench.positions(), goal, atol=0.006))
    active.image_stamp = Time(sec=12, nanosec=34)
    wait_until(lambda: active.applied[-1].image_stamp == active.image_stamp)
    assert active.state == SafetyState.RUNNING
    wait_until(lambda: active.safety[-1].accepted_count > 1 and active.safety[-1].reason == "")
    assert active.applied[-1].channel_names == NAMES


def test_deactivation_reactivation_and_cleanup(active, bench, wait_until):
    assert active.change("deactivate")
    assert bench.torque_is_off
    wait_until(lambda: active.state == SafetyState.INACTIVE)
    assert active.change("activate")
    assert bench.torque_is_on
    assert active.change("deactivate") and active.change("cleanup")
    assert bench.torque_is_off
    assert active.change("configure") and active.change("activate")
    assert active.change("shutdown")
    assert bench.torque_is_off


@pytest.mark.fault
def test_a_wrong_port_is_told_and_nothing_starts(start, wait_until):
    probe = start(port="/dev/no_such_port")
    assert not probe.change("configure")
    assert probe.lifecycle() == "unconfigured"
    wait_until(lambda: any("does not exist" in text for text in probe.errors))
    wait_until(lambda: "exist" in readiness(probe))
    assert probe.statuses["driver"].level == DiagnosticStatus.ERROR


def test_a_missing_robot_file_is_told(start, wait_until):
    probe = start(robot_file="")
    assert not probe.change("configure")
    wait_until(lambda: any("robot_file" in text for text in probe.errors))
    wait_until(lambda: "robot_file" in readiness(probe))


@pytest.mark.fault
def test_an_estop_before_configuration_is_latched(start, wait_until):
    probe = start()
    assert probe.call("estop", reason="early").success
    assert probe.change("configure")
    assert not probe.change("activate")
    wait_until(lambda: "early" in readiness(probe))
    assert probe.call("estop_reset").success
    assert probe.change("activate")
    wait_until(lambda: readiness(probe) == "configured")


def test_an_impossible_transition_is_refused_and_survived(start):
    probe = start()
    activate = Transition(id=Transition.TRANSITION_ACTIVATE)
    assert not probe.call("driver/change_state", transition=activate).success
    assert probe.lifecycle() == "unconfigured"


def test_dry_run_publishes_but_never_moves(start, bench, wait_until):
    probe = start(dry_run=True)
    assert probe.change("configure") and probe.change("activate")
    goal = START + 0.1
    probe.setpoint = goal.tolist()
    wait_until(lambda: probe.applied and np.allclose(probe.applied[-1].applied, goal))
    assert bench.torque_is_off
    np.testing.assert_allclose(bench.positions(), START)


def test_diagnostics_tell_health_and_rival_writers(active, wait_until):
    wait_until(lambda: len(active.statuses) >= 5)
    assert active.statuses["driver: joint_0"].level == DiagnosticStatus.OK
    values = {pair.key: pair.value for pair in active.statuses["driver: joint_0"].values}
    assert values["voltage_v"] == "7.4" and values["temperature_c"] == "35"
    assert active.statuses["driver: command"].level == DiagnosticStatus.OK
    rival = active.create_publisher(Command, "command", 1)
    wait_until(lambda: active.statuses["driver: command"].level == DiagnosticStatus.WARN)
    assert "2 nodes write commands" in active.statuses["driver: command"].message
    active.destroy_publisher(rival)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("values", "names", "text"),
    [
        ([0.1, math.nan, 0.3], NAMES, "not finite"),
        ([0.1, math.inf, 0.3], NAMES, "not finite"),
        ([0.1, -0.2, 0.3], ["joint_0", "joint_1", "elbow"], "elbow"),
        ([0.1, -0.2], NAMES, "2 values"),
        ([0.1, -0.2, 0.9], NAMES, "too far"),
    ],
)
def test_a_bad_command_is_rejected_and_reported(active, bench, wait_until, values, names, text):
    active.send(values, names)
    wait_until(lambda: text in active.reason)
    assert all(bits & CommandApplied.REJECTED for bits in active.applied[-1].alterations)
    wait_until(lambda: active.safety[-1].rejected_count == 1)
    assert active.state == SafetyState.READY and text in active.safety[-1].reason
    np.testing.assert_allclose(bench.positions(), START, atol=0.006)


@pytest.mark.fault
def test_out_of_range_and_too_fast_are_limited_and_reported(active, bench, finger, wait_until):
    active.setpoint = START.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = [9.0, -9.0, 0.3]
    wait_until(lambda: np.allclose(bench.positions()[:2], [1.2, -1.2], atol=0.006))
    wait_until(lambda: active.reason == "range limit: joint_0, joint_1")
    assert active.applied[-1].requested[0] == 9.0
    assert active.applied[-1].alterations[0] == CommandApplied.RANGE_LIMITED
    assert any("rate limit: joint_0" in msg.reason for msg in active.applied)
    applied = np.array([msg.applied for msg in active.applied])
    assert (applied <= finger.upper).all() and (applied >= finger.lower).all()
    times_s = np.array([stamp_to_ns(msg.header.stamp) * 1e-9 for msg in active.applied])
    gone, there = np.argmax(applied[:, 0] > 0.15), np.argmax(applied[:, 0] > 1.15)
    assert times_s[there] - times_s[gone] > 0.3, "1 rad at 2.5 rad/s takes 0.4 s"
    wait_until(lambda: active.safety[-1].limited_count > 0)


@pytest.mark.fault
def test_estop_latches_until_reset(active, bench, wait_until):
    active.setpoint = START.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = (START + 0.8).tolist()
    wait_until(lambda: bench.positions()[0] > START[0] + 0.1)
    assert active.call("estop", reason="hand in the way").success
    wait_until(lambda: active.state == SafetyState.ESTOP)
    assert "hand in the way" in active.safety[-1].reason
    stopped_ns = stamp_to_ns(active.safety[-1].header.stamp)
    wait_until(lambda: stamp_to_ns(active.applied[-1].header.stamp) > stopped_ns)
    held = active.applied[-1].applied
    active.setpoint = (START - 0.8).tolist()
    seen = len(active.applied)
    wait_until(lambda: len(active.applied) > seen + 20)
    np.testing.assert_array_equal(active.applied[-1].applied, held)
    np.testing.assert_allclose(bench.positions(), held, atol=0.003)
    wait_until(lambda: active.safety[-1].rejected_count > 0)
    assert bench.torque_is_on, "it holds; a limp arm would fall"
    assert active.change("deactivate")
    assert not active.change("activate"), "latched over deactivation"
    active.setpoint = None
    assert active.call("estop_reset").success
    assert not active.call("estop_reset").success
    assert active.change("activate")
    active.setpoint = bench.positions()
    wait_until(lambda: active.state == SafetyState.RUNNING)


@pytest.mark.fault
def test_unplugging_gives_one_error_and_a_fault_and_activation_recovers(active, bench, wait_until):
    active.setpoint = START.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    bench.unplug()
    wait_until(lambda: active.state == SafetyState.FAULT)
    assert "was lost" in active.safety[-1].reason
    wait_until(lambda: active.errors)
    wait_until(lambda: active.lifecycle() == "inactive")
    silent_since = len(active.safety)
    wait_until(lambda: len(active.safety) > silent_since + 10)
    assert len(active.errors) == 1, "one clear error, no flood"
    assert "was lost" in active.errors[0] and "torque may still be ON" in active.errors[0]
    assert active.state == SafetyState.FAULT, "until somebody activates"
    assert not active.change("activate"), "still unplugged"
    bench.plug()
    assert active.change("activate")
    wait_until(lambda: active.state == SafetyState.RUNNING)
    assert bench.torque_is_on


@pytest.mark.fault
def test_torque_that_a_lost_adapter_left_on_goes_off_when_it_is_back(active, bench, wait_until):
    bench.unplug()
    wait_until(lambda: active.lifecycle() == "inactive")
    assert active.state == SafetyState.FAULT and bench.torque_is_on
    bench.plug()
    assert active.change("cleanup")
    assert bench.torque_is_off


@pytest.mark.fault
def test_a_servo_that_falls_silent_is_a_fault_and_the_others_let_go(active, bench, wait_until):
    bench.servos[1].faults.mute = True
    wait_until(lambda: active.state == SafetyState.FAULT)
    assert "no complete answer" in active.safety[-1].reason
    assert bench.torque_is_off


@pytest.mark.fault
def test_an_overheated_servo_is_a_fault(active, bench, wait_until):
    bench.servos[2].faults.overheat = True
    wait_until(lambda: active.state == SafetyState.FAULT)
    assert "overheating" in active.safety[-1].reason
    assert bench.torque_is_off


@pytest.mark.fault
def test_a_clock_that_stands_still_stops_no_watchdog(start, bench, wait_until):
    """Simulated time without a /clock: what a system clock that is set back amounts to."""
    probe = start(use_sim_time=True)
    assert probe.change("configure") and probe.change("activate")
    probe.setpoint = START.tolist()
    wait_until(lambda: probe.state == SafetyState.RUNNING)
    probe.setpoint = (START + 0.9).tolist()
    wait_until(lambda: bench.positions()[0] > START[0] + 0.1)
    probe.setpoint = None
    wait_until(lambda: probe.state == SafetyState.HOLDING)
    assert "watchdog" in probe.safety[-1].reason
    assert stamp_to_ns(probe.safety[-1].header.stamp) == 0, "that clock did stand still"
    wait_until(lambda: "driver: command" in probe.statuses)


@pytest.mark.fault
def test_a_flood_of_commands_leaves_the_emergency_stop_heard(active, bench, finger, wait_until):
    """A writer without a pause: the newest command counts, the rate limit is one of time."""
    goal = START + [0.9, 0.0, 0.0]
    active.setpoint = START.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = None
    seen = len(active.applied)
    active.create_timer(0.0005, lambda: active.send(goal))
    wait_until(lambda: bench.positions()[0] > START[0] + 0.2)
    assert active.call("estop", reason="too many").success
    wait_until(lambda: active.state == SafetyState.ESTOP)
    applied = np.array([msg.applied[0] for msg in active.applied[seen:]])
    times_s = np.array([stamp_to_ns(msg.header.stamp) * 1e-9 for msg in active.applied[seen:]])
    speed = (applied[-1] - applied[0]) / (times_s[-1] - times_s[0])
    assert 0.0 < speed <= 1.1 * finger.max_rate[0]
