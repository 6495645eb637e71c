"""What a recording holds, counted message by message: cheap enough to run while it is written."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from njf_perception.bag import header_stamp_ns
from njf_perception.message_image import COMPRESSED_TYPE, IMAGE_TYPE
from njf_training.bag import message_types
from njf_training.recording.topics import INFO_TOPIC, MARK_TOPIC, camera_of

COMMAND_TYPE = "njf_msgs/msg/Command"
APPLIED_TYPE = "njf_msgs/msg/CommandApplied"
MARK_TYPE = "njf_msgs/msg/CaptureMark"
# Types that begin with a header and come at a steady rate, so that a gap in their stamps is a loss.
PERIODIC_TYPES = (
    IMAGE_TYPE,
    COMPRESSED_TYPE,
    "sensor_msgs/msg/CameraInfo",
    "sensor_msgs/msg/JointState",
    "sensor_msgs/msg/FluidPressure",
    APPLIED_TYPE,
)
_BEHIND_STAMP = 12  # bytes of a message before its frame_id


@dataclass
class TopicCount:
    """One topic so far.

    Attributes:
        stamps_ns: acquisition times, of topics that are `PERIODIC_TYPES`.
        unchanged: images of the same bytes as the one before: a camera that froze, or a still
            scene without noise.
    """

    type_name: str
    messages: int = 0
    size_bytes: int = 0
    stamps_ns: list[int] = field(default_factory=list)
    unchanged: int = 0
    last: bytes = b""

    @property
    def is_image(self) -> bool:
        """Whether its messages are images."""
        return self.type_name in (IMAGE_TYPE, COMPRESSED_TYPE)

    def take(self, data: bytes) -> None:
        """Count one serialised message."""
        self.messages += 1
        self.size_bytes += len(data)
        if self.type_name in PERIODIC_TYPES:
            self.stamps_ns.append(header_stamp_ns(data))
        if self.is_image:
            # Lengths first: compressed images mostly differ in it, and bytes are then not copied.
            same = len(data) == len(self.last)
            self.unchanged += same and data[_BEHIND_STAMP:] == self.last[_BEHIND_STAMP:]
            self.last = data


@dataclass
class BagStatistics:
    """What a report is made of.

    Attributes:
        robot, mode: as the bag says; empty where it does not.
        topics: by absolute name.
        mark_stamps_ns: per settled state, the stamps of its images.
        begin_ns, end_ns: when the first and last messages were received; 0 without any.
    """

    robot: str = ""
    mode: str = ""
    topics: dict[str, TopicCount] = field(default_factory=dict)
    mark_stamps_ns: list[list[int]] = field(default_factory=list)
    begin_ns: int = 0
    end_ns: int = 0
    _commands: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    _applied: list[Any] = field(default_factory=list)

    def take(self, topic: str, type_name: str, time_ns: int, data: bytes) -> None:
        """Count one serialised message, received at `time_ns`."""
        self.topics.setdefault(topic, TopicCount(type_name)).take(data)
        self.begin_ns = min(self.begin_ns or time_ns, time_ns)
        self.end_ns = max(self.end_ns, time_ns)
        if topic.endswith(f"/{INFO_TOPIC}"):
            described = json.loads(_decode(data, type_name).data)
            self.robot, self.mode = described["robot"]["name"], described["mode"]
        elif topic.endswith(f"/{MARK_TOPIC}"):
            mark = _decode(data, MARK_TYPE)
            self.mark_stamps_ns.append([_ns(stamp) for stamp in mark.image_stamps])
        elif type_name == COMMAND_TYPE:
            command = _decode(data, COMMAND_TYPE)
            values = dict(zip(command.channel_names, command.values.tolist(), strict=True))
            self._commands.append((header_stamp_ns(data), values))
        elif type_name == APPLIED_TYPE:
            self._applied.append(_decode(data, APPLIED_TYPE))

    @property
    def camera_stamps_ns(self) -> dict[str, Int64[np.ndarray, " n"]]:
        """Sorted stamps of every camera's images; of the raw or the compressed topic, not both."""
        found: dict[str, Int64[np.ndarray, " n"]] = {}
        for topic in sorted(self.topics):  # raw sorts before compressed
            camera = camera_of(topic)
            if camera and self.topics[topic].is_image:
                stamps = np.sort(np.array(self.topics[topic].stamps_ns, np.int64))
                found.setdefault(camera, stamps)
        return found

    @property
    def channel_names(self) -> list[str]:
        """Channels in the driver's order; empty where no driver was heard."""
        return list(self._applied[0].channel_names) if self._applied else []

    def commands(self) -> tuple[Int64[np.ndarray, " m"], Float[np.ndarray, "m n"]]:
        """Stamps [ns] and values of the commands, in time and in the driver's order of channels."""
        names = self.channel_names
        known = sorted((s, v) for s, v in self._commands if set(v) == set(names))
        stamps = np.array([stamp for stamp, _ in known], np.int64)
        rows = [[values[name] for name in names] for _, values in known]
        return stamps, np.array(rows, float).reshape(len(known), len(names))

    def cycles(
        self,
    ) -> tuple[Int64[np.ndarray, " k"], Float[np.ndarray, "k n"], Int64[np.ndarray, "k n"]]:
        """Stamps [ns], requested set-points and alterations of the driver's cycles, in time."""
        rows = sorted(self._applied, key=lambda row: _ns(row.header.stamp))
        shape = (len(rows), len(self.channel_names))
        stamps = np.array([_ns(row.header.stamp) for row in rows], np.int64)
        requested = np.array([row.requested for row in rows], float).reshape(shape)
        altered = np.array([row.alterations for row in rows], np.int64).reshape(shape)
        return stamps, requested, altered


def _decode(data: bytes, type_name: str) -> Any:
    return message_types().deserialize_cdr(data, type_name)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
