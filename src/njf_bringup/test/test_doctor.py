"""The doctor's checks: a failed one ends with the command that mends it."""

import socket
from pathlib import Path

import pytest

from njf_bringup.doctor import hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot

ROBOT = load_robot(robot_file("finger"))


def test_only_a_failed_line_ends_with_its_remedy() -> None:
    assert Check("a", "failed", "b", "make c").line().endswith("->  make c")
    assert "make c" not in Check("a", "ok", "b", "make c").line()


def test_this_environment_is_healthy() -> None:
    for check in (software.python(), software.packages(), software.messages()):
        assert check.state == "ok", check.line()
    assert software.dds_profile().state == "ok"


@pytest.mark.ros
def test_messages_go_round_through_dds() -> None:
    check = software.dds_round_trip()
    assert check.state == "ok", check.line()


def test_a_missing_checkpoint_is_told_how_to_make(tmp_path: Path) -> None:
    check = software.checkpoint(tmp_path / "none.pt", ROBOT)
    assert check.state == "failed"
    assert check.line().endswith("make train-finger")


def test_a_missing_port_and_a_slow_latency_timer(tmp_path: Path) -> None:
    assert hardware.serial_port(str(tmp_path / "ttyUSB7")).state == "failed"
    (tmp_path / "ttyUSB7").mkdir()
    timer = tmp_path / "ttyUSB7" / "latency_timer"
    timer.write_text("16\n")
    assert hardware.latency_timer("/dev/ttyUSB7", tmp_path).line().endswith(f"tee {timer}")
    timer.write_text("1\n")
    assert hardware.latency_timer("/dev/ttyUSB7", tmp_path).state == "ok"


def test_a_network_device_is_reached_or_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert hardware.network_device("127.0.0.1", port).state == "ok"
    check = hardware.network_device("127.0.0.1", port)
    assert check.state == "failed" and "ping 127.0.0.1" in check.line()


def test_too_slow_a_disc_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "write_rate", lambda folder: 1e6)
    assert machine.disk(tmp_path, ROBOT).state == "failed"
    monkeypatch.setattr(machine, "write_rate", lambda folder: 1e9)
    assert machine.disk(tmp_path, ROBOT).state == "ok"


def test_write_rate_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROBE_BYTES", 2**20)
    assert machine.write_rate(tmp_path) > 0
    assert not list(tmp_path.iterdir())
