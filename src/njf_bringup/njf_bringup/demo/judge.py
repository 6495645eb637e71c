"""Reads the truth out of the recording, after the run is over and nothing can use it any more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from njf_bringup.demo.metrics import Applied, TrialStamps, Truth, accuracy, timing
from njf_control.robot import RobotConfig
from njf_perception.bag import BagReader

_JOINTS, _TIPS, _APPLIED = "/ground_truth/joint_states", "/ground_truth/tips", "/command_applied"


def judge(bag: Path, trials: Sequence[TrialStamps], robot: RobotConfig) -> dict[str, Any]:
    """Accuracy and timing of a recorded run.

    Raises:
        DataError: the bag lacks the truth around a picture, or holds no control at all.
    """
    truth, applied = read(bag, robot)
    return accuracy(truth, applied, trials) | timing(applied, trials)


def read(bag: Path, robot: RobotConfig) -> tuple[Truth, Applied]:
    """True motion and applied commands of a bag, channels in the order of the robot's."""
    servos = [channel.name for channel in robot.channels if channel.unit == "rad"]
    chambers = [channel.name for channel in robot.channels if channel.unit == "Pa"]
    reader = BagReader(bag)
    joints, tips, applied = [], [], []
    for message in reader.messages((_JOINTS, _TIPS, _APPLIED)):
        content = reader.decode(message)
        stamp_ns = _ns(content.header.stamp)
        if message.topic == _JOINTS:
            joints.append((stamp_ns, _ordered(content.name, content.position, servos)))
        elif message.topic == _TIPS:
            tips.append((stamp_ns, [[p.x, p.y, p.z] for p in (q.position for q in content.poses)]))
        else:
            pressures = _ordered(content.channel_names, content.applied, chambers)
            applied.append((stamp_ns, pressures, _ns(content.image_stamp)))
    joints_ns, joints_rad = _columns(joints, (len(servos),))
    tips_ns, tips_m = _columns(tips, (len(robot.simulation.tips), 3))
    applied_ns, pressure_pa = _columns(applied, (len(chambers),))
    image_ns = np.array([row[2] for row in applied], np.int64)
    return Truth(joints_ns, joints_rad, tips_ns, tips_m), Applied(applied_ns, image_ns, pressure_pa)


def _ordered(names: Sequence[str], values: Sequence[float], wanted: Sequence[str]) -> list[float]:
    by_name = dict(zip(names, values, strict=True))
    return [by_name[name] for name in wanted]


def _columns(
    rows: Sequence[tuple[Any, ...]], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and values of rows that begin with these two."""
    stamps = np.array([row[0] for row in rows], np.int64)
    return stamps, np.array([row[1] for row in rows], np.float64).reshape(len(rows), *shape)


def _ns(stamp: Any) -> int:
    return stamp.sec * 10**9 + stamp.nanosec
