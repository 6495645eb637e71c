"""The driver node as a process of its own: what happens when a process around it, or it, dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

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
