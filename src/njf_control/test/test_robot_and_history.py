"""The robot's description and the history of its set-points."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from njf_control.robot import load_robot
from njf_control.safety import SafetyGate
from njf_control.servo.history import SetpointHistory
from njf_perception.errors import ConfigError

FINGER = Path(__file__).parents[3] / "config/robots/finger.yaml"
SECOND_NS = 1_000_000_000


def changed(tmp_path: Path, motor_id: int) -> Path:
    data = yaml.safe_load(FINGER.read_text())
    data["channels"][1]["motor_id"] = motor_id
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_two_channels_cannot_share_a_motor(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"motor_id of its own: \[1, 1, 3\]"):
        load_robot(changed(tmp_path, 1))
    assert load_robot(changed(tmp_path, 9)).channels[1].motor_id == 9


@pytest.mark.parametrize(
    ("section", "content", "message"),
    [
        ("simulation", {"mjcf": "finger.xml", "hold": {"joint_1": 0.0}}, "name either once"),
        ("simulation", {"mjcf": "finger.xml", "tips": []}, "simulation.tips"),
        ("driver", {"kind": "telepathy"}, "kind"),
        ("workspace_max_m", [0.2, -0.9, 0.3], "must be below workspace_max_m"),
        ("rest_s", float("nan"), "rest_s"),
    ],
)
def test_a_robot_that_contradicts_itself_is_refused(
    tmp_path: Path, section: str, content: object, message: str
) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(FINGER.read_text()) | {section: content}))
    with pytest.raises(ConfigError, match=message):
        load_robot(path)


def test_a_robot_that_is_neither_there_nor_simulated_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load(FINGER.read_text())
    content["driver"] = {"kind": "simulated", "rate_hz": 50.0}
    del content["simulation"]
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="simulation.mjcf has to name a model"):
        load_robot(path)


def test_a_gate_too_slow_for_its_watchdog_is_refused() -> None:
    robot = load_robot(FINGER)
    with pytest.raises(ConfigError, match="expected at least 20 Hz"):
        SafetyGate(robot, rate_hz=5.0, watchdog_timeout_s=0.1)


def test_history_ignores_late_stamps_and_begins_anew_when_the_clock_is_set_back() -> None:
    history = SetpointHistory()
    assert history.add(100 * SECOND_NS, np.array([1.0]))
    assert not history.add(100 * SECOND_NS - 1000, np.array([2.0]))
    assert history.newest == 1.0
    assert history.add(3 * SECOND_NS, np.array([3.0]))
    assert history.newest == 3.0 and history.at(100 * SECOND_NS) == 3.0
