"""Advice about a serial link, on a made-up file system."""

import os
from pathlib import Path

import pytest

from njf_control.drivers.dynamixel.link import describe_link


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    return tmp_path


def set_latency(root: Path, device: str, value: str) -> None:
    folder = root / "sys/bus/usb-serial/devices" / device
    folder.mkdir(parents=True)
    (folder / "latency_timer").write_text(value)


def test_a_missing_port_lists_what_is_there(root):
    assert "No USB serial adapter" in describe_link("/dev/ttyUSB0", root)
    (root / "dev/ttyUSB3").touch()
    assert "/dev/ttyUSB3" in describe_link("/dev/ttyUSB0", root)


def test_a_forbidden_port_names_the_group(root, monkeypatch):
    (root / "dev/ttyUSB0").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "usermod -aG dialout" in describe_link("/dev/ttyUSB0", root)


def test_a_slow_latency_timer_gives_the_command_also_through_a_link(root):
    (root / "dev/ttyUSB0").touch()
    set_latency(root, "ttyUSB0", "16\n")
    link = root / "dev/serial/by-id/usb-ROBOTIS"
    link.symlink_to(root / "dev/ttyUSB0")
    for port in ("/dev/ttyUSB0", "/dev/serial/by-id/usb-ROBOTIS"):
        advice = describe_link(port, root)
        assert "echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB0/latency_timer" in advice


def test_nothing_to_say_about_a_good_link(root):
    (root / "dev/ttyUSB0").touch()
    assert describe_link("/dev/ttyUSB0", root) == ""
    set_latency(root, "ttyUSB0", "1\n")
    assert describe_link("/dev/ttyUSB0", root) == ""
