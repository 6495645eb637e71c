"""The driver with the X series and the AX-12: units, mounting, limits and safe state."""

import math

import numpy as np
import pytest

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.make import make_driver
from njf_perception.errors import ConfigError, DeviceNotConnectedError

COUNT_RAD = {"hsa": 2.0 * math.pi / 4096, "ax12": math.radians(300.0) / 1023}
VOLTS = {"hsa": 12.0, "ax12": 11.1}


@pytest.fixture(params=["hsa", "ax12"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def bench(kind, request: pytest.FixtureRequest):
    return request.getfixturevalue(kind)


@pytest.fixture
def driver(bench):
    driver = make_driver(bench.robot, bench.port)
    driver.connect()
    yield driver
    driver.close()


def test_activation_holds_and_a_set_point_moves(driver, bench, kind, wait_until):
    state = driver.activate()
    assert bench.torque_is_on
    np.testing.assert_allclose(state.position, bench.start, atol=0.51 * COUNT_RAD[kind])
    np.testing.assert_allclose(state.health["voltage_v"], VOLTS[kind])
    np.testing.assert_allclose(state.health["temperature_c"], 35.0)
    np.testing.assert_allclose(state.health["load"], 0.0, atol=0.02)
    asked = bench.start + 0.2345
    applied = driver.send(asked)
    np.testing.assert_allclose(applied, asked, atol=0.51 * COUNT_RAD[kind])
    wait_until(lambda: np.allclose(bench.positions(), applied))
    np.testing.assert_allclose(driver.read().position, applied, atol=1e-9)
    driver.deactivate()
    assert bench.is_limp


def test_a_blocked_motor_shows_its_load_and_where_it_is_measured_its_current(
    driver, bench, kind, wait_until
):
    driver.activate()
    bench.servos[0].faults.stuck = True
    driver.send(bench.start + 0.2)

    def only_the_first_pushes() -> bool:
        load = driver.read().health["load"]
        return load[0] > 0.5 and abs(load[1]) < 0.1

    wait_until(only_the_first_pushes)
    health = driver.read().health
    assert ("current_a" in health) == (kind == "hsa")
    if kind == "hsa":
        np.testing.assert_allclose(health["current_a"], health["load"] * 1193 * 2.69e-3, atol=0.005)


def test_a_cycle_is_one_request_and_one_command_where_the_protocol_allows_it(driver, bench, kind):
    driver.activate()
    before = driver.statistics["requests"]
    driver.send(driver.read().position)
    requests = driver.statistics["requests"] - before
    assert requests == {"hsa": 2, "ax12": 1 + len(bench.servos)}[kind]


def test_an_alarm_is_named_and_keeps_torque_off(driver, bench, wait_until):
    bench.servos[1].faults.overheat = True
    wait_until(lambda: bench.servos[1].hardware_error)
    with pytest.raises(DeviceNotConnectedError, match="overheating"):
        driver.activate()
    assert bench.is_limp


def test_a_silent_motor_is_named_and_the_others_let_go(driver, bench):
    driver.activate()
    bench.servos[1].faults.mute = True
    with pytest.raises(NoAnswerError, match=rf"motor id\(s\) {bench.servos[1].motor_id} "):
        driver.read()
    with pytest.raises(DeviceNotConnectedError, match=bench.robot.channel_names[1]):
        driver.deactivate()
    assert bench.is_limp


def test_the_effort_limit_is_a_share_of_what_the_motor_allows(make_bench, kind):
    name, keys = {"hsa": ("hsa", {}), "ax12": ("finger", {"model": "ax12"})}[kind]
    bench = make_bench(name, driver={**keys, "effort_limit": 0.5})
    largest = {"hsa": 885, "ax12": 1023}[kind]
    register = bench.servos[0].table.roles.effort_limit
    with make_driver(bench.robot, bench.port) as driver:
        driver.activate()
        assert set(bench.registers(register)) == {round(0.5 * largest)}


class TestMounting:
    """A motor that turns against its channel and stands a turn and a half from its centre."""

    @pytest.fixture
    def bench(self, make_bench):
        return make_bench("hsa", channels={"th0": {"motor_direction": -1, "motor_zero_rad": 9.0}})

    def test_a_channel_is_turned_about_and_shifted(self, bench, wait_until):
        with make_driver(bench.robot, bench.port) as driver:
            state = driver.activate()
            np.testing.assert_allclose(state.position, bench.start, atol=1e-3)
            count = bench.registers("present_position")[0]
            assert count == 2048 + round((9.0 - bench.start[0]) * 4096 / (2.0 * math.pi))
            applied = driver.send(bench.start + 0.3)
            wait_until(lambda: np.allclose(bench.positions(), applied))
            assert bench.registers("goal_position")[0] < count

    def test_rounding_never_leaves_the_range(self, bench):
        upper = bench.robot.channels[0].upper
        with make_driver(bench.robot, bench.port) as driver:
            for end in (upper, -upper):
                applied = driver.send(np.array([end, 0.0, 0.0, 0.0]))
                assert upper - COUNT_RAD["hsa"] < abs(applied[0]) <= upper

    def test_turns_that_power_loss_forgot_are_found(self, bench):
        driver = make_driver(bench.robot, bench.port)
        driver.connect()
        bench.servos[0].reboot()
        with pytest.raises(ConfigError, match="about 1 turn off"):
            driver.connect()


@pytest.mark.parametrize("kind", ["ax12"])
def test_an_ax12_in_wheel_mode_is_refused(bench):
    bench.set(0, "ccw_angle_limit", 0)
    with pytest.raises(ConfigError, match=r"0\.\.0, but its channel's range needs 278\.\.746"):
        make_driver(bench.robot, bench.port).connect()


@pytest.mark.parametrize("kind", ["ax12"])
def test_an_ax12_at_another_speed_is_found(bench):
    bench.set(2, "baud_rate", 34)
    with pytest.raises(DeviceNotConnectedError, match=r"57600.*--protocol 1 --baud 57600"):
        make_driver(bench.robot, bench.port).connect()


@pytest.mark.parametrize("kind", ["ax12"])
def test_an_ax12_that_only_answers_reads_is_told_to_answer_all(driver, bench):
    driver.close()
    bench.set(0, "status_return_level", 1)
    driver.connect()
    assert bench.registers("status_return_level") == [2, 2, 2]
    assert any("joint_0 status return level" in notice.name for notice in driver.notices)
