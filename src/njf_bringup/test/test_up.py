"""`njf up` with the real simulator and driver: comes up, goes down, leaves nothing behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def njf_up(tmp_path: Path, start_process: Callable) -> subprocess.Popen[str]:
    """A running `njf up` whose nodes are active."""
    options = ["up", "--task", "none", "--run-dir", str(tmp_path)]
    process = start_process("njf_bringup.cli", *options, stdout=subprocess.PIPE)
    for line in process.stdout:
        if "all nodes are up" in line:
            return process
    pytest.fail(f"njf up ended with {process.wait()}")


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int, timeout_s: float = 20.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(njf_up: subprocess.Popen[str], number: int, tmp_path: Path) -> None:
    nodes = children(njf_up.pid)
    assert len(nodes) == 2
    os.kill(njf_up.pid, number)
    status = njf_up.wait(30)
    assert status == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert all(ended(node) for node in nodes)
    assert not (tmp_path / "servo_port").is_symlink()
