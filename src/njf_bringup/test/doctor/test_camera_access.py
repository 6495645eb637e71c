"""What the doctor says that cameras lack: permissions, programs, a fast port."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from njf_bringup.doctor import camera_access
from njf_bringup.doctor.camera_plan import CameraPlan


def one(settings: dict[str, Any]) -> list[CameraPlan]:
    """A rig of one camera."""
    return [CameraPlan(name="camera_0", width=640, height=480, **settings)]


@pytest.fixture
def device(sysfs: Path, tmp_path: Path) -> Path:
    """A device file of the kernel's video0."""
    (tmp_path / "video0").touch()
    return tmp_path / "video0"


def test_a_device_has_to_be_opened(
    device: Path, sysfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = one({"device": str(device)})
    assert camera_access.may_be_opened(plans, sysfs).state == "ok"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check = camera_access.may_be_opened(plans, sysfs)
    assert check.state == "failed"
    assert check.mend == "sudo usermod -aG video $USER   # then log in again"
    device.unlink()
    check = camera_access.may_be_opened(plans, sysfs)
    assert check.state == "failed" and f"docker run --device {device}" in check.mend
    assert camera_access.may_be_opened(one({"device": "9"}), sysfs).state == "note"


def test_v4l2_ctl_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    check = camera_access.v4l2_ctl()
    assert (check.state, check.mend) == ("failed", "sudo apt install v4l-utils")
    (tmp_path / "v4l2-ctl").touch(0o755)
    assert camera_access.v4l2_ctl().state == "ok"


def test_the_realsense_library_is_imported(without: Callable[[str], None]) -> None:
    without("pyrealsense2")
    check = camera_access.realsense_library()
    assert (check.state, check.mend) == ("failed", "pip install pyrealsense2")


def test_the_realsense_library_may_lack_one_of_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pyrealsense2", raising=False)
    module = tmp_path / "pyrealsense2.py"
    module.write_text("raise ImportError('libusb-1.0.so.0: cannot open shared object file')")
    check = camera_access.realsense_library()
    assert check.state == "failed" and "libusb" in check.detail and "apt install" in check.mend


@pytest.mark.parametrize(("depth", "state"), [(True, "failed"), (False, "note")])
def test_a_realsense_on_usb_2_is_told(depth: bool, state: str, sysfs: Path) -> None:
    plans = one({"source": "realsense", "depth": depth})
    check = camera_access.realsense_link(plans, sysfs)
    assert check.state == state
    assert "/dev/video2 at 480 Mbit/s" in check.detail and "USB 3 port" in check.detail
    (sysfs / "devices/pci0/usb1/1-4/1-4.2/speed").write_text("5000\n")
    assert camera_access.realsense_link(plans, sysfs).state == "ok"
