"""What cameras need of this computer: devices that may be opened, programs, a fast port."""

import importlib
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from njf_bringup.doctor.camera_plan import CameraPlan
from njf_bringup.doctor.check import Check
from njf_bringup.doctor.video_devices import SYSFS, place, video_devices

Plans = Sequence[CameraPlan]

_USB_2_MBIT_S = 480.0


def may_be_opened(plans: Plans, sysfs: Path = SYSFS) -> Check:
    """The cameras' devices may be opened by this user."""
    nodes = [node for _, node in place(plans, sysfs) if node]
    if not nodes:
        return Check("camera access", "note", "unknown: no camera")
    absent = [node for node in nodes if not os.path.exists(node)]
    if absent:
        mend = f"docker run --device {shlex.quote(absent[0])}   # so that the container gets it"
        detail = f"no {', '.join(absent)}, though the kernel knows it"
        return Check("camera access", "failed", detail, mend)
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        mend = "sudo usermod -aG video $USER   # then log in again"
        return Check("camera access", "failed", f"{', '.join(closed)} may not be opened", mend)
    return Check("camera access", "ok", ", ".join(nodes))


def v4l2_ctl() -> Check:
    """The program that lists modes and controls of USB cameras is installed."""
    found = shutil.which("v4l2-ctl")
    detail = found or "not installed: modes of cameras are unknown"
    return Check("v4l2-ctl", "ok" if found else "failed", detail, "sudo apt install v4l-utils")


def realsense_library() -> Check:
    """The Python module that RealSense cameras need can be imported."""
    try:
        importlib.import_module("pyrealsense2")
    except ModuleNotFoundError:
        detail = "pyrealsense2 is not installed, which the source realsense needs"
        return Check("realsense", "failed", detail, "pip install pyrealsense2")
    except ImportError as error:  # a library of the system that it needs
        return Check("realsense", "failed", str(error), "sudo apt install libusb-1.0-0 libudev1")
    return Check("realsense", "ok", "pyrealsense2 is installed")


def realsense_link(plans: Plans, sysfs: Path = SYSFS) -> Check:
    """Every RealSense is on USB 3; on USB 2 it offers few modes, and fewer with depth."""
    found = [device for device in video_devices(sysfs) if device.is_realsense]
    slow = [d for d in found if d.speed_mbit_s is not None and d.speed_mbit_s <= _USB_2_MBIT_S]
    if not slow:
        state = "ok" if found else "note"
        return Check("realsense usb", state, f"{len(found) or 'none'} found, none on a slow port")
    has_depth = any(plan.source == "realsense" and plan.depth for plan in plans)
    detail = ", ".join(f"{d.node} at {d.speed_mbit_s:g} Mbit/s" for d in slow)
    advice = "it has few modes there: use a USB 3 port and a USB 3 cable"
    mend = "lsusb -t   # a port of 5000M and a USB 3 cable, then plug it in anew"
    return Check("realsense usb", "failed" if has_depth else "note", f"{detail}; {advice}", mend)
