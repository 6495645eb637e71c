"""The driver node with Poppy's XL-320: what the X series does not have."""

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.fault]


@pytest.fixture
def bench(poppy):
    return poppy


def test_a_servo_in_wheel_mode_is_refused(rig, bench):
    bench.set(4, "control_mode", 1)
    reason = rig.refuses_to_begin()
    assert "m5 (motor id 5) is in control mode 1, expected 2 (joint)" in reason
    assert "register 11 while torque is off" in reason


def test_a_servo_that_may_not_go_where_its_channel_does_is_refused(rig, bench):
    bench.set(0, "ccw_angle_limit", 600)
    assert "m1 (motor id 1) allows counts 0..600" in rig.refuses_to_begin()


def test_that_there_is_no_bus_watchdog_is_told(rig, bench):
    assert rig.probe.change("configure")
    rig.told("driver: bus watchdog", "xl320 has none: when this program is killed, torque stays on")
