"""The real-time plant: wall clock, goals and limp joints."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from njf_control.robot import RobotConfig
from njf_sim.plant import Plant, SimulatedPlant
from njf_sim.robot_model import RobotModel

IDS = (11, 12, 13)


@pytest.fixture
def plant(finger: RobotConfig) -> Iterator[SimulatedPlant]:
    model = RobotModel.from_robot(finger)
    model.set_position([0.3, -0.2, 0.1])
    plant = SimulatedPlant(model, IDS)
    yield plant
    plant.close()


def test_it_is_a_plant(plant: SimulatedPlant) -> None:
    assert isinstance(plant, Plant)


def test_before_the_start_time_stands_still(plant: SimulatedPlant) -> None:
    plant.set_goal(11, 1.0)
    time.sleep(0.05)
    np.testing.assert_array_equal(plant.snapshot().configuration, [0.3, -0.2, 0.1])


def test_limp_joints_stay_and_pulled_joints_go(plant: SimulatedPlant, wait_until) -> None:
    plant.set_goal(12, 0.5)
    plant.start()
    wait_until(lambda: abs(plant.position(12) - 0.5) < 1e-3)
    wait_until(lambda: abs(plant.speed(12)) < 1e-3)
    # The neighbours feel the reaction, and their gears damp it.
    np.testing.assert_allclose(plant.snapshot().configuration, [0.3, 0.5, 0.1], atol=0.1)
    plant.set_goal(12, None)
    released = plant.position(12)
    time.sleep(0.1)
    assert plant.position(12) == pytest.approx(released, abs=1e-3)


def test_simulated_time_is_wall_time(finger: RobotConfig, wait_until) -> None:
    model = RobotModel.from_robot(finger)
    plant = SimulatedPlant(model, IDS)
    begin_s = time.monotonic()
    plant.start()
    time.sleep(0.3)
    plant.snapshot()
    early_s, late_s = model.time_s, time.monotonic() - begin_s
    plant.close()
    assert early_s + plant.lost_s <= late_s + model.timestep_s
    assert early_s + plant.lost_s >= 0.3 - 0.1


def test_a_snapshot_is_consistent(plant: SimulatedPlant, finger: RobotConfig) -> None:
    model = RobotModel.from_robot(finger)
    plant.set_goal(11, -1.0)
    plant.start()
    time.sleep(0.05)
    snapshot = plant.snapshot()
    model.set_configuration(snapshot.configuration)
    np.testing.assert_allclose(snapshot.tips, model.tips, atol=1e-9)


def test_closing_an_unstarted_or_closed_plant_is_harmless(plant: SimulatedPlant) -> None:
    plant.close()
    plant.close()
