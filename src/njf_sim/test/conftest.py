"""Fixtures of the simulation's tests."""

from pathlib import Path

import pytest

from njf_control.robot import RobotConfig, load_robot
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel


@pytest.fixture(scope="session")
def robot_file() -> Path:
    """The shipped finger's configuration file."""
    return Path(__file__).parents[3] / "config" / "robots" / "finger.yaml"


@pytest.fixture(scope="session")
def finger(robot_file: Path) -> RobotConfig:
    """The shipped finger."""
    return load_robot(robot_file)


@pytest.fixture
def model(finger: RobotConfig) -> RobotModel:
    """A fresh finger at rest."""
    return RobotModel.from_robot(finger)


@pytest.fixture(scope="session")
def renderer(finger: RobotConfig) -> Renderer:
    """One renderer for all tests; each test poses it."""
    return Renderer(RobotModel.from_robot(finger))
