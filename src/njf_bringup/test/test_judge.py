"""The judge reads truth and timing out of a real bag."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_bringup.demo.judge import judge
from njf_bringup.demo.metrics import TrialStamps
from njf_perception.errors import DataError
from njf_training.bag import BagWriter, message_types

S = 1_000_000_000
JOINTS, TIP, APPLIED = "/ground_truth/joint_states", "/ground_truth/tip", "/command_applied"
NAMES = {
    JOINTS: "sensor_msgs/msg/JointState",
    TIP: "geometry_msgs/msg/PointStamped",
    APPLIED: "njf_msgs/msg/CommandApplied",
}


def make(kind: str, **fields: Any) -> Any:
    return message_types().types[kind](**fields)


def stamp(ns: int) -> Any:
    return make("builtin_interfaces/msg/Time", sec=ns // S, nanosec=ns % S)


def header(ns: int) -> Any:
    return make("std_msgs/msg/Header", stamp=stamp(ns), frame_id="")


def write(folder: Path, seconds: int) -> None:
    """The joints start at the goal, are 0.2 rad away from 2 s on and 0.01 rad away from 4 s on."""
    writer = BagWriter(folder)
    for topic, kind in NAMES.items():
        writer.add_topic(topic, kind)
    for ns in range(0, seconds * S, S // 20):
        away = 0.2 if 2 * S <= ns < 4 * S else 0.01 if ns >= 4 * S else 0.0
        position = np.array([1.0 + away, 0.5 + away])  # named in another order than the robot's
        joints = make(
            NAMES[JOINTS], header=header(ns), name=["b", "a"], position=position,
            velocity=np.zeros(0), effort=np.zeros(0),
        )  # fmt: skip
        point = make("geometry_msgs/msg/Point", x=away, y=0.0, z=0.0)
        tip = make(NAMES[TIP], header=header(ns), point=point)
        applied = make(
            NAMES[APPLIED], header=header(ns + 30_000_000), channel_names=["a", "b"],
            requested=np.zeros(2), applied=np.zeros(2), measured=np.zeros(2),
            alterations=np.zeros(2, np.uint8), reason="",
            image_stamp=stamp(ns if ns >= 2 * S else 0),
        )  # fmt: skip
        for topic, message in ((JOINTS, joints), (TIP, tip), (APPLIED, applied)):
            data = bytes(message_types().serialize_cdr(message, NAMES[topic]))
            writer.write(topic, ns, data)
    writer.close()


TRIAL = TrialStamps(goal_ns=1 * S, start_ns=3 * S, end_ns=5 * S)


def test_errors_and_timing_come_out_of_the_bag(tmp_path: Path) -> None:
    write(tmp_path / "run", seconds=6)
    figures: Any = judge(tmp_path / "run", [TRIAL], ["a", "b"])
    assert figures["joint_error_deg"]["median"] == pytest.approx(np.degrees(0.01))
    assert figures["start_error_deg"] == pytest.approx(np.degrees(0.2))
    assert figures["tip_error_mm"]["median"] == pytest.approx(10.0)
    assert figures["camera_to_command_ms"]["median"] == pytest.approx(30.0)
    assert figures["control_hz"] == pytest.approx(20.0)


def test_a_recording_that_ends_early_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "run", seconds=4)
    with pytest.raises(DataError, match="no true position"):
        judge(tmp_path / "run", [TRIAL], ["a", "b"])
