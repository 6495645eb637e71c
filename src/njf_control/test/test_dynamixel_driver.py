"""The driver of a whole robot against fake servos: its order of steps, units and safe state."""

import numpy as np
import pytest
import serial

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.driver import DynamixelDriver
from njf_control.drivers.dynamixel.units import TEN_BIT
from njf_control.drivers.make import make_driver
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError


@pytest.fixture
def driver(bench, finger):
    driver = make_driver(finger, bench.port)
    yield driver
    driver.close()


def changed(robot: RobotConfig, **channel: object) -> RobotConfig:
    """The robot with other values in its first channel."""
    config = robot.model_dump()
    config["channels"][0].update(channel)
    return RobotConfig.model_validate(config)


def test_connecting_moves_nothing(driver, bench):
    driver.connect()
    assert bench.torque_is_off
    np.testing.assert_allclose(bench.positions(), [0.1, -0.2, 0.3])


def test_read_is_in_si_units_and_channel_order(driver):
    driver.connect()
    state = driver.read()
    np.testing.assert_allclose(state.position, [0.1, -0.2, 0.3], atol=0.6 * TEN_BIT.rad_per_count)
    np.testing.assert_allclose(state.health["voltage_v"], 7.4)
    np.testing.assert_allclose(state.health["temperature_c"], 35.0)
    assert state.alarms == ()


def test_activation_holds_the_measured_state(driver, bench):
    for servo in bench.servos:
        servo.write(30, (900).to_bytes(2, "little"))  # a goal somebody left there
    driver.connect()
    state = driver.activate()
    assert bench.torque_is_on
    np.testing.assert_allclose(state.position, [0.1, -0.2, 0.3], atol=0.6 * TEN_BIT.rad_per_count)
    assert bench.registers("goal_position") == bench.registers("present_position")
    np.testing.assert_allclose(bench.positions(), state.position, atol=1e-9)


def test_activation_sets_a_speed_limit_and_restores_the_torque_limit(driver, bench):
    bench.servos[0].write(35, bytes(2))  # what an overload shutdown leaves behind
    driver.connect()
    driver.activate()
    assert bench.registers("torque_limit") == [1023] * 3
    assert bench.registers("moving_speed") == [430] * 3, "twice 2.5 rad/s in 0.111 rpm"


def test_send_moves_and_returns_what_was_sent(driver, bench, wait_until):
    driver.connect()
    driver.activate()
    asked = np.array([0.2, -0.1, 0.3333])
    applied = driver.send(asked)
    np.testing.assert_allclose(applied, asked, atol=0.501 * TEN_BIT.rad_per_count)
    wait_until(lambda: np.allclose(bench.positions(), applied))


def test_rounding_never_leaves_the_range(bench, finger):
    """1.2 rad is 234.45 counts; a range that ends at 234.6 counts must not round up to 235."""
    upper = 234.6 * TEN_BIT.rad_per_count
    driver = make_driver(changed(finger, upper=upper, lower=-upper), bench.port)
    driver.connect()
    for end in (upper, -upper):
        assert abs(driver.send(np.array([end, 0.0, 0.0]))[0]) == TEN_BIT.raw_to_position(512 + 234)
    driver.close()


def test_a_set_point_that_is_not_finite_never_reaches_the_bus(driver, bench):
    driver.connect()
    driver.activate()
    before = bench.registers("goal_position")
    with pytest.raises(ValueError, match="not finite"):
        driver.send(np.array([0.0, np.nan, 0.0]))
    assert driver.read() and bench.registers("goal_position") == before


def test_deactivation_switches_every_torque_off(driver, bench):
    driver.connect()
    driver.activate()
    driver.deactivate()
    assert bench.torque_is_off


def test_a_silent_servo_does_not_keep_the_others_in_torque(driver, bench):
    driver.connect()
    driver.activate()
    bench.servos[0].faults.mute = True
    with pytest.raises(DeviceNotConnectedError, match="joint_0"):
        driver.deactivate()
    assert bench.torque_is_off, "the silent one heard the broadcast, too"


def test_a_robot_that_is_not_all_there_any_more_lets_go_all_the_same(driver, bench):
    driver.connect()
    driver.activate()
    driver.close()  # as where the adapter was lost
    bench.servos[0].faults.mute = True
    driver.reopen()
    with pytest.raises(DeviceNotConnectedError, match="may still be ON at joint_0:"):
        driver.deactivate()
    assert bench.torque_is_off, "it hears, though it does not answer"


def test_speeds_that_the_adapter_refuses_do_not_hide_who_is_silent(driver, bench, monkeypatch):
    original = serial.Serial.baudrate

    def refuse(port, baud):
        if baud != 1_000_000:
            raise ValueError("Failed to set custom baud rate")
        original.__set__(port, baud)

    bench.servos[1].faults.mute = True
    monkeypatch.setattr(serial.Serial, "baudrate", property(original.fget, refuse))
    with pytest.raises(DeviceNotConnectedError, match="joint_1 .* does not answer"):
        driver.connect()


def test_leaving_the_context_is_safe_also_after_an_exception(bench, finger):
    with pytest.raises(RuntimeError, match="mistake"), make_driver(finger, bench.port) as driver:
        driver.activate()
        assert bench.torque_is_on
        raise RuntimeError("a mistake in somebody's script")
    assert bench.torque_is_off


def test_a_missing_servo_lists_who_answers(bench, finger):
    driver = make_driver(changed(finger, motor_id=7), bench.port)
    with pytest.raises(DeviceNotConnectedError, match=r"id 7\).*that answer: 1, 2, 3"):
        driver.connect()


def test_a_servo_that_misses_its_ping_is_found_by_the_scan(driver, monkeypatch):
    def deaf(motor_id):
        raise NoAnswerError(f"motor id {motor_id} was not awake yet")

    monkeypatch.setattr(driver._bus, "ping", deaf)
    driver.connect()
    assert driver.read().position.shape == (3,)


def test_a_wrong_model_is_refused(driver, bench):
    bench.servos[1]._set("model_number", 1060)
    with pytest.raises(ConfigError, match=r"joint_1.*1060, expected 350"):
        driver.connect()


def test_wheel_mode_is_refused(driver, bench):
    bench.servos[2].write(11, bytes([1]))
    with pytest.raises(ConfigError, match="joint_2.*control mode 1"):
        driver.connect()


def test_a_servo_with_too_narrow_limits_is_refused(driver, bench):
    bench.servos[0].write(8, (600).to_bytes(2, "little"))
    with pytest.raises(ConfigError, match=r"0\.\.600.*278\.\.746"):
        driver.connect()


def test_an_alarm_keeps_torque_off_and_is_named(driver, bench, wait_until):
    driver.connect()
    bench.servos[1].faults.overheat = True
    wait_until(lambda: bench.servos[1].get("hardware_error_status"))
    with pytest.raises(DeviceNotConnectedError, match="joint_1 .*overheating"):
        driver.activate()
    assert bench.torque_is_off


def test_connect_works_again_after_unplugging(driver, bench):
    driver.connect()
    bench.unplug()
    with pytest.raises(DeviceNotConnectedError, match="was lost"):
        driver.read()
    bench.plug()
    driver.connect()
    assert driver.read().position.shape == (3,)


def test_statistics_are_the_buss(driver):
    driver.connect()
    assert driver.statistics["requests"] > 0 and driver.statistics["timeouts"] == 0


@pytest.mark.parametrize(
    ("channel", "text"),
    [({"unit": "Pa"}, "unit: rad"), ({"upper": 2.7}, "beyond the servo's")],
)
def test_what_a_servo_cannot_do_is_refused(finger, channel, text):
    with pytest.raises(ConfigError, match=text):
        DynamixelDriver(changed(finger, **channel), DynamixelBus("/dev/null", 1_000_000))


def test_make_driver_knows_dry_run_and_the_configured_port(finger):
    assert isinstance(make_driver(finger, "/dev/null", dry_run=True), DryRunDriver)
    with pytest.raises(DeviceNotConnectedError, match=finger.driver.port):
        make_driver(finger).connect()
