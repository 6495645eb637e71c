"""The driver node with the platform's X series: modes, turns, and motors that watch the bus."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from njf_msgs.msg import SafetyState

pytestmark = [pytest.mark.ros, pytest.mark.fault]
TRIPPED = [-1] * 4


@pytest.fixture
def bench(hsa):
    return hsa


@pytest.fixture
def impatient(make_bench):
    """The platform with a bus watchdog of half a second."""
    return make_bench("hsa", driver={"bus_watchdog_s": 0.5})


def test_commands_move_the_motors_and_deactivation_disarms(rig, bench, wait_until):
    rig.begin()
    assert bench.registers("bus_watchdog") == [100] * 4, "2 s in units of 20 ms"
    goal = bench.start + [0.3, -0.3, 0.2, 0.1]
    rig.probe.setpoint = goal.tolist()
    wait_until(lambda: np.allclose(bench.positions(), goal, atol=0.01))
    assert rig.probe.change("deactivate")
    assert bench.is_limp and bench.registers("bus_watchdog") == [0] * 4


def test_a_limp_motor_in_another_mode_is_set_and_told(rig, bench):
    bench.set(2, "operating_mode", 3)
    assert rig.probe.change("configure")
    rig.told("driver: th2 operating mode", "now 4 (extended position)")
    assert bench.registers("operating_mode") == [4] * 4 and bench.is_limp


def test_a_motor_in_another_mode_with_torque_on_is_refused(rig, bench, wait_until):
    bench.set(2, "operating_mode", 1)
    bench.set(2, "torque_enable", 1)
    assert not rig.probe.change("configure")
    wait_until(lambda: rig.probe.errors)
    assert "th2 (motor id 23) is in operating mode 1" in rig.probe.errors[-1]
    assert "switch its power off and on" in rig.probe.errors[-1]


def test_a_motor_that_keeps_its_mode_is_refused(rig, bench):
    bench.set(0, "operating_mode", 1)
    bench.servos[0].faults.forgetful = True
    assert "does not take that" in rig.refuses_to_begin()


def test_a_motor_a_turn_away_is_refused_until_it_was_turned_back(rig, bench):
    bench.start[3] = bench.plant.positions[24] = 6.2
    reason = rig.refuses_to_begin()
    assert "th3 (motor id 24) stands at 6.20 rad, outside its turn limits -1.4..1.4" in reason
    assert "about 1 turn off" in reason and "turn it back by hand" in reason
    bench.plant.positions[24] = 0.2
    assert rig.probe.change("configure")


def test_a_motor_driven_beyond_its_turn_limit_is_a_fault(rig, bench):
    rig.begin()
    since_s = time.monotonic()
    bench.servos[0]._shaft_rad = bench.servos[0]._joint_rad = 9.0
    assert "th0 (motor id 21) stands at" in rig.faulted()
    rig.limp_in_time(since_s)


@pytest.mark.parametrize("alarm", ["encoder", "electrical shock"])
def test_alarms_that_only_the_x_series_has(rig, bench, alarm):
    rig.begin()
    since_s = time.monotonic()
    bench.servos[3].faults.alarms.add(alarm)
    assert f"th3 (motor id 24): {alarm}" in rig.faulted()
    rig.limp_in_time(since_s)


class TestBusWatchdog:
    """Half a second of silence, and the motors stop."""

    @pytest.fixture
    def bench(self, impatient):
        return impatient

    def test_motors_stop_by_themselves_when_the_driver_stands_still(self, rig, bench, wait_until):
        rig.begin()
        assert rig.node._loop is not None
        with rig.node._loop._lock:  # as if the operating system gave it no time
            wait_until(lambda: bench.registers("bus_watchdog") == TRIPPED)
        reason = rig.faulted()
        assert "th0 (motor id 21) was stopped by its bus watchdog" in reason
        assert "it heard nothing for 0.5 s" in reason
        wait_until(lambda: bench.is_limp)
        assert bench.registers("bus_watchdog") == [0] * 4, "cleared"
        assert rig.probe.change("activate")
        assert bench.registers("bus_watchdog") == [25] * 4, "armed again"

    def test_motors_stop_by_themselves_when_the_cable_is_out(self, rig, bench, wait_until):
        rig.begin()
        bench.unplug()  # the driver cannot tell them anything any more
        heard_s = time.monotonic()
        goals = bench.registers("goal_position")
        for ms in range(0, 700, 10):  # the servos' own time goes on
            for servo in bench.servos:
                servo.update(heard_s + 1e-3 * ms)
            if bench.registers("bus_watchdog") == TRIPPED:
                break
        silent_s = heard_s + 1e-3 * ms - bench.servos[0]._heard_s
        assert 0.5 < silent_s <= 0.52
        stopped = bench.positions()
        for servo, goal in zip(bench.servos, goals, strict=True):
            servo.write(116, servo.table["goal_position"].encode(goal + 500))
            servo.update(heard_s + 2.0)
        np.testing.assert_array_equal(bench.positions(), stopped)
        assert "may still be ON" in rig.faulted()

    def test_a_killed_driver_leaves_motors_that_stop_and_the_next_start_tells(
        self, bench, rig, wait_until
    ):
        process = subprocess.Popen([sys.executable, "-c", DRIVE, str(bench.robot_file), bench.port])
        try:
            wait_until(lambda: bench.torque_is_on, 60.0)
            wait_until(lambda: bench.registers("bus_watchdog") == [25] * 4)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        wait_until(lambda: bench.registers("bus_watchdog") == TRIPPED)
        assert bench.torque_is_on, "they hold; a limp arm would fall"
        assert rig.probe.change("configure")
        rig.told("driver: th1 bus watchdog", "had stopped by its bus watchdog")
        assert rig.probe.change("activate")
        rig.probe.setpoint = bench.positions().tolist()
        wait_until(lambda: rig.probe.state == SafetyState.RUNNING)
        assert bench.registers("bus_watchdog") == [25] * 4


DRIVE = """
import sys, time
from njf_control.drivers.make import make_driver
from njf_control.robot import load_robot
driver = make_driver(load_robot(sys.argv[1]), sys.argv[2])
driver.connect()
driver.activate()
while True:
    driver.read()
    time.sleep(0.02)
"""
