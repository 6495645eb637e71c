"""Reads the truth out of the recording, after the run is over and nothing can use it any more."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from njf_bringup.demo.metrics import Applied, TrialStamps, Truth, accuracy, timing
from njf_training.bag import BagReader

_JOINTS, _TIP, _APPLIED = "/ground_truth/joint_states", "/ground_truth/tip", "/command_applied"


def judge(bag: Path, trials: Sequence[TrialStamps], channel_names: Sequence[str]) -> dict[str, Any]:
    """Accuracy and timing of a recorded run.

    Raises:
        DataError: the bag lacks the truth around a picture, or holds no control at all.
    """
    truth, applied = read(bag, channel_names)
    return accuracy(truth, trials) | timing(applied, trials)


def read(bag: Path, channel_names: Sequence[str]) -> tuple[Truth, Applied]:
    """True positions and applied commands of a bag, joints in the order of `channel_names`."""
    reader = BagReader(bag)
    found: dict[str, list[tuple[Any, ...]]] = {_JOINTS: [], _TIP: [], _APPLIED: []}
    for message in reader.messages(found):
        content = reader.decode(message)
        stamp_ns = _ns(content.header.stamp)
        if message.topic == _JOINTS:
            position = dict(zip(content.name, content.position, strict=True))
            found[_JOINTS].append((stamp_ns, [position[name] for name in channel_names]))
        elif message.topic == _TIP:
            found[_TIP].append((stamp_ns, [content.point.x, content.point.y, content.point.z]))
        else:
            found[_APPLIED].append((stamp_ns, _ns(content.image_stamp)))
    joints_ns, joints = _columns(found[_JOINTS], len(channel_names))
    tip_ns, tip = _columns(found[_TIP], 3)
    applied = np.array(found[_APPLIED], np.int64).reshape(-1, 2)
    return Truth(joints_ns, joints, tip_ns, tip), Applied(applied[:, 0], applied[:, 1])


def _columns(rows: list[tuple[Any, ...]], width: int) -> tuple[np.ndarray, np.ndarray]:
    stamps = np.array([row[0] for row in rows], np.int64)
    return stamps, np.array([row[1] for row in rows], np.float64).reshape(-1, width)


def _ns(stamp: Any) -> int:
    return stamp.sec * 10**9 + stamp.nanosec
