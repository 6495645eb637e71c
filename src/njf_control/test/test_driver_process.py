"""The driver node as a process of its own: what happens when a process around it, or it, dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from njf_msgs.msg import SafetyState

pytestmark = [pytest.mark.ros, pytest.mark.fault]
WRITER = """
import sys, rclpy
from njf_msgs.msg import Command
rclpy.init()
node = rclpy.create_node("writer", namespace=sys.argv[1])
pub = node.create_publisher(Command, "command", 1)
msg = Command(channel_names=["joint_0", "joint_1", "joint_2"], values=[1.2, -0.2, 0.3])
count = 0
def send():  # first where the robot stands, then to and fro without end
    global count
    count += pub.get_subscription_count() > 0
    msg.values[0] = 0.1 if count < 50 else 1.2 if count // 60 % 2 else -1.2
    pub.publish(msg)
node.create_timer(0.02, send)
rclpy.spin(node)
"""


@pytest.fixture
def node_process(bench, robot_file, namespace) -> Iterator[Callable[..., subprocess.Popen]]:
    """`node_process(parent=...)` starts the driver node as a process of its own."""
    module = [sys.executable, "-m", "njf_control.nodes.driver", "--ros-args", "-r"]
    parameters = {"robot_file": robot_file, "port": bench.port, "watchdog_timeout_s": 0.5}
    command = [*module, f"__ns:=/{namespace}"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    started: list[subprocess.Popen] = []

    def begin(through_a_parent: bool = False) -> subprocess.Popen:
        parent = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
        started.append(subprocess.Popen([*parent, *command] if through_a_parent else command))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_with_torque_off(node_process, probe, bench, number):
    process = node_process()
    assert probe.change("configure") and probe.change("activate")
    assert bench.torque_is_on
    process.send_signal(number)
    process.send_signal(number)  # launched processes get Ctrl-C twice
    assert process.wait(30.0) == 0
    assert bench.torque_is_off


def test_the_death_of_the_parent_ends_with_torque_off(node_process, probe, bench, wait_until):
    parent = node_process(through_a_parent=True)
    assert probe.change("configure") and probe.change("activate")
    assert bench.torque_is_on
    os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: bench.torque_is_off)
    wait_until(lambda: not probe.count_publishers("safety_state"), what="the node's end")


def test_the_robot_stops_when_the_writer_dies(node_process, probe, bench, namespace, wait_until):
    """kill -9 in mid-motion: no farewell message, only silence."""
    node_process()
    assert probe.change("configure") and probe.change("activate")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, namespace])
    try:
        wait_until(lambda: abs(bench.positions()[0] - 0.1) > 0.3, 60.0)
    finally:
        writer.kill()
        writer.wait()
    wait_until(lambda: probe.safety[-1].command_age_s > 0.5 and "watchdog" in probe.reason)
    assert probe.state == SafetyState.HOLDING
    held = np.array(probe.applied[-1].applied)
    assert probe.safety[-1].watchdog_count >= 1
    seen = len(probe.applied)
    wait_until(lambda: len(probe.applied) > seen + 20)
    np.testing.assert_allclose(bench.positions(), held, atol=0.003)
    assert bench.torque_is_on
    probe.setpoint = held.tolist()
    wait_until(lambda: probe.state == SafetyState.RUNNING)


def test_a_suspended_driver_makes_no_leap_and_tells_its_lateness(
    node_process, probe, bench, finger, wait_until
):
    """An overloaded computer: no cycle for 0.7 s in mid-motion, while commands go on coming."""
    process = node_process()
    assert probe.change("configure") and probe.change("activate")
    probe.setpoint = [0.1, -0.2, 0.3]
    wait_until(lambda: probe.state == SafetyState.RUNNING)
    probe.setpoint = [1.2, -0.2, 0.3]
    wait_until(lambda: bench.positions()[0] > 0.15)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.7)
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: abs(bench.positions()[0] - 1.2) < 0.006)
    steps = np.diff([msg.applied[0] for msg in probe.applied])
    leap = 2 * finger.max_rate[0] / finger.driver.rate_hz + 0.006  # as rounded to counts
    assert np.abs(steps).max() <= leap

    def late() -> bool:
        status = probe.statuses.get("driver: loop")
        values = {pair.key: pair.value for pair in status.values} if status else {}
        return int(values.get("missed_deadlines", 0)) >= 20

    wait_until(late)


def test_a_killed_driver_leaves_the_servos_holding_and_the_next_one_takes_over(
    node_process, probe, bench, wait_until
):
    """What no software mends: an XL-320 has no watchdog. It goes on holding its last goal."""
    process = node_process()
    assert probe.change("configure") and probe.change("activate")
    probe.setpoint = [0.2, -0.2, 0.3]
    wait_until(lambda: abs(bench.positions()[0] - 0.2) < 0.006)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    held = bench.positions()
    time.sleep(0.3)
    assert bench.torque_is_on and bench.positions() == held
    probe.setpoint = None
    node_process()
    wait_until(lambda: probe.lifecycle() == "unconfigured", 60.0)
    assert probe.change("configure")
    wait_until(lambda: "torque ON already" in probe.statuses["driver: joint_0 torque"].message)
    assert probe.statuses["driver: joint_0 torque"].level == DiagnosticStatus.WARN
    assert probe.change("activate")
    np.testing.assert_allclose(bench.positions(), held, atol=0.003)
    assert probe.change("deactivate")
    assert bench.torque_is_off
