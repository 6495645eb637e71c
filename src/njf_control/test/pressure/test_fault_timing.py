"""How soon a fault is answered: counted in cycles, so that a busy computer changes nothing."""

import time

import numpy as np
import pytest

from njf_control.control_loop import ControlLoop, RobotFaultError
from njf_control.drivers.make import make_driver
from njf_control.safety import GateState, SafetyGate

pytestmark = pytest.mark.fault
PERIOD_S = 0.02


@pytest.fixture
def loop(bench):
    """A loop that drives the bench at 30 kPa."""
    gate = SafetyGate(bench.robot, 1.0 / PERIOD_S, 0.5)
    robot = bench.changed(reply_timeout_s=2.0)  # a computer that stands still is no fault here
    loop = ControlLoop(make_driver(robot, bench.port), gate, PERIOD_S)
    loop.activate()
    names, goal = bench.robot.channel_names, np.zeros(5)
    while bench.pressure_pa.min() < 28e3:
        goal = np.minimum(goal + 2e3, 30e3)
        loop.submit(names, goal.tolist(), time.monotonic())
        assert loop.cycle(time.monotonic()) is not None
    yield loop
    loop.close()


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
def test_the_first_cycle_after_a_dropped_slot_vents(loop, bench):
    bench.device.faults.dropped.add(1)
    with pytest.raises(RobotFaultError, match="slot 1"):
        loop.cycle(time.monotonic())
    assert loop.gate.state == GateState.FAULT and bench.is_vented


def test_the_first_cycle_after_a_lost_device_is_a_fault(loop, bench):
    bench.unplug()
    with pytest.raises(RobotFaultError, match="was lost"):
        loop.cycle(time.monotonic())
    assert loop.gate.state == GateState.FAULT and not loop.active


def test_an_overpressure_vents_in_the_same_cycle(loop, bench):
    bench.device._chambers.pressure_pa[3] = 150e3
    bench.device._chambers.stuck.add(3)
    with pytest.raises(RobotFaultError, match="p_ring measures 150.0 kPa, more than"):
        loop.cycle(time.monotonic())
    assert bench.pressure_pa[[0, 1, 2, 4]].max() < 2000.0
