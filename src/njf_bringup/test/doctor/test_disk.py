"""The doctor's look at the disc: whether it takes all cameras, and whether it takes anything."""

import errno
from pathlib import Path

import pytest

from njf_bringup.doctor import machine
from njf_bringup.paths import robot_file
from njf_control.robot import RobotConfig, load_robot

ROBOT = load_robot(robot_file("finger"))


def rig(count: int, depth: bool = False) -> RobotConfig:
    """A finger with so many cameras of 640 x 480 px."""
    changes = {"width": 640, "height": 480, "depth": depth}
    named = [changes | {"name": f"camera_{i}"} for i in range(count)]
    cameras = [ROBOT.control_camera.model_copy(update=change) for change in named]
    return ROBOT.model_copy(update={"cameras": cameras})


def test_a_raw_camera_takes_what_the_document_says() -> None:
    """docs/recording.md: 27.6 MB/s of colour, 18.4 of depth, at 30 Hz."""
    assert machine.raw_bytes_s(rig(1), {}, 30.0) == pytest.approx(27.6e6, rel=2e-3)
    assert machine.raw_bytes_s(rig(1, depth=True), {}, 30.0) == pytest.approx(46.1e6, rel=2e-3)
    slow = {"camera_0": 15.0}
    assert machine.raw_bytes_s(rig(2), slow, 30.0) == pytest.approx(1.5 * 27.6e6, rel=2e-3)


def test_a_hard_disk_of_100_mb_a_second_takes_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "write_rate", lambda folder: 100e6)
    assert machine.disk(tmp_path, machine.raw_bytes_s(rig(3), {}, 30.0)).state == "ok"
    check = machine.disk(tmp_path, machine.raw_bytes_s(rig(4), {}, 30.0))
    assert check.state == "failed" and "need 111" in check.detail


def test_a_folder_that_takes_nothing_is_a_failed_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = machine.disk(tmp_path / "not there", 1e6)
    assert check.state == "failed" and f"ls -ld '{tmp_path}/not there'" in check.mend

    def refuse(**named: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(machine.tempfile, "NamedTemporaryFile", refuse)
    check = machine.disk(tmp_path, 1e6)
    assert check.state == "failed" and "Read-only file system" in check.detail


def test_a_full_disk_is_a_failed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_full(**named: object) -> object:
        return open("/dev/full", "wb", buffering=0)

    monkeypatch.setattr(machine.tempfile, "NamedTemporaryFile", open_full)
    check = machine.disk(Path("/tmp"), 1e6)
    assert check.state == "failed" and "No space left" in check.detail


def test_write_rate_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROBE_BYTES", 2**20)
    assert machine.write_rate(tmp_path) > 0
    assert not list(tmp_path.iterdir())
