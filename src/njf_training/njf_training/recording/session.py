"""One recording from its first to its last message, and its summary."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DataError
from njf_training.bag import BagWriter, report_file, single_file
from njf_training.recording.bag_report import BagReport, make_bag_report
from njf_training.recording.messages import info_message
from njf_training.recording.statistics import BagStatistics
from njf_training.recording.thread import RecordingThread
from njf_training.recording.topics import INFO_TOPIC, MARK_TOPIC, Topic, recorded_topics

MODES = ("stills", "stream")


class Recording:
    """An open bag of one robot; names of topics in calls are the relative ones.

    Attributes:
        mode: "stream" writes every message; "stills" writes images only when the robot stands
            still and somebody asks (`capture`), because many raw camera streams at once outrun
            discs and buses.
        captures, failed_captures: counted by the node.
        report: what was recorded, once it is closed.
    """

    def __init__(
        self,
        robot: RobotConfig,
        output: Path,
        mode: str,
        absolute: Callable[[str], str],
        transport: str = "raw",
    ) -> None:
        """Create the bag.

        Args:
            robot: what is recorded.
            output: bag folder to create, or a file ending in .mcap.
            mode: one of `MODES`.
            absolute: resolves a relative topic name.
            transport: of images, one of `topics.TRANSPORTS`.

        Raises:
            ConfigError: mode or transport is unknown.
            DataError: the output exists already.
        """
        if mode not in MODES:
            raise ConfigError(f"mode is {mode!r}; expected one of {MODES}.")
        if output.exists():
            raise DataError(f"{output} exists already. Remove it or choose another output.")
        self.mode = mode
        self.report: BagReport | None = None
        self.captures = self.failed_captures = 0
        self._robot = robot
        self._output = output
        self._started_s = time.monotonic()
        topics = recorded_topics(robot, transport)
        folder = output.with_suffix("") if self._is_single_file else output
        writer = BagWriter(folder, compress=transport == "raw")
        self._folder = writer.folder
        self._absolute, types = _declare(writer, topics, absolute)
        self._statistics = statistics = BagStatistics()
        self._thread = RecordingThread(
            writer, lambda topic, time_ns, data: statistics.take(topic, types[topic], time_ns, data)
        )
        self.write(INFO_TOPIC, time.time_ns(), info_message(robot, mode))

    @property
    def thread(self) -> RecordingThread:
        """The writing thread, for its counters."""
        return self._thread

    @property
    def _is_single_file(self) -> bool:
        return self._output.suffix == ".mcap"

    def write(self, topic: str, time_ns: int, data: bytes) -> bool:
        """Queue a serialised message; False when it was dropped (and counted)."""
        return self._thread.put(self._absolute[topic], time_ns, data)

    def close(self) -> "Summary":
        """Finish the bag, write the summary beside its data and return it.

        Raises:
            DataError: the disc refused; what was written before stays readable.
        """
        self._thread.close()
        if self._thread.failure is not None:
            raise DataError(
                f"{self._folder}: writing failed ({self._thread.failure}); recorded up to there. "
                "Free some disc space and record again."
            )
        data_file = self._folder / f"{self._folder.name}.mcap"
        if self._is_single_file:
            single_file(self._folder, self._output)
            data_file = self._output
        summary = Summary(
            robot=self._robot.name,
            mode=self.mode,
            path=str(self._output),
            duration_s=time.monotonic() - self._started_s,
            size_bytes=data_file.stat().st_size,
            messages=dict(self._thread.written),
            dropped=dict(self._thread.dropped),
            captures=self.captures,
            failed_captures=self.failed_captures,
        )
        data_file.with_suffix(".json").write_text(json.dumps(asdict(summary), indent=2) + "\n")
        self.report = make_bag_report(self._output, self._statistics, summary.dropped, True)
        self.report.save(report_file(self._output))
        return summary


def _declare(
    writer: BagWriter, topics: list[Topic], absolute: Callable[[str], str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Add all topics to the bag; absolute names by relative ones, types by absolute ones."""
    own = [
        Topic(INFO_TOPIC, "std_msgs/msg/String", "latched"),
        Topic(MARK_TOPIC, "njf_msgs/msg/CaptureMark", "state"),
    ]
    names, types = {}, {}
    for topic in [*own, *topics]:
        name = names[topic.name] = absolute(topic.name)
        types[name] = topic.type_name
        writer.add_topic(name, topic.type_name, topic.kind == "latched")
    return names, types


@dataclass
class Summary:
    """What a recording ended with; written as JSON beside the bag and printed."""

    robot: str
    mode: str
    path: str
    duration_s: float
    size_bytes: int
    messages: dict[str, int]
    dropped: dict[str, int]
    captures: int
    failed_captures: int

    def line(self) -> str:
        """The totals, for people."""
        return (
            f"{self.path}: {sum(self.messages.values())} messages, {self.size_bytes / 1e6:.1f} MB "
            f"on disk in {self.duration_s:.1f} s, {sum(self.dropped.values())} dropped, "
            f"{self.captures} captures, {self.failed_captures} failed"
        )
