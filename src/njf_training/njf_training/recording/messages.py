"""Messages the recorder itself writes, serialised without rclpy.

The same bytes go to the bag and to the topic: rclpy's own serialisation appends uninitialised
bytes to some types, which bag readers reject.
"""

import json
from typing import Any

import numpy as np

from njf_control.robot import RobotConfig
from njf_training.bag import message_types


def info_message(robot: RobotConfig, mode: str) -> bytes:
    """Serialised std_msgs/String that makes a bag describe itself."""
    store = message_types()
    text = json.dumps({"robot": robot.model_dump(), "mode": mode})
    return _cdr("std_msgs/msg/String", store.types["std_msgs/msg/String"](data=text))


def mark_message(
    stamp_ns: int,
    trajectory: int,
    step: int,
    channel_names: list[str],
    applied: list[float],
    image_stamps_ns: dict[str, int],
) -> bytes:
    """Serialised njf_msgs/CaptureMark; `applied` in the units of the channels."""
    types = message_types().types
    time_type = types["builtin_interfaces/msg/Time"]

    def to_time(time_ns: int) -> Any:
        return time_type(sec=time_ns // 10**9, nanosec=time_ns % 10**9)

    header = types["std_msgs/msg/Header"](stamp=to_time(stamp_ns), frame_id="")
    mark = types["njf_msgs/msg/CaptureMark"](
        header=header,
        trajectory=trajectory,
        step=step,
        channel_names=channel_names,
        applied=np.array(applied, np.float64),
        camera_names=list(image_stamps_ns),
        image_stamps=[to_time(stamp) for stamp in image_stamps_ns.values()],
    )
    return _cdr("njf_msgs/msg/CaptureMark", mark)


def _cdr(type_name: str, message: object) -> bytes:
    return bytes(message_types().serialize_cdr(message, type_name))
