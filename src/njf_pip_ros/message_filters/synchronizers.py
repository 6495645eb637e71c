"""Groups of messages, one per input, that belong to the same time."""

import itertools
import threading
from collections.abc import Sequence
from typing import Any

from rclpy.clock import ROSClock
from rclpy.time import Time

from .filters import SimpleFilter

Queue = dict[int, Any]  # message by stamp [ns]


class TimeSynchronizer(SimpleFilter):
    """Outputs one message per input when all inputs brought one with exactly the same stamp."""

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        """Connect to the inputs `fs`, keeping the `queue_size` newest stamps of each."""
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:  # noqa: N802
        """Connect to the inputs `fs`, forgetting what came from earlier ones."""
        self.queues: list[Queue] = [{} for _ in fs]
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take one message of one input; outputs the group that it completes."""
        with self.lock:
            group = self._complete(msg, my_queue, my_queue_index)
        if group:
            self.signalMessage(*group)

    def _complete(self, msg: Any, queue: Queue, index: int | None) -> list[Any]:
        stamp = self._insert(msg, queue, _stamp_ns(msg))
        if not all(stamp in queue for queue in self.queues):
            return []
        return [queue.pop(stamp) for queue in self.queues]

    def _insert(self, msg: Any, queue: Queue, stamp: int) -> int:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]
        return stamp


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Outputs one message per input when their stamps differ by less than `slop` seconds."""

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
    ) -> None:
        """Connect to the inputs; messages without header are stamped at arrival when allowed."""
        super().__init__(fs, queue_size)
        self.slop_ns = round(slop * 1e9)
        self.allow_headerless = allow_headerless

    def _complete(self, msg: Any, queue: Queue, index: int | None) -> list[Any]:
        stamp = self._insert(msg, queue, self._stamp_of(msg))
        candidates = [
            [stamp] if other is queue else self._near(other, stamp) for other in self.queues
        ]
        groups = (
            group
            for group in itertools.product(*candidates)
            if max(group) - min(group) < self.slop_ns
        )
        best = min(groups, key=lambda group: max(group) - min(group), default=None)
        if best is None:
            return []
        return [queue.pop(key) for queue, key in zip(self.queues, best, strict=True)]

    def _near(self, queue: Queue, stamp: int) -> list[int]:
        return [other for other in queue if abs(other - stamp) < self.slop_ns]

    def _stamp_of(self, msg: Any) -> int:
        if self.allow_headerless and not hasattr(msg, "header"):
            return ROSClock().now().nanoseconds
        return _stamp_ns(msg)


def _stamp_ns(msg: Any) -> int:
    return Time.from_msg(msg.header.stamp).nanoseconds
