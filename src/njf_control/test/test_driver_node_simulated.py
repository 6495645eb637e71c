"""The driver node with a robot that only the simulator has: same gate, same watchdog."""

import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import FluidPressure

from njf_control.nodes.driver import DriverNode
from njf_control.nodes.driver_pressures import topic_name
from njf_msgs.msg import SafetyState

pytestmark = pytest.mark.ros
GOAL = [6e3, 5e3, 4e3, 3e3, 2e3]


@pytest.fixture
def active(soft_bench, soft_probe, spin, namespace, tmp_path):
    """A probe beside an active driver of a pneumatic hand that moves slowly."""
    text = soft_bench.robot_file.read_text()
    slow = tmp_path / "slow.yaml"
    slow.write_text(text.replace("max_rate: 150000.0", "max_rate: 40000.0"))
    values = {"robot_file": str(slow), "port": soft_bench.port}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    overrides.append(Parameter("watchdog_timeout_s", value=0.5))
    spin(DriverNode(namespace=namespace, parameter_overrides=overrides))
    assert soft_probe.change("configure") and soft_probe.change("activate")
    return soft_probe


def test_commands_go_through_and_deactivation_vents(active, soft_bench, wait_until):
    active.setpoint = GOAL
    wait_until(lambda: np.allclose(soft_bench.pressures(), GOAL))
    assert active.state == SafetyState.RUNNING
    wait_until(lambda: active.joints and np.allclose(active.joints[-1].position, GOAL))
    assert active.change("deactivate")
    assert soft_bench.is_vented


@pytest.mark.fault
def test_a_first_command_far_away_is_rejected(active, soft_bench, wait_until):
    active.setpoint = [90e3] * 5
    wait_until(lambda: "first command too far" in active.reason)
    assert soft_bench.is_vented


@pytest.mark.fault
def test_the_watchdog_holds_the_pressures(active, soft_bench, wait_until):
    active.setpoint = GOAL
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = [90e3] * 5
    wait_until(lambda: soft_bench.pressures()[0] > 8e3)
    active.setpoint = None
    for _ in range(5):  # a command that was on its way may still come on a busy computer
        held, seen = soft_bench.pressures(), len(active.applied)
        wait_until(lambda seen=seen: len(active.applied) > seen + 40)
        if soft_bench.pressures() == held:
            break
    assert soft_bench.pressures() == held
    assert 8e3 < held[0] < 90e3
    assert active.state == SafetyState.HOLDING and "watchdog" in active.safety[-1].reason


@pytest.mark.fault
def test_a_killed_simulator_is_one_clear_fault_and_activation_recovers(
    active, soft_bench, wait_until
):
    active.setpoint = GOAL
    wait_until(lambda: active.state == SafetyState.RUNNING)
    soft_bench.unplug()
    wait_until(lambda: active.state == SafetyState.FAULT)
    assert "was lost: it ended" in active.safety[-1].reason
    assert soft_bench.is_vented
    wait_until(lambda: active.errors and active.lifecycle() == "inactive")
    assert len(active.errors) == 1, "one clear error, no flood"
    assert not active.change("activate"), "still gone"
    soft_bench.plug()
    assert active.change("activate")
    wait_until(lambda: active.state == SafetyState.RUNNING)


@pytest.mark.fault
def test_a_killed_driver_leaves_nothing_under_pressure(
    soft_bench, soft_probe, namespace, wait_until
):
    """kill -9: nobody can deactivate any more, so the simulated device does it."""
    parameters = {"robot_file": soft_bench.robot_file, "port": soft_bench.port}
    command = [sys.executable, "-m", "njf_control.nodes.driver", "--ros-args"]
    command += ["-r", f"__ns:=/{namespace}"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    process = subprocess.Popen(command)
    try:
        assert soft_probe.change("configure") and soft_probe.change("activate")
        soft_probe.setpoint = GOAL
        wait_until(lambda: np.allclose(soft_bench.pressures(), GOAL))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: soft_bench.is_vented)


def test_every_chamber_has_a_topic_of_its_absolute_pressure(active, soft_bench, wait_until):
    heard: dict[str, FluidPressure] = {}
    for name in soft_bench.robot.channel_names:
        active.create_subscription(
            FluidPressure, f"pressure/{name}", partial(heard.__setitem__, name), 10
        )
    active.setpoint = GOAL

    def all_told() -> bool:
        told = [msg.fluid_pressure for _, msg in sorted(heard.items())]
        return len(told) == 5 and np.allclose(sorted(told), 101_325.0 + np.sort(GOAL))

    wait_until(all_told)
    assert heard["p_index"].fluid_pressure == 106_325.0, "5 kPa above the room's, as commanded"
    assert heard["p_index"].header.frame_id == "p_index" and heard["p_index"].variance == 0.0
    assert active.change("deactivate") and active.change("cleanup")
    wait_until(lambda: not active.count_publishers("pressure/p_index"))


def test_a_channels_topic_has_a_name_that_ros_takes():
    assert topic_name("p_thumb") == "pressure/p_thumb"
    assert topic_name("finger 1.left") == "pressure/finger_1_left"
