"""The doctor's list of checks: which are made, and what becomes of one that cannot be."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from njf_bringup.doctor import all_checks, hardware, machine
from njf_bringup.doctor.check import Check
from njf_bringup.graph import load_graph
from njf_bringup.resolve import resolve

WITHOUT = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("serial", "torch"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = ["njf", "doctor", "--hardware"]
from njf_bringup.cli import main
main()
"""


@pytest.mark.ros
def test_without_pyserial_and_torch_all_lines_are_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    *lines, verdict = done.stdout.splitlines()
    failed = {line[8:24].strip() for line in lines if line.startswith("failed")}
    assert {"baud rate", "gpu", "checkpoint"} <= failed, done.stdout + done.stderr
    assert verdict == f"{len([x for x in lines if x.startswith('failed')])} of the checks failed."
    assert "dds round trip" in lines[-1] and "No module named 'torch'" in done.stdout
    assert done.returncode == 1 and not done.stderr


def test_a_package_that_is_missing_is_a_failed_line(without: Callable[[str], None]) -> None:
    without("serial")
    without("torch")
    for name, check in [
        ("gpu", machine.gpu),
        ("baud rate", lambda: hardware.baud_rate("/dev/ttyUSB7", 1)),
    ]:
        outcome = all_checks.guarded(name, check)
        assert (outcome.name, outcome.state) == (name, "failed")
        assert "No module named" in outcome.detail and "make setup" in outcome.mend


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (ModuleNotFoundError("no", name="njf_msgs.msg"), "stamps/njf_msgs && make setup"),
        (ModuleNotFoundError("no", name="rclpy"), "stamps/dependencies && make setup"),
        (ImportError("libGL.so.1: cannot open shared object file"), "make setup"),
        (OSError(errno.ENOSPC, "No space left on device"), "df -h"),
        (PermissionError(errno.EACCES, "Permission denied", "/a b"), "ls -ld '/a b'"),
        (OSError(errno.EIO, "Input/output error"), "dmesg"),
    ],
)
def test_an_error_is_a_failed_line(error: ImportError | OSError, command: str) -> None:
    def check() -> Check:
        raise error

    outcome = all_checks.guarded("a", check)
    assert outcome.state == "failed" and str(error) in outcome.detail
    assert command in outcome.mend


@pytest.mark.parametrize("name", ["finger", "poppy", "allegro", "pneumatic", "hsa"])
def test_every_robot_is_examined_without_its_hardware(name: str) -> None:
    graph = resolve(load_graph(), {"robot": name, "sim": False, "cameras": "all"})
    planned = all_checks.plans(graph.nodes)
    for title, check in [*all_checks._bus(graph.robot), *all_checks._cameras(planned)]:
        assert check().name == title


def checks_of(tmp_path: Path, settings: str) -> list[str]:
    """Names of the checks of cameras with these settings for all of them."""
    path = tmp_path / "camera.yaml"
    path.write_text(f"/**: {{ros__parameters: {{{settings}}}}}")
    graph = resolve(load_graph(), {"sim": False, "params_file": str(path)})
    return [name for name, _ in all_checks._cameras(all_checks.plans(graph.nodes, path))]


def test_what_a_source_needs_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_checks, "video_devices", lambda: [])
    usb = checks_of(tmp_path, "source: uvc")
    assert "v4l2-ctl" in usb and "realsense" not in usb
    real = checks_of(tmp_path, "source: realsense")
    assert "v4l2-ctl" not in real and {"realsense", "realsense usb"} <= set(real)


@pytest.mark.parametrize(
    ("options", "mb_s"),
    [
        ({}, 37),
        ({"camera_rate_hz": 10.0}, 18),
        ({"sim": False}, 55),
        ({"sim": False, "params_file": "camera.yaml"}, 28),
    ],
)
def test_the_disk_is_asked_for_what_the_cameras_send(
    options: dict[str, bool | float | str],
    mb_s: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The finger has eight cameras of 320 x 240 px; real ones send 30 Hz, simulated ones 20."""
    (tmp_path / "camera.yaml").write_text("/**: {ros__parameters: {rate_hz: 15.0}}")
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(machine, "disk", lambda folder, needed: asked.append(needed))
    for name in ("software.dds_round_trip", "model.checkpoint", "machine.gpu"):
        module, function = name.split(".")
        monkeypatch.setattr(getattr(all_checks, module), function, lambda *args: None)
    list(all_checks.run_checks(resolve(load_graph(), {"cameras": "all"} | options)))
    assert round(asked[0] / 1e6) == mb_s
