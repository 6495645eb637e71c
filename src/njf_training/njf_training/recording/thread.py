"""The thread that writes a bag."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from njf_training.bag import BagWriter

FLUSH_PERIOD_S = 1.0  # a killed recorder loses at most this much plus what is queued
QUEUE_LIMIT_BYTES = 256 * 2**20


class RecordingThread:
    """Writes messages to a bag from its own thread, so that callbacks never wait for the disc.

    The queue is bounded. What does not fit is counted per topic in `dropped`, never lost silently.
    """

    def __init__(
        self, writer: BagWriter, observe: Callable[[str, int, bytes], None] = lambda *_: None
    ) -> None:
        """Start writing to `writer`, which belongs to this thread from here on.

        `observe` gets topic, time [ns] and bytes of every message written, in this thread.
        """
        self.written: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._writer, self._observe = writer, observe
        self._queue: deque[tuple[str, int, bytes]] = deque()
        self._queued_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="bag-writer", daemon=True)
        self._thread.start()

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._queued_bytes

    def put(self, topic: str, time_ns: int, data: bytes) -> bool:
        """Queue a serialised message; False when it was dropped."""
        with self._wake:
            full = self._queued_bytes + len(data) > QUEUE_LIMIT_BYTES
            if full or self._closing or self.failure is not None:
                self.dropped[topic] += 1
                return False
            self._queue.append((topic, time_ns, data))
            self._queued_bytes += len(data)
            self._wake.notify()
        return True

    def close(self) -> None:
        """Write what is queued, finish the bag and end the thread. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_until_closed()
            self._writer.close()
        except Exception as error:  # a full disc ends the recording, the node reports it
            self.failure = error

    def _write_until_closed(self) -> None:
        next_flush_s = time.monotonic() + FLUSH_PERIOD_S
        while True:
            batch = self._take(next_flush_s - time.monotonic())
            if batch is None:
                return
            for topic, time_ns, data in batch:
                self._writer.write(topic, time_ns, data)
                self._observe(topic, time_ns, data)
                self.written[topic] += 1
                with self._wake:
                    self._queued_bytes -= len(data)
            if time.monotonic() >= next_flush_s:
                self._writer.flush()
                next_flush_s = time.monotonic() + FLUSH_PERIOD_S

    def _take(self, timeout_s: float) -> list[tuple[str, int, bytes]] | None:
        """Queued messages; empty at the timeout; None when closed and drained."""
        with self._wake:
            if not self._queue and not self._closing:
                self._wake.wait(max(0.0, timeout_s))
            if not self._queue and self._closing:
                return None
            batch = list(self._queue)
            self._queue.clear()
            return batch
