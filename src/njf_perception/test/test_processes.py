"""Worker processes end with the process that made them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from njf_perception.processes import worker_pool

SCRIPT = """
import os, sys, time
from njf_perception.processes import worker_pool
if __name__ == "__main__":
    with worker_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def test_every_worker_begins_as_it_was_told() -> None:
    with worker_pool(1, os.umask, 0o27) as pool:
        assert pool.submit(os.umask, 0o22).result() == 0o27
        assert pool.submit(os.getppid).result() == os.getpid()


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert _lives(worker)
    parent.send_signal(signal.SIGTERM)
    parent.wait(20)
    deadline_s = time.monotonic() + 20
    while _lives(worker) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not _lives(worker)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
