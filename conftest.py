"""Test environment of the repository: an isolated ROS graph and processes that end with it."""

import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

from njf_bringup.domain import take_free_domain

if TYPE_CHECKING:
    from rclpy.node import Node

ROOT = Path(__file__).parent

# Before rclpy is imported anywhere: it reads these once. The graph stays on this machine, in a
# domain of this run's own, and wrong types in message fields raise instead of sending garbage.
os.environ["ROS_DOMAIN_ID"] = str(take_free_domain())
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config" / "fastdds.xml")

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing
settings.load_profile("any machine")

_STALL_S = 0.25  # half of the longest watchdog time: what held still for this long may be released
_ATTEMPTS = 3

_LOGS = tempfile.TemporaryDirectory(prefix="njf_test_log_", ignore_cleanup_errors=True)
os.environ["ROS_LOG_DIR"] = _LOGS.name


class StallWatch:
    """How long this machine stood still at most; a context manager."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall watch", daemon=True)

    def __enter__(self) -> "StallWatch":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        period_s, last_s = 0.02, time.monotonic()
        while not self._stop.wait(period_s):
            last_s, before_s = time.monotonic(), last_s
            self.longest_s = max(self.longest_s, last_s - before_s - period_s)


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Repeat a failed test if the machine stood still meanwhile: it says nothing.

    Watchdogs and deadlines do what they must when nothing runs for half a second, and then a test
    sees a robot that holds, a device that did not answer, or a second writer who has rightly taken
    over.
    """
    for attempt in range(_ATTEMPTS):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with StallWatch() as watch:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        stalled = watch.longest_s > _STALL_S and attempt + 1 < _ATTEMPTS
        again = stalled and any(report.failed for report in reports)
        for report in reports:
            if again and report.failed:
                report.outcome = "stalled"  # type: ignore[assignment]
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if not again:
            break
        item._initrequest()  # type: ignore[attr-defined]  # fixtures anew
    return True


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Show repeated tests as S."""
    return ("stalled", "S", "STALLED") if report.outcome == "stalled" else None


@pytest.fixture
def ros_context() -> Iterator[None]:
    """Rclpy's default context, alive for one test.

    Nodes of earlier tests are collected first. Until then their DDS participant lives on, with
    services of the same names as the next test's, and a client that meets two servers at once may
    miss both for ever: rmw_fastrtps counts matches only where they are reported one by one.
    """
    import rclpy

    gc.collect()
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def spin(ros_context: None) -> Iterator[Callable[..., None]]:
    """`spin(node, ...)` spins nodes in one background thread; they are destroyed after the test."""
    with ExitStack() as stack:
        yield lambda *nodes: stack.enter_context(spinning(*nodes))


@contextmanager
def spinning(*nodes: "Node") -> Iterator[None]:
    """Spin each node in a background thread. Order at the end matters: stop, join, then destroy."""
    from njf_perception.nodes.spinning import SpinThread

    threads = [SpinThread(node) for node in nodes]
    try:
        yield
    finally:
        for thread in threads:
            thread.close()
        for node in nodes:
            node.destroy_node()


@pytest.fixture
def start_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start_process(module, *args)` runs `python -m module`; ends exactly those after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(module: str, *args: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *args]
        process = subprocess.Popen(command, text=True, start_new_session=True, **options)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        end_process(process)


def end_process(process: subprocess.Popen[str], grace_s: float = 10.0) -> int:
    """Ask with SIGINT as ROS launch does, then SIGTERM, then SIGKILL. Returns the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(condition, timeout_s=30.0)` polls until true and fails the test otherwise."""

    def wait(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout_s} s in vain for {what or condition}")
            time.sleep(0.01)

    return wait


class Fuzz:
    """Seeded damage to frames. NJF_FUZZ=1000000 makes every test thorough, as `make fuzz` does."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)

    @staticmethod
    def count(short: int) -> int:
        """Frames to feed: `short` inside `make test`."""
        return int(os.environ.get("NJF_FUZZ", short))

    def damaged(self, frame: bytes) -> bytes:
        """The frame: as it is, broken in one of several ways, or nothing but noise."""
        source, wire = self.random, bytearray(frame)
        place, end = source.randrange(len(wire) + 1), source.randrange(len(wire) + 1)
        kind = source.randrange(8)
        if kind == 0:
            return source.randbytes(source.randrange(64))
        if kind == 1:
            return frame[:place]
        if kind == 2:
            wire[place:end] = source.randbytes(source.randrange(6))
        elif kind == 3:
            wire[place:place] = wire[end:] + wire[:place]
        elif kind <= 5:
            wire[place % len(wire)] ^= 1 << source.randrange(8)
        return bytes(wire)


@pytest.fixture
def fuzz() -> Fuzz:
    """Random frames, the same in every run."""
    return Fuzz()
