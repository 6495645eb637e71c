"""The judge reads truth and timing out of a real bag."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_bringup.demo.judge import judge
from njf_bringup.demo.metrics import TrialStamps
from njf_bringup.paths import robot_file
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import DataError
from njf_training.bag import BagWriter, message_types

S = 1_000_000_000
JOINTS, TIPS, APPLIED = "/ground_truth/joint_states", "/ground_truth/tips", "/command_applied"
NAMES = {
    JOINTS: "sensor_msgs/msg/JointState",
    TIPS: "geometry_msgs/msg/PoseArray",
    APPLIED: "njf_msgs/msg/CommandApplied",
}
SERVOS = [
    {"name": name, "unit": "rad", "lower": -1.0, "upper": 1.0, "max_rate": 1.0} for name in "ab"
]
CHAMBERS = [
    {"name": name, "unit": "Pa", "lower": 0.0, "upper": 1e5, "max_rate": 1e5} for name in "ab"
]


def robot(channels: list[dict[str, Any]]) -> RobotConfig:
    """The pneumatic hand with other channels and two tips."""
    data = load_robot(robot_file("pneumatic")).model_dump()
    data["simulation"]["tips"] = ["left", "right"]
    return RobotConfig.model_validate(data | {"channels": channels})


def make(kind: str, **fields: Any) -> Any:
    return message_types().types[kind](**fields)


def stamp(ns: int) -> Any:
    return make("builtin_interfaces/msg/Time", sec=ns // S, nanosec=ns % S)


def header(ns: int) -> Any:
    return make("std_msgs/msg/Header", stamp=stamp(ns), frame_id="")


def pose(x: float) -> Any:
    rotation = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    return make(
        "geometry_msgs/msg/Pose",
        position=make("geometry_msgs/msg/Point", x=x, y=0.0, z=0.0),
        orientation=rotation,
    )


def write(folder: Path, seconds: int) -> None:
    """At the goal, 0.2 (rad, 1e4 Pa, m) away from 2 s on and 0.01 away from 4 s on."""
    writer = BagWriter(folder)
    for topic, kind in NAMES.items():
        writer.add_topic(topic, kind)
    for ns in range(0, seconds * S, S // 20):
        away = 0.2 if 2 * S <= ns < 4 * S else 0.01 if ns >= 4 * S else 0.0
        # Named in another order than the robot's, beside a joint that is no channel.
        position = np.array([1.0 + away, 9.0 * ns, 0.5 + away])
        joints = make(
            NAMES[JOINTS], header=header(ns), name=["b", "loose", "a"], position=position,
            velocity=np.zeros(0), effort=np.zeros(0),
        )  # fmt: skip
        tips = make(NAMES[TIPS], header=header(ns), poses=[pose(away), pose(3 * away)])
        applied = make(
            NAMES[APPLIED], header=header(ns + 30_000_000), channel_names=["a", "b"],
            requested=np.zeros(2), applied=1e4 * np.array([away, away]), measured=np.zeros(2),
            alterations=np.zeros(2, np.uint8), reason="",
            image_stamp=stamp(ns if ns >= 2 * S else 0),
        )  # fmt: skip
        for topic, message in ((JOINTS, joints), (TIPS, tips), (APPLIED, applied)):
            data = bytes(message_types().serialize_cdr(message, NAMES[topic]))
            writer.write(topic, ns, data)
    writer.close()


TRIAL = TrialStamps(goal_ns=1 * S, start_ns=3 * S, end_ns=5 * S)


def test_errors_and_timing_come_out_of_the_bag(tmp_path: Path) -> None:
    write(tmp_path / "run", seconds=6)
    figures: Any = judge(tmp_path / "run", [TRIAL], robot(SERVOS))
    assert figures["joint_error_deg"]["median"] == pytest.approx(np.degrees(0.01))
    assert figures["start_error_deg"] == pytest.approx(np.degrees(0.2))
    assert figures["tip_error_mm"]["median"] == pytest.approx(20.0)
    assert figures["success_rate"] == 1.0
    assert "pressure_error_kpa" not in figures
    assert figures["camera_to_command_ms"]["median"] == pytest.approx(30.0)
    assert figures["control_hz"] == pytest.approx(20.0)


def test_a_robot_without_servos_is_judged_by_its_tips(tmp_path: Path) -> None:
    write(tmp_path / "run", seconds=6)
    figures: Any = judge(tmp_path / "run", [TRIAL], robot(CHAMBERS))
    assert "joint_error_deg" not in figures and "start_error_deg" not in figures
    assert figures["start_tip_error_mm"] == pytest.approx(400.0)
    assert figures["success_rate"] == 0.0
    assert figures["pressure_error_kpa"]["median"] == pytest.approx(0.1)


def test_a_recording_that_ends_early_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "run", seconds=4)
    with pytest.raises(DataError, match="no true position"):
        judge(tmp_path / "run", [TRIAL], robot(SERVOS))
