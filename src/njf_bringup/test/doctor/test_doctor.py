"""The doctor's checks: a failed one ends with the command that mends it."""

import os
import pty
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from njf_bringup.doctor import all_checks, cameras, hardware, machine, software
from njf_bringup.doctor.check import Check
from njf_bringup.paths import robot_file, root
from njf_control.robot import RobotConfig, load_robot

ROBOT = load_robot(robot_file("finger"))


def test_only_a_failed_line_ends_with_its_remedy() -> None:
    assert Check("a", "failed", "b", "make c").line().endswith("->  make c")
    assert "make c" not in Check("a", "ok", "b", "make c").line()


def test_this_environment_is_healthy() -> None:
    for check in (software.python(), software.packages(ROBOT), software.messages()):
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


def test_the_installed_checkpoint_fits_and_another_robots_is_told() -> None:
    path = root() / "checkpoints" / "finger" / "finger.pt"
    check = software.checkpoint(path, ROBOT)
    assert check.state == "ok" and "with its reference view" in check.detail, check.line()
    check = software.checkpoint(path, load_robot(robot_file("poppy")))
    assert check.state == "failed" and check.line().endswith("make train-poppy")


def test_a_checkpoint_of_other_networks_or_without_reference_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = torch.load(root() / "checkpoints" / "finger" / "finger.pt", weights_only=True)
    del content["reference"]
    torch.save(content, tmp_path / "blind.pt")
    check = software.checkpoint(tmp_path / "blind.pt", ROBOT)
    assert check.state == "note" and "no reference view" in check.detail
    content["jacobian"].popitem()
    torch.save(content, tmp_path / "other.pt")
    check = software.checkpoint(tmp_path / "other.pt", ROBOT)
    assert check.state == "failed" and "does not fit this version's networks" in check.detail


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


def video_tree(folder: Path) -> Path:
    """A webcam with its two nodes, a RealSense with four on one USB device, a board's codec."""
    usb = folder / "devices" / "pci0" / "usb1"
    nodes = {
        "video0": ("1-1/1-1:1.0", "0", "Webcam"),
        "video1": ("1-1/1-1:1.0", "1", "Webcam"),
        "video2": ("1-4/1-4.2/1-4.2:1.0", "0", "RealSense depth"),
        "video3": ("1-4/1-4.2/1-4.2:1.0", "1", "RealSense depth"),
        "video4": ("1-4/1-4.2/1-4.2:1.3", "0", "RealSense RGB"),
        "video5": ("1-4/1-4.2/1-4.2:1.3", "1", "RealSense RGB"),
        "video10": ("platform/codec", "0", "bcm2835-codec-decode"),
    }
    for name, (place, index, title) in nodes.items():
        (usb / place).mkdir(parents=True, exist_ok=True)
        node = folder / "class" / "video4linux" / name
        node.mkdir(parents=True)
        (node / "device").symlink_to(usb / place)
        (node / "index").write_text(index + "\n")
        (node / "name").write_text(title + "\n")
    for device in ("", "1-1", "1-4", "1-4/1-4.2"):
        (usb / device / "speed").write_text("480\n")
    return folder


def robot_with(count: int, width: int = 640, height: int = 480) -> RobotConfig:
    """A finger with so many cameras of this size [px]."""
    size = {"width": width, "height": height}
    names = [f"camera_{i}" for i in range(count)]
    rig = [ROBOT.control_camera.model_copy(update={"name": name, **size}) for name in names]
    return ROBOT.model_copy(update={"cameras": rig})


def test_cameras_are_counted_not_their_nodes(tmp_path: Path) -> None:
    sysfs = video_tree(tmp_path)
    assert cameras.capture_devices(sysfs) == ["/dev/video0", "/dev/video2"]
    assert cameras.camera_count(robot_with(2), sysfs).state == "ok"
    check = cameras.camera_count(robot_with(3), sysfs)
    assert check.state == "failed" and "2 that give images" in check.detail
    assert "v4l2-ctl --list-devices" in check.line()
    assert cameras.camera_count(robot_with(1), tmp_path / "none").state == "failed"


def test_modes_are_those_of_the_robots_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sysfs = video_tree(tmp_path)
    modes = {"/dev/video0": ["MJPG 640x480 at 30 fps"], "/dev/video2": ["YUYV 848x480 at 30 fps"]}
    monkeypatch.setattr(cameras, "offered_modes", lambda device: modes[device])
    assert cameras.camera_modes(robot_with(1), sysfs).state == "ok"
    check = cameras.camera_modes(robot_with(2), sysfs)
    assert check.state == "failed" and "offered by 1 cameras, wanted by 2" in check.detail
    assert "v4l2-ctl -d /dev/video2 --list-formats-ext" in check.line()
    monkeypatch.setattr(cameras, "offered_modes", lambda device: [])
    assert cameras.camera_modes(robot_with(1), sysfs).state == "note"


def test_cameras_share_a_bus(tmp_path: Path) -> None:
    check = cameras.camera_bandwidth(robot_with(2), video_tree(tmp_path))
    assert check.state == "ok" and "USB" in check.detail
    check = cameras.camera_bandwidth(robot_with(2, 3840, 2160), tmp_path)
    assert check.state == "failed" and "lsusb -t" in check.line()


@pytest.mark.parametrize("name", ["finger", "poppy", "allegro", "pneumatic", "hsa"])
def test_every_robot_is_examined_without_its_hardware(name: str) -> None:
    robot = load_robot(robot_file(name))
    for check in [*all_checks._hardware(robot)]:
        outcome = check()
        assert outcome.line()
        assert outcome.mend or outcome.state != "failed"


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
