"""Commands that mend: those of the pip lane, those of a robot PC, and that each check has one."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from njf_bringup.doctor import machine, mend, software
from njf_bringup.doctor.check import Check
from njf_bringup.nodes import round_trip
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_perception.errors import NjfError


def fail() -> float:
    """A round trip that does not come back."""
    raise NjfError("no answer")


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("rclpy", ". /opt/ros/jazzy/setup.bash"),
        ("sensor_msgs", ". /opt/ros/jazzy/setup.bash"),
        ("njf_msgs", "python3 -m colcon build && . install/setup.bash"),
        ("torch", "pip install -r requirements-robot-pc.txt"),
    ],
)
def test_a_robot_pc_is_mended_without_make(package: str, command: str, robot_pc: None) -> None:
    assert mend.after(ModuleNotFoundError("no", name=package)).endswith(command)
    assert "make" not in mend.python() + mend.install() + mend.messages()


def test_an_old_python_is_told_what_makes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "OLDEST_PYTHON", (9, 0))
    check = software.python()
    assert check.state == "failed" and check.mend.endswith("make setup PYTHON=python3.12")


@pytest.mark.parametrize("lane", ["pip", "robot PC"])
@pytest.mark.parametrize(
    ("change", "check"),
    [
        ((machine, "FEWEST_CORES", 10**6), machine.cores),
        ((machine, "SHARED_MEMORY_BYTES", 10**18), machine.shared_memory),
        ((importlib.util, "find_spec", lambda name: None), software.messages),
        ((software, "root", lambda: Path("/nowhere")), software.dds_profile),
        ((round_trip, "round_trip_ms", fail), software.dds_round_trip),
        ((software, "OLDEST_PYTHON", (9, 0)), software.python),
        (
            (software, "PACKAGES", ("rclpy", "no-such-package")),
            lambda: software.packages(load_robot(robot_file("finger"))),
        ),
    ],
)
def test_whatever_fails_ends_with_a_command(
    change: tuple[object, str, object],
    check: Callable[[], Check],
    lane: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mend, "in_pip_lane", lambda: lane == "pip")
    monkeypatch.setattr(*change)
    outcome = check()
    assert outcome.state == "failed"
    assert "make" not in outcome.mend or lane == "pip"
