"""Was everything recorded? Counts, gaps, how far cameras are apart, what the driver clipped."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from tqdm import tqdm

from njf_perception.bag import BagReader
from njf_training.bag import data_file
from njf_training.recording.statistics import BagStatistics, TopicCount

SYNC_EDGES_MS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, float("inf"))
RANGE_LIMITED, RATE_LIMITED, REJECTED = 1, 2, 8  # bits of CommandApplied.alterations
_GAP = 1.5  # periods between two stamps from which on one is missing
_ANSWERED_WITHIN_NS = 500_000_000
_BAR = 30  # characters of the longest


@dataclass(frozen=True)
class TopicReport:
    """One topic.

    Attributes:
        rate_hz: one through the median distance of its stamps, or what was expected; None where
            that says nothing.
        gaps, missing: longer pauses, and about how many messages would have filled them that did
            not come in a hurry afterwards.
        repeated: stamps that came twice or ran backwards.
        unchanged: images of the same bytes as the one before.
        dropped: what the recorder received and could not write in time.
    """

    topic: str
    type_name: str
    messages: int
    size_bytes: int
    rate_hz: float | None
    gaps: int
    missing: int
    repeated: int
    unchanged: int
    dropped: int


@dataclass(frozen=True)
class CommandReport:
    """What became of the commands.

    Attributes:
        commands: messages on `command`.
        range_limited, rate_limited: applied otherwise by the first driver cycle that had them:
            beyond the range, or too far to go in one cycle.
        rejected: refused as a whole.
        unanswered: no cycle of the driver shows them: lost, or overtaken by the next one.
    """

    commands: int
    range_limited: int
    rate_limited: int
    rejected: int
    unanswered: int

    @property
    def clipped(self) -> int:
        """Commands that were not applied as asked, range or rate."""
        return self.range_limited + self.rate_limited


@dataclass(frozen=True)
class BagReport:
    """A recording, judged.

    Attributes:
        sync_ms: p50, p95 and max of how far the cameras' images are apart; empty for one camera.
        sync_histogram: instants by that distance.
    """

    path: str
    robot: str
    mode: str
    complete: bool
    duration_s: float
    topics: list[TopicReport]
    cameras: list[str]
    sync_ms: dict[str, float] = field(default_factory=dict)
    sync_histogram: dict[str, int] = field(default_factory=dict)
    commands: CommandReport | None = None

    @property
    def missing_images(self) -> int:
        """Images that neither the gaps nor the recorder's queue let through."""
        images = [t for t in self.topics if t.type_name.endswith("Image")]
        return sum(topic.missing + topic.dropped for topic in images)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "BagReport":
        """Read what `save` wrote."""
        content = json.loads(path.read_text())
        topics = [TopicReport(**topic) for topic in content.pop("topics")]
        commands = content.pop("commands")
        return cls(
            **content, topics=topics, commands=CommandReport(**commands) if commands else None
        )

    def text(self) -> str:
        """For people: a line per topic, then cameras and commands."""
        size = sum(topic.size_bytes for topic in self.topics)
        state = "" if self.complete else ", not closed properly"
        return "\n".join(
            [
                *_table(self.topics),
                f"{self.path}: {sum(t.messages for t in self.topics)} messages, {size / 1e6:.1f} MB"
                f" in {self.duration_s:.1f} s{state}; {self.missing_images} images missing",
                *self._sync_lines(),
                *self._command_lines(),
            ]
        )

    def _sync_lines(self) -> list[str]:
        if not self.sync_ms:
            return []
        p50, p95, most = (self.sync_ms[key] for key in ("p50", "p95", "max"))
        top = max(self.sync_histogram.values())
        return [
            f"{len(self.cameras)} cameras are apart by {p50:.1f} ms (p50), {p95:.1f} ms (p95), "
            f"{most:.1f} ms (max)",
            *(
                f"  {name:<13} {count:6d} {'█' * round(_BAR * count / top)}"
                for name, count in self.sync_histogram.items()
            ),
        ]

    def _command_lines(self) -> list[str]:
        found = self.commands
        if found is None:
            return []
        return [
            f"{found.commands} commands: {found.clipped} clipped ({found.range_limited} by range, "
            f"{found.rate_limited} by rate), {found.rejected} rejected, "
            f"{found.unanswered} unanswered"
        ]


def read_bag_report(path: Path, rate_hz: float | None = None) -> tuple[BagReport, BagStatistics]:
    """Read a bag and judge it; what the recorder dropped is in its summary beside the bag.

    Raises:
        DataError: there is no bag.
    """
    statistics, reader = BagStatistics(), BagReader(path)
    for message in tqdm(reader.messages(), desc="reading", unit="message"):
        statistics.take(message.topic, message.type_name, message.time_ns, message.data)
    summary = data_file(path).with_suffix(".json")
    dropped = json.loads(summary.read_text())["dropped"] if summary.is_file() else {}
    return make_bag_report(path, statistics, dropped, reader.complete, rate_hz), statistics


def make_bag_report(
    path: Path,
    statistics: BagStatistics,
    dropped: dict[str, int],
    complete: bool,
    rate_hz: float | None = None,
) -> BagReport:
    """Judge a recording.

    Args:
        path: of the bag.
        statistics: of all its messages.
        dropped: per topic, what the recorder had to drop.
        complete: whether the bag was closed properly.
        rate_hz: of the cameras; None takes what most of their images say.
    """
    cameras = statistics.camera_stamps_ns
    sync_ms = sync_errors_ms(statistics)
    return BagReport(
        path=str(path),
        robot=statistics.robot,
        mode=statistics.mode,
        complete=complete,
        duration_s=(statistics.end_ns - statistics.begin_ns) * 1e-9,
        topics=[
            _topic(name, statistics.topics.get(name), dropped.get(name, 0), statistics, rate_hz)
            for name in sorted({*statistics.topics, *dropped})
        ],
        cameras=list(cameras),
        sync_ms=_quantiles(sync_ms),
        sync_histogram=_histogram(sync_ms),
        commands=_command_report(statistics),
    )


def intervals_s(stamps_ns: Int64[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Times between stamps that follow each other; stamps of one time count once [s]."""
    return np.diff(np.unique(stamps_ns)) * 1e-9


def sync_errors_ms(statistics: BagStatistics) -> Float[np.ndarray, " t"]:
    """How far the cameras' images of one instant are apart [ms]; empty for one camera.

    Of settled states: first to last image of each. Else: for each image of the first camera, the
    distance to the farthest of the other cameras' nearest images, while all cameras ran.
    """
    if statistics.mode == "stills":
        spans = [max(s) - min(s) for s in statistics.mark_stamps_ns if len(s) > 1]
        return np.array(spans, float) * 1e-6
    first, *others = [s for s in statistics.camera_stamps_ns.values() if len(s)] or [np.zeros(0)]
    if not others:
        return np.zeros(0)
    begin, end = max(s[0] for s in (first, *others)), min(s[-1] for s in (first, *others))
    inside = first[(first >= begin) & (first <= end)]
    distances = [_to_nearest(inside, stamps) for stamps in others]
    return np.max(distances, axis=0) * 1e-6


def _to_nearest(
    stamps: Int64[np.ndarray, " n"], others: Int64[np.ndarray, " m"]
) -> Int64[np.ndarray, " n"]:
    """Distance of every stamp to the nearest of `others`, which are sorted [ns]."""
    after = np.clip(np.searchsorted(others, stamps), 0, len(others) - 1)
    before = np.clip(after - 1, 0, None)
    return np.minimum(np.abs(others[after] - stamps), np.abs(stamps - others[before]))


def _topic(
    name: str,
    count: TopicCount | None,
    dropped: int,
    statistics: BagStatistics,
    rate_hz: float | None,
) -> TopicReport:
    count = count or TopicCount("")
    is_camera = count.is_image or count.type_name.endswith("CameraInfo")
    expected_hz = rate_hz if is_camera else None
    steady = len(count.stamps_ns) > 2 and not (is_camera and statistics.mode == "stills")
    rate, gaps, missing, repeated = None, 0, 0, 0
    if steady:
        stamps = np.array(count.stamps_ns, np.int64)
        between_s = intervals_s(stamps)
        repeated = int((np.diff(stamps) <= 0).sum())
        if len(between_s):
            period_s = 1 / expected_hz if expected_hz else float(np.median(between_s))
            pauses = between_s[between_s > _GAP * period_s]
            rate, gaps = 1 / period_s, len(pauses)
            # A late message whose followers came close behind left none out.
            hurried = int((between_s < period_s / 2).sum())
            missing = max(0, int((np.rint(pauses / period_s) - 1).sum()) - hurried)
    return TopicReport(
        topic=name,
        type_name=count.type_name,
        messages=count.messages,
        size_bytes=count.size_bytes,
        rate_hz=rate,
        gaps=gaps,
        missing=missing,
        repeated=repeated,
        unchanged=count.unchanged if statistics.mode != "stills" else 0,
        dropped=dropped,
    )


def _command_report(statistics: BagStatistics) -> CommandReport | None:
    """None where there are no commands, or no driver."""
    stamps, values = statistics.commands()
    cycle_ns, requested, altered = statistics.cycles()
    if not len(stamps) or not len(cycle_ns):
        return None
    counts = dict.fromkeys(("range", "rate", "rejected", "unanswered"), 0)
    ends = [*stamps[1:].tolist(), stamps[-1] + _ANSWERED_WITHIN_NS]
    for stamp, value, end in zip(stamps, values, ends, strict=True):
        # The cycle that has the command may come after the next command was sent.
        low, high = np.searchsorted(cycle_ns, [stamp, end + _ANSWERED_WITHIN_NS])
        hits = np.flatnonzero((requested[low:high] == value).all(axis=1))
        bits = int(np.bitwise_or.reduce(altered[low + hits[0]])) if len(hits) else 0
        if not len(hits):  # a rejected command is never among what was requested
            refused = bool((altered[low:high] & REJECTED).any())
            counts["rejected" if refused else "unanswered"] += 1
        elif bits & RANGE_LIMITED:
            counts["range"] += 1
        elif bits & RATE_LIMITED:
            counts["rate"] += 1
    return CommandReport(len(stamps), *counts.values())


def _quantiles(sync_ms: Float[np.ndarray, " t"]) -> dict[str, float]:
    if not len(sync_ms):
        return {}
    p50, p95 = np.percentile(sync_ms, [50, 95]).tolist()
    return {"p50": p50, "p95": p95, "max": float(sync_ms.max())}


def _histogram(sync_ms: Float[np.ndarray, " t"]) -> dict[str, int]:
    if not len(sync_ms):
        return {}
    counts = np.histogram(sync_ms, SYNC_EDGES_MS)[0].tolist()
    names = [f"below {edge:g} ms" for edge in SYNC_EDGES_MS[1:-1]] + ["above"]
    return dict(zip(names, counts, strict=True))


def _table(topics: list[TopicReport]) -> list[str]:
    head = ("messages", "Hz", "gaps", "missing", "repeated", "unchanged", "dropped")
    width = max([len(topic.topic) for topic in topics], default=5)
    lines = [f"{'topic':<{width}}" + "".join(f"{name:>10}" for name in head)]
    for topic in topics:
        rate = "-" if topic.rate_hz is None else f"{topic.rate_hz:.1f}"
        losses: list[Any] = [topic.gaps, topic.missing, topic.repeated, topic.unchanged]
        cells = [topic.messages, rate, *losses, topic.dropped]
        lines.append(f"{topic.topic:<{width}}" + "".join(f"{cell:>10}" for cell in cells))
    return lines
