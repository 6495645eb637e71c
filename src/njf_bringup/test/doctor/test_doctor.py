"""The doctor's checks: a failed one ends with the command that mends it."""

import os
import pty
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from njf_bringup.doctor import hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot

ROBOT = load_robot(robot_file("finger"))


def test_only_a_failed_line_ends_with_its_remedy() -> None:
    assert Check("a", "failed", "b", "make setup").line().endswith("->  make setup")
    assert "make setup" not in Check("a", "ok", "b", "make setup").line()


def test_this_environment_is_healthy() -> None:
    for check in (software.python(), software.packages(ROBOT), software.messages()):
        assert check.state == "ok", check.line()
    assert software.dds_profile().state == "ok"


@pytest.mark.ros
def test_messages_go_round_through_dds() -> None:
    check = software.dds_round_trip()
    assert check.state == "ok", check.line()


def test_packages_of_the_robots_driver_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(software.FOR_DRIVERS, "dynamixel", ("no-such-package",))
    check = software.packages(ROBOT)
    assert check.state == "failed" and "missing: no-such-package" in check.line()


def test_other_versions_are_a_note(tmp_path: Path) -> None:
    assert software.versions().state == "ok"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("numpy==1.0\n")
    check = software.versions(constraints)
    assert check.state == "note" and "tested 1.0" in check.detail
    assert software.versions(tmp_path / "none").state == "note"


def test_a_gpu_that_torch_cannot_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert machine.gpu(tmp_path / "none").state == "note"
    (tmp_path / "version").touch()
    check = machine.gpu(tmp_path / "version")
    assert check.state == "failed" and check.line().endswith("nvidia-smi")


CAN = {
    "flags": ["UP"],
    "linkinfo": {
        "info_data": {
            "state": "ERROR-ACTIVE",
            "berr_counter": {"tx": 3, "rx": 0},
            "bittiming": {"bitrate": 1_000_000},
        }
    },
}


def test_a_can_interface_that_is_up_is_described() -> None:
    check = hardware.can_interface("socketcan:can0", lambda channel: CAN)
    assert check.state == "ok"
    assert check.detail == "can0, 1000000 bit/s, ERROR-ACTIVE, errors tx 3 rx 0"
    assert hardware.can_interface("serial:/dev/pts/3").state == "note"


@pytest.mark.parametrize(
    ("change", "text", "commands"),
    [
        (None, "no CAN interface can0", 1),
        ({"flags": []}, "can0 is down", 1),
        ({"linkinfo": {"info_data": {"bittiming": {"bitrate": 500_000}}}}, "500000 bit/s", 2),
        ({"linkinfo": {"info_data": {"state": "BUS-OFF"}}}, "off the bus", 2),
    ],
)
def test_a_can_interface_that_is_not_ends_with_the_commands(
    change: dict[str, Any] | None, text: str, commands: int
) -> None:
    details = None if change is None else CAN | change
    check = hardware.can_interface("socketcan:can0", lambda channel: details)
    assert check.state == "failed" and text in check.detail
    assert check.mend.count("sudo ip link set can0") == commands
    assert check.line().endswith("up type can bitrate 1000000 restart-ms 100")


def test_an_adapters_speed_is_tried() -> None:
    master, slave = pty.openpty()
    try:
        assert hardware.baud_rate(os.ttyname(slave), 1_000_000).state == "ok"
    finally:
        os.close(master)
        os.close(slave)
    check = hardware.baud_rate("/dev/no_such_port", 1_000_000)
    assert check.state == "failed" and "stty -F /dev/no_such_port 1000000" in check.mend


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
