"""Ctrl-C reaches simulator and driver at once; the robot is there until its driver has left."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import rclpy

from njf_msgs.msg import SafetyState
from njf_perception.nodes.services import handshake

pytestmark = pytest.mark.ros

ROBOT_FILE = Path(__file__).parents[3] / "config" / "robots" / "finger.yaml"


@pytest.mark.parametrize("leaves", [True, False])
def test_the_robot_outlives_its_driver_but_not_for_long(
    tmp_path: Path,
    ros_context: None,
    start_process: Callable,
    wait_until: Callable[..., None],
    leaves: bool,
) -> None:
    driver = rclpy.create_node("stands_for_the_driver")
    publisher = driver.create_publisher(SafetyState, "safety_state", 1)
    link = tmp_path / "port"
    values = ["-p", f"robot_file:={ROBOT_FILE}", "-p", f"port_link:={link}"]
    simulator = start_process("njf_sim.nodes.simulator", "--ros-args", *values)
    wait_until(link.is_symlink, what="the simulator")
    wait = lambda seconds: rclpy.spin_once(driver, timeout_sec=seconds)  # noqa: E731
    handshake(driver, "simulator", wait, 60.0)
    time.sleep(1.0)  # it has heard of the clients made after the publisher, and so of that as well
    begin_s = time.monotonic()
    simulator.send_signal(signal.SIGINT)
    time.sleep(0.8)
    assert simulator.poll() is None, "its driver still talks"
    if leaves:
        driver.destroy_publisher(publisher)
    assert simulator.wait(20.0) == 0
    assert leaves or time.monotonic() - begin_s > 1.9
    driver.destroy_node()
