"""A recording in time: which message is due when, under which name, and what the clock says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from njf_control.robot import RobotConfig
from njf_perception.bag import BagMessage, BagReader
from njf_perception.errors import DataError
from njf_training.recording.topics import match_topic, replayed_names


@dataclass(frozen=True)
class Due:
    """A message to be shown.

    Attributes:
        message: as recorded.
        name: what to publish it under, relative to the robot's namespace.
        after_s: time since the first message, at the rate of the playback [s].
        clock_ns: what /clock says then [ns].
    """

    message: BagMessage
    name: str
    after_s: float
    clock_ns: int


class Playback:
    """The messages of a bag that are played again, see `topics.replayed_names`.

    Attributes:
        names: what to publish every recorded topic under.
        types: per name to publish under, the message type of the recording.
        duration_s: from the first to the last message of the recording [s].
    """

    def __init__(self, path: Path, robot: RobotConfig, rate: float = 1.0) -> None:
        """Look through the bag.

        Raises:
            DataError: there is no bag, or no image of the robot's control camera in it.
        """
        self._reader, self._rate = BagReader(path), rate
        names = replayed_names(robot)
        self.names: dict[str, str] = {}
        self.types: dict[str, str] = {}
        topics: set[str] = set()
        times_ns = [0, 0]
        for message in self._reader.messages():
            times_ns = [times_ns[0] or message.time_ns, message.time_ns]
            if message.topic in topics:
                continue
            topics.add(message.topic)
            known = match_topic(message.topic, names)
            # Raw images are there before compressed ones of the same name, or instead of them.
            if known is not None:
                self._take(message, names[known])
        self.duration_s = (times_ns[1] - times_ns[0]) * 1e-9
        wanted = f"{robot.control_camera.name}/image_raw"
        if wanted not in self.types:
            raise DataError(
                f"{path}: no images of '{robot.control_camera.name}', the control camera of "
                f"{robot.name}; topics there: {', '.join(sorted(topics)) or 'none'}. Name the "
                "robot that was recorded."
            )

    def __iter__(self) -> Iterator[Due]:
        """In the order of the recording."""
        first_ns: int | None = None
        for message in self._reader.messages(set(self.names)):
            first_ns = message.time_ns if first_ns is None else first_ns
            after_s = (message.time_ns - first_ns) * 1e-9 / self._rate
            yield Due(message, self.names[message.topic], after_s, message.time_ns)

    def decode(self, due: Due) -> Any:
        """The message as an object with the fields of its type."""
        return self._reader.decode(due.message)

    def _take(self, message: BagMessage, name: str) -> None:
        rival = next((topic for topic, other in self.names.items() if other == name), None)
        if rival is not None:
            is_raw = len(message.topic) < len(rival)
            if not is_raw:
                return
            del self.names[rival]
        self.names[message.topic] = name
        self.types[name] = message.type_name
