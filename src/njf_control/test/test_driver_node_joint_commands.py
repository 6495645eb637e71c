"""Commands as JointState, over DDS: the same gate, and one writer at a time."""

import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter

from njf_control.nodes.driver import DriverNode
from njf_msgs.msg import CommandApplied, SafetyState

pytestmark = pytest.mark.ros
NAMES = ["joint_0", "joint_1", "joint_2"]
START = np.array([0.1, -0.2, 0.3])


@pytest.fixture
def start(bench, probe, spin, robot_file, namespace):
    """`start(joint_commands=...)` spins an active driver node on the bench; returns the probe."""

    def begin(joint_commands: bool = True):
        values = {"robot_file": str(robot_file), "port": bench.port, "watchdog_timeout_s": 0.5}
        values["joint_commands"] = joint_commands
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        spin(DriverNode(namespace=namespace, parameter_overrides=overrides))
        assert probe.change("configure") and probe.change("activate")
        return probe

    return begin


@pytest.fixture
def stream(start):
    """`stream(names, positions)` writes joint commands from now on, `stream()` stops."""
    probe = start()
    asked: list[tuple] = []
    probe.create_timer(0.03, lambda: probe.send_joints(*asked[0]) if asked else None)
    return lambda *command: asked.__setitem__(slice(None), [command] if command else [])


def test_joint_commands_move_the_robot_whatever_their_order(stream, probe, bench, wait_until):
    goal = START + [0.15, -0.1, 0.05]
    stream(NAMES[::-1], goal[::-1].tolist())
    wait_until(lambda: np.allclose(bench.positions(), goal, atol=0.006))
    wait_until(lambda: np.allclose(probe.joints[-1].position, goal, atol=0.006))
    assert probe.state == SafetyState.RUNNING


def test_without_the_parameter_nobody_listens(start, bench):
    probe = start(joint_commands=False)
    assert probe.count_subscribers("joint_commands") == 0
    np.testing.assert_allclose(bench.positions(), START, atol=0.006)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("names", "positions", "text"),
    [
        (NAMES, [0.1, math.nan, 0.3], "not finite"),
        (NAMES, [], "0 values"),
        (NAMES[:2], [0.1, -0.2], "2 values"),
        (["joint_0", "joint_1", "gripper"], [0.1, -0.2, 0.3], "gripper"),
        (NAMES, [0.1, -0.2, 0.9], "too far"),
    ],
)
def test_a_bad_joint_command_is_rejected_and_reported(
    start, bench, wait_until, names, positions, text
):
    probe = start()
    wait_until(lambda: probe.count_subscribers("joint_commands"))
    probe.send_joints(names, positions)
    wait_until(lambda: text in probe.reason)
    assert all(bits & CommandApplied.REJECTED for bits in probe.applied[-1].alterations)
    assert probe.state == SafetyState.READY
    np.testing.assert_allclose(bench.positions(), START, atol=0.006)


@pytest.mark.fault
def test_a_second_writer_is_rejected_and_told_until_the_first_is_silent(
    stream, probe, bench, wait_until
):
    probe.setpoint = START.tolist()
    wait_until(lambda: probe.state == SafetyState.RUNNING)
    stream(NAMES, (START + 0.15).tolist())
    wait_until(lambda: probe.safety[-1].rejected_count > 10)

    def told() -> str:
        status = probe.statuses.get("driver: command")
        return status.message if status and status.level == DiagnosticStatus.WARN else ""

    wait_until(lambda: "commands of a second writer were rejected, 'probe' on command" in told())
    np.testing.assert_allclose(bench.positions(), START, atol=0.006)
    assert not any(bits & CommandApplied.REJECTED for bits in probe.applied[-1].alterations)
    probe.setpoint = None
    wait_until(lambda: np.allclose(bench.positions(), START + 0.15, atol=0.006))
    probe.setpoint = START.tolist()
    rejected = probe.safety[-1].rejected_count
    wait_until(lambda: probe.safety[-1].rejected_count > rejected + 10)
    np.testing.assert_allclose(bench.positions(), START + 0.15, atol=0.006)


@pytest.mark.fault
def test_a_writer_who_takes_over_from_far_away_is_rejected(stream, probe, bench, wait_until):
    """As ros2_control's topic-based hardware interface: zeros until a controller is active."""
    probe.setpoint = (START + 0.15).tolist()
    wait_until(lambda: np.allclose(bench.positions(), START + 0.15, atol=0.006))
    probe.setpoint = None
    wait_until(lambda: probe.state == SafetyState.HOLDING)
    stream(NAMES, [0.0, 0.0, 0.0])
    wait_until(lambda: "first command too far from the measured state" in probe.reason)
    np.testing.assert_allclose(bench.positions(), START + 0.15, atol=0.006)
    assert probe.state == SafetyState.HOLDING
