"""The supervisor with tiny real nodes: start, order, death, signals, and nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from njf_bringup.graph import NodeSpec, ResolvedGraph, Value, load_graph
from njf_bringup.nodes.lifecycle import RosLifecycle
from njf_bringup.resolve import resolve
from njf_bringup.supervisor import NodeDiedError, StartupError, Supervisor
from njf_perception.errors import ConfigError

pytestmark = pytest.mark.ros

HERE = Path(__file__).parent


@pytest.fixture
def make_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ResolvedGraph]:
    """A graph of the given nodes that runs under tmp_path."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))

    def make(*nodes: NodeSpec) -> ResolvedGraph:
        base = resolve(load_graph(), {"run_dir": str(tmp_path / "run")})
        return ResolvedGraph(list(nodes), base.arguments, base.robot)

    return make


def managed(name: str, journal: Path, stops_first: bool = False, refuse: str = "") -> NodeSpec:
    parameters: dict[str, Value] = {"journal": str(journal), "refuse": refuse}
    return NodeSpec(
        name, "tiny_nodes", "managed", "", parameters, lifecycle=True, stops_first=stops_first
    )


def plain(name: str = "plain", ready_path: str = "", ends_run: bool = False, **parameters: Value):
    return NodeSpec(
        name, "tiny_nodes", "plain", "", parameters, ready_path=ready_path, ends_run=ends_run
    )


def pids(supervisor: Supervisor) -> list[int]:
    return [process.popen.pid for process in supervisor.processes.values()]


def gone(pid: int, timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_activates_in_order_and_stops_the_robot_first(tmp_path: Path, make_graph) -> None:
    journal, port = tmp_path / "journal", str(tmp_path / "port")
    graph = make_graph(
        plain("simulator", ready_path=port, port=port),
        managed("driver", journal, stops_first=True),
        managed("brain", journal),
    )
    with Supervisor(graph, RosLifecycle) as supervisor:
        supervisor.check()
        running = pids(supervisor)
        assert journal.read_text().split("\n")[:-1] == [
            "driver configure", "driver activate", "brain configure", "brain activate",
        ]  # fmt: skip
        begin = time.monotonic()
    assert time.monotonic() - begin < 5.0
    assert journal.read_text().split("\n")[4] == "driver deactivate"
    assert all(gone(pid) for pid in running)


def test_a_node_that_gives_way_is_nice(make_graph) -> None:
    nodes = [plain("first"), replace(plain("second"), niceness=5)]
    with Supervisor(make_graph(*nodes), RosLifecycle) as supervisor:
        first, second = (os.getpriority(os.PRIO_PROCESS, pid) for pid in pids(supervisor))
    assert second == min(first + 5, 19)


def test_stale_ready_path_does_not_count(tmp_path: Path, make_graph) -> None:
    port = tmp_path / "port"
    port.touch()
    graph = make_graph(plain("simulator", ready_path=str(port)))
    supervisor = Supervisor(graph, RosLifecycle, startup_timeout_s=1.0)
    with pytest.raises(StartupError, match="simulator made no"), supervisor:
        pass


def test_refused_transition_names_node_transition_and_log(tmp_path: Path, make_graph) -> None:
    supervisor = Supervisor(
        make_graph(managed("driver", tmp_path / "journal", refuse="activate")), RosLifecycle
    )
    with pytest.raises(StartupError, match=r"(?s)/driver refused 'activate'.*on fire"):
        supervisor.__enter__()
    assert all(gone(pid) for pid in pids(supervisor))


def test_death_names_node_status_and_last_words(tmp_path: Path, make_graph) -> None:
    journal = tmp_path / "journal"
    graph = make_graph(
        managed("driver", journal, stops_first=True), plain("tired", end_after_s=6.0, exit_code=3)
    )
    supervisor = Supervisor(graph, RosLifecycle)
    death = pytest.raises(NodeDiedError, match=r"(?s)tired ended with status 3.*tired now")
    with death, supervisor:
        supervisor.wait()
    assert "driver deactivate" in journal.read_text()
    assert all(gone(pid) for pid in pids(supervisor))


def test_killed_node_is_named_with_its_signal(make_graph) -> None:
    with Supervisor(make_graph(plain()), RosLifecycle) as supervisor:
        os.kill(pids(supervisor)[0], signal.SIGKILL)
        with pytest.raises(NodeDiedError, match="plain was killed by SIGKILL"):
            supervisor.wait()


def viewer() -> NodeSpec:
    return NodeSpec("viewer", "a_viewer", "viewer", external=True, arguments=("-d", "file.rviz"))


def test_a_viewer_that_is_closed_ends_nothing(tmp_path, make_graph, monkeypatch) -> None:
    told = tmp_path / "told"
    program = tmp_path / "ros" / "lib" / "a_viewer" / "viewer"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path / 'ros'}")
    with Supervisor(make_graph(plain(), viewer()), RosLifecycle) as supervisor:
        supervisor.processes["viewer"].popen.wait(20.0)
        supervisor.check()
        assert supervisor.processes["plain"].exit_code is None
    assert told.read_text().startswith("-d file.rviz --ros-args -r __node:=viewer")


def test_a_viewer_that_is_not_installed_is_told_before_anything_runs(make_graph) -> None:
    supervisor = Supervisor(make_graph(plain(), viewer()), RosLifecycle)
    with pytest.raises(ConfigError, match=r"viewer is not installed.*ros-jazzy-a-viewer.*leave"):
        supervisor.__enter__()
    assert supervisor.processes == {}


def test_the_run_ends_with_the_node_that_ends_it(make_graph) -> None:
    graph = make_graph(plain("explorer", ends_run=True, end_after_s=0.1), plain("other"))
    with Supervisor(graph, RosLifecycle) as supervisor:
        supervisor.wait()
        assert supervisor.processes["other"].exit_code is None


def test_deaf_node_is_killed_within_5_s(tmp_path: Path, make_graph, wait_until) -> None:
    deaf = tmp_path / "deaf"
    graph = make_graph(plain("deaf", deaf=True, port=str(deaf)))
    with Supervisor(graph, RosLifecycle) as supervisor:
        process = supervisor.processes["deaf"]
        wait_until(deaf.exists)
        begin = time.monotonic()
    assert time.monotonic() - begin < 5.0
    assert process.exit_code == -signal.SIGKILL


def test_nodes_end_when_the_supervisor_is_killed(tmp_path: Path, make_graph) -> None:
    code = f"""
        import time
        from njf_bringup.graph import NodeSpec, ResolvedGraph, load_graph
        from njf_bringup.nodes.lifecycle import RosLifecycle
        from njf_bringup.resolve import resolve
        from njf_bringup.supervisor import Supervisor
        base = resolve(load_graph(), {{"run_dir": {str(tmp_path / "run")!r}}})
        node = NodeSpec("plain", "tiny_nodes", "plain")
        with Supervisor(ResolvedGraph([node], base.arguments, base.robot), RosLifecycle) as s:
            print(s.processes["plain"].popen.pid, flush=True)
            time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(child)
