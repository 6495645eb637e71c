"""Starts the nodes of a graph, watches over them and ends them: the robot first, then the rest."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from njf_bringup.graph import NodeSpec, ResolvedGraph
from njf_bringup.process import NodeProcess, environment_defaults, executable, start_node
from njf_perception.errors import NjfError, StoppedError

DEACTIVATE_TIMEOUT_S = 1.0
# Patience after each signal; with the deactivation it keeps a whole shutdown below 5 s.
ESCALATION = ((signal.SIGINT, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 0.5))


class NodeDiedError(NjfError):
    """A node ended that should have gone on."""


class StartupError(NjfError):
    """A node did not come up in time."""


class Lifecycle(Protocol):
    """Drives lifecycle nodes; see njf_bringup.nodes.lifecycle for the real one."""

    def change(self, node: str, transition: str, timeout_s: float) -> None:
        """Do one transition. Raises StartupError when refused or silent for `timeout_s`."""

    def close(self) -> None:
        """Leave the graph."""


class Supervisor:
    """Runs the nodes of a resolved graph as processes; a context manager that leaves none behind.

    Args:
        graph: the nodes.
        make_lifecycle: joins the graph; called after the processes have been started, because
            a process with ROS threads must not fork. It gets a function to call while waiting,
            which raises when a node has died.
        startup_timeout_s: patience with each node and transition [s].
        patience: with nodes that are told to end, times that of `ESCALATION`.
    """

    def __init__(
        self,
        graph: ResolvedGraph,
        make_lifecycle: Callable[[Callable[[], None]], Lifecycle],
        startup_timeout_s: float = 60.0,
        patience: float = 1.0,
    ) -> None:
        self._graph = graph
        self._make_lifecycle = make_lifecycle
        self._startup_timeout_s = startup_timeout_s
        self._patience = patience
        self._lifecycle: Lifecycle | None = None
        self._active: list[NodeSpec] = []
        self._stopping = False
        self.processes: dict[str, NodeProcess] = {}

    def __enter__(self) -> "Supervisor":
        """Start all nodes; on failure everything started is ended again."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all nodes."""
        self.stop()

    def check(self) -> None:
        """Raise NodeDiedError when a node has ended, but for viewers and one that ends the run."""
        if self._stopping:
            return
        for process in self.processes.values():
            code = process.exit_code
            may_end = process.spec.external or (code == 0 and process.spec.ends_run)
            if code is None or may_end:
                continue
            raise NodeDiedError(f"{_death(process)} Last lines of {process.log}:\n{process.tail()}")

    @property
    def finished(self) -> bool:
        """A node that ends the run has ended with 0."""
        return any(p.spec.ends_run and p.exit_code == 0 for p in self.processes.values())

    def wait(self, poll_s: float = 0.1) -> None:
        """Block until a node ends the run. Raises NodeDiedError when another one ends."""
        while not self.finished:
            self.check()
            time.sleep(poll_s)

    def stop(self) -> None:
        """Make the robot safe, then end all processes; at most 5 s, with patience more."""
        self._stopping = True
        running = [p for p in self.processes.values() if p.exit_code is None]
        try:
            self._deactivate()
        finally:
            for number, patience_s in ESCALATION:
                for process in sorted(running, key=lambda p: not p.spec.stops_first):
                    process.send(number)
                if _ended(running, patience_s * self._patience):
                    break
            if self._lifecycle is not None:
                self._lifecycle.close()
                self._lifecycle = None

    def _start(self) -> None:
        run_dir = self._graph.run_dir
        environment = {**os.environ, **environment_defaults(run_dir)}
        for spec in self._graph.nodes:
            if spec.external:
                executable(spec)  # what is missing is told before anything runs
        for spec in self._graph.nodes:
            Path(spec.ready_path or "/nonexistent").unlink(missing_ok=True)
            self.processes[spec.name] = start_node(
                spec, run_dir, environment, self._graph.ros_arguments()
            )
        if not self._graph.arguments["autostart"]:
            return
        self._lifecycle = self._make_lifecycle(self.check)
        for spec in self._graph.nodes:
            self._bring_up(spec)

    def _bring_up(self, spec: NodeSpec) -> None:
        if spec.ready_path:
            self._wait_for_path(spec)
        if not spec.lifecycle:
            return
        assert self._lifecycle is not None  # set just before
        for transition in ("configure", "activate"):
            try:
                self._lifecycle.change(spec.full_name, transition, self._startup_timeout_s)
            except StartupError as error:
                process = self.processes[spec.name]
                raise StartupError(
                    f"{error} Last lines of {process.log}:\n{process.tail()}"
                ) from None
        self._active.append(spec)

    def _wait_for_path(self, spec: NodeSpec) -> None:
        deadline = time.monotonic() + self._startup_timeout_s
        while not os.path.lexists(spec.ready_path):  # a link may point at an address
            self.check()
            if time.monotonic() > deadline:
                process = self.processes[spec.name]
                raise StartupError(
                    f"{spec.name} made no {spec.ready_path} within {self._startup_timeout_s:.0f} s."
                    f" Last lines of {process.log}:\n{process.tail()}"
                )
            time.sleep(0.05)

    def _deactivate(self) -> None:
        """Deactivate the node that holds the robot. A dead or deaf one gets the signals instead."""
        for spec in [spec for spec in self._active if spec.stops_first]:
            alive = self.processes[spec.name].exit_code is None
            if alive and self._lifecycle is not None:
                try:
                    self._lifecycle.change(spec.full_name, "deactivate", DEACTIVATE_TIMEOUT_S)
                except NjfError as error:
                    print(f"warning: {error}", flush=True)
        self._active = []


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into StoppedError, so that every `with` unwinds."""

    def interrupt(number: int, frame: object) -> None:
        # A second signal must not break the shutdown in progress.
        for later in (signal.SIGINT, signal.SIGTERM):
            signal.signal(later, signal.SIG_IGN)
        raise StoppedError(f"stopped by {signal.Signals(number).name}.")

    before = {n: signal.signal(n, interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _death(process: NodeProcess) -> str:
    code = process.exit_code
    assert code is not None
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return f"{process.spec.name} {how}; all other nodes are being stopped."


def _ended(processes: list[NodeProcess], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while any(p.exit_code is None for p in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
