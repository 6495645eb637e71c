"""Latest-only hand-over between threads: old data is dropped, never queued."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestWorker(Generic[T]):
    """A thread that handles only the newest item; items that came in between are dropped.

    `handle` runs in the thread, one call at a time. What it raises goes to `on_error`, and the
    thread goes on with the next item.
    """

    def __init__(
        self, handle: Callable[[T], None], on_error: Callable[[Exception], None], name: str
    ) -> None:
        self._handle = handle
        self._on_error = on_error
        self._condition = threading.Condition()
        self._waiting: list[T] = []  # none or one
        self._running = True
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Items that were replaced before they were handled."""
        with self._condition:
            return self._dropped

    def submit(self, item: T) -> None:
        """Hand over an item; it replaces the one that still waits."""
        with self._condition:
            self._dropped += len(self._waiting)
            self._waiting = [item]
            self._condition.notify()

    def stop(self) -> None:
        """End the thread; returns when the call of `handle` in progress is over. Idempotent."""
        with self._condition:
            self._running = False
            self._condition.notify()
        self._thread.join()

    def _take(self) -> list[T]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or not self._running)
            taken, self._waiting = self._waiting, []
            return taken if self._running else []

    def _work(self) -> None:
        while taken := self._take():
            try:
                self._handle(taken[0])
            except Exception as error:  # whatever it is, it must reach the diagnostics
                self._on_error(error)
