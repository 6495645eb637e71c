"""Runs at once are in different ROS domains."""

import subprocess
import sys
from pathlib import Path

from njf_bringup import domain
from njf_bringup.domain import DOMAINS, take_free_domain

TAKE = """
import sys
from pathlib import Path
from njf_bringup.domain import take_free_domain
print(take_free_domain(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TAKE, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def domain_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_no_two_processes_get_the_same_domain(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(domain, "_held", {})
    other = start(tmp_path)
    theirs = domain_of(other)
    ours = {take_free_domain(tmp_path) for _ in range(len(DOMAINS) - 1)}
    assert ours == set(DOMAINS) - {theirs}
    assert take_free_domain(tmp_path) in DOMAINS, "all are taken, so any"
    other.communicate()
    assert other.returncode == 0
    assert take_free_domain(tmp_path) == theirs, "free again when its process has ended"


def test_a_folder_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(domain, "_held", {})
    assert take_free_domain(tmp_path / "missing") in DOMAINS
