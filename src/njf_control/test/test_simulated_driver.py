"""The driver of a simulated robot against the simulator's end of its socket."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.make import make_driver
from njf_control.drivers.simulated.driver import SimulatedDriver
from njf_control.drivers.simulated.protocol import Done, State, encode
from njf_perception.errors import CommandRejectedError, ConfigError, DeviceNotConnectedError

SOME = np.array([10e3, 20e3, 30e3, 40e3, 50e3])


@pytest.fixture
def driver(soft_bench) -> Iterator[SimulatedDriver]:
    driver = SimulatedDriver(soft_bench.robot, soft_bench.port)
    driver.connect()
    yield driver
    driver.close()


@pytest.fixture
def mute_simulator(tmp_path: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A socket that takes connections; what answers is up to the test."""
    path = tmp_path / "mute"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path, listener


def eventually(condition) -> bool:
    deadline = time.monotonic() + 10.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_set_points_go_out_and_measurements_come_back(driver, soft_bench):
    driver.activate()
    np.testing.assert_array_equal(driver.send(SOME), SOME)
    state = driver.read()
    np.testing.assert_array_equal(state.position, SOME)
    np.testing.assert_array_equal(state.velocity, np.zeros(5))
    assert soft_bench.pressures() == SOME.tolist()
    assert driver.statistics == {"requests": 4, "timeouts": 0}


def test_activation_holds_what_is_measured(driver, soft_bench):
    soft_bench.plant.set_goal(2, 7e3)
    np.testing.assert_array_equal(driver.activate().position, [0, 0, 7e3, 0, 0])
    assert soft_bench.pressures()[2] == 7e3


@pytest.mark.parametrize("leave", [SimulatedDriver.deactivate, SimulatedDriver.close])
def test_deactivation_and_the_end_of_the_connection_vent(driver, soft_bench, leave):
    driver.activate()
    driver.send(SOME)
    leave(driver)
    assert eventually(lambda: soft_bench.is_vented)


def test_it_connects_again_and_again(driver):
    for _ in range(20):
        driver.connect()
    assert driver.read().position.shape == (5,)


def test_a_second_driver_is_refused(driver, soft_bench):
    other = SimulatedDriver(soft_bench.robot, soft_bench.port)
    with pytest.raises(ConfigError, match="another driver is connected"):
        other.connect()
    driver.read()


def test_another_robot_is_refused(soft_bench):
    renamed = soft_bench.robot.model_copy(update={"name": "octopus"})
    with pytest.raises(ConfigError, match="driver is for 'octopus', simulated is 'pneumatic'"):
        SimulatedDriver(renamed, soft_bench.port).connect()
    fewer = soft_bench.robot.model_copy(update={"channels": soft_bench.robot.channels[:2]})
    with pytest.raises(ConfigError, match=r"channels \['p_thumb', 'p_index'\], simulated are"):
        SimulatedDriver(fewer, soft_bench.port).connect()


def test_without_a_simulator_it_says_what_to_do(soft_bench):
    driver = SimulatedDriver(soft_bench.robot, "/nowhere/robot")
    with pytest.raises(DeviceNotConnectedError, match="no simulator at /nowhere/robot.*Start it"):
        driver.connect()
    with pytest.raises(DeviceNotConnectedError, match="no connection"):
        driver.read()


def test_a_lost_simulator_is_told_and_a_new_one_is_found(driver, soft_bench):
    soft_bench.unplug()
    with pytest.raises(DeviceNotConnectedError, match=r"was lost: it ended\. Look at its log"):
        driver.read()
    with pytest.raises(DeviceNotConnectedError, match="safe state is not confirmed"):
        driver.deactivate()
    soft_bench.plug()
    driver.connect()
    driver.read()


def test_set_points_that_are_not_finite_never_leave(driver, soft_bench):
    driver.activate()
    with pytest.raises(ValueError, match="finite"):
        driver.send(SOME * np.nan)
    assert soft_bench.is_vented


def test_a_wrong_number_of_set_points_is_refused(driver):
    with pytest.raises(CommandRejectedError, match="3 set-points came, expected one for each of 5"):
        driver.send(SOME[:3])


def test_silence_is_no_answer_and_late_answers_are_passed_over(soft_bench, mute_simulator):
    path, listener = mute_simulator
    driver = SimulatedDriver(soft_bench.robot, str(path))
    driver._open()
    simulator, _ = listener.accept()
    with pytest.raises(NoAnswerError, match="did not answer within 0.5 s"):
        driver.read()
    late = State(number=1, position=[1.0] * 5, velocity=[0.0] * 5)
    due = State(number=2, position=[2.0] * 5, velocity=[0.0] * 5)
    simulator.sendall(encode(late) + encode(Done(number=1)) + encode(due))
    np.testing.assert_array_equal(driver.read().position, np.full(5, 2.0))
    assert driver.statistics["timeouts"] == 1
    driver.close()
    simulator.close()


def test_the_kind_of_driver_follows_from_the_robot(soft_bench):
    assert isinstance(make_driver(soft_bench.robot, soft_bench.port), SimulatedDriver)
    with pytest.raises(ConfigError, match="driver.kind simulated, so there is no hardware"):
        make_driver(soft_bench.robot)
