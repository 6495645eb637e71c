"""Samples a running graph in a thread of its own."""

import math
import threading
import time
from collections.abc import Callable, Mapping

from njf_bringup.process import NodeProcess
from njf_bringup.process_usage import process_usage
from njf_bringup.soak.judge import Sample

_MB = 2**20


class Sampler:
    """Takes a sample every `period_s`; a context manager. Read `samples` afterwards."""

    def __init__(
        self,
        processes: Mapping[str, NodeProcess],
        counters: Callable[[], tuple[int, int]],
        period_s: float,
    ) -> None:
        """Watch `processes`; `counters` gives the driver's cycles and missed deadlines."""
        self.samples: list[Sample] = []
        self._processes, self._counters, self._period_s = processes, counters, period_s
        self._control_hz = math.nan
        self._begin_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> "Sampler":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def note_rate(self, control_hz: float) -> None:
        """The servo made a step; `control_hz` is its rate [Hz], 0 while it is not known."""
        if control_hz > 0:
            self._control_hz = control_hz

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            self._take()

    def _take(self) -> None:
        used = {name: process_usage(node.popen.pid) for name, node in self._processes.items()}
        alive = {name: usage for name, usage in used.items() if usage is not None}
        cycles, missed = self._counters()
        rate_hz, self._control_hz = self._control_hz, math.nan
        self.samples.append(
            Sample(
                time_s=time.monotonic() - self._begin_s,
                rss_mb={name: usage.rss_bytes / _MB for name, usage in alive.items()},
                cpu_s={name: usage.cpu_s for name, usage in alive.items()},
                cycles=cycles,
                missed=missed,
                control_hz=rate_hz,
            )
        )
