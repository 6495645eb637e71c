"""Cameras: whether all are there, can send what their nodes will ask, and all of it at once."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from njf_bringup.doctor.camera_plan import CameraPlan
from njf_bringup.doctor.check import Check
from njf_bringup.doctor.video_devices import SYSFS, place, video_devices
from njf_perception.cameras.bandwidth import Mode, report
from njf_perception.cameras.v4l import offered_modes

Plans = Sequence[CameraPlan]

_RATE_TOLERANCE_HZ = 0.5  # that of the camera node
_PLUG_IN = "ls -l /dev/v4l/by-id   # plug in what is missing, or set device to one of these names"
_ONE_EACH = "ls -l /dev/v4l/by-id   # set a device of its own for each, in camera.yaml"


def camera_count(plans: Plans, sysfs: Path = SYSFS) -> Check:
    """Every camera has a device of its own that gives images."""
    devices = [device.node for device in video_devices(sysfs)]
    found = f"{len(devices)} that give images ({', '.join(devices)})" if devices else "none found"
    detail = f"{found}; the robot has {len(plans)}"
    placed = [(plan, node) for plan, node in place(plans, sysfs) if _is_device(plan)]
    missing = [_called(plan) for plan, node in placed if not node]
    if missing:
        detail += f"; not there: {', '.join(missing)}"
        return Check("cameras", "failed", detail, _PLUG_IN)
    for real, count in Counter(Path(node).resolve() for _, node in placed).items():
        if count > 1:
            names = [plan.name for plan, node in placed if Path(node).resolve() == real]
            detail = f"{' and '.join(names)} would open the same device, {real}"
            return Check("cameras", "failed", detail, _ONE_EACH)
    return Check("cameras", "ok", detail)


def camera_modes(plans: Plans, sysfs: Path = SYSFS) -> Check:
    """Every USB camera offers the mode that its node will ask for."""
    placed = [(plan, node) for plan, node in place(plans, sysfs) if node and plan.source == "uvc"]
    offers = {node: offered_modes(node) for _, node in placed}
    known = [(plan, node) for plan, node in placed if offers[node]]
    if not known:
        return Check("camera modes", "note", "unknown: no USB camera, or no v4l2-ctl")
    for plan, node in known:
        if not any(_is_wanted(mode, plan) for mode in offers[node]):
            detail = f"{plan.name} ({node}) does not offer {plan.mode}{_assumption(plans)}"
            mend = f"v4l2-ctl -d {node} --list-formats-ext   # set one of these, in camera.yaml"
            return Check("camera modes", "failed", detail, mend)
    wanted = ", ".join(sorted({plan.mode for plan, _ in known}))
    return Check("camera modes", "ok", wanted + _assumption(plans))


def camera_bandwidth(plans: Plans, sysfs: Path = SYSFS) -> Check:
    """All cameras together fit on the USB links that they share."""
    modes = [mode for plan, node in place(plans, sysfs) if node for mode in _sent(plan, node)]
    if not modes:
        return Check("camera bus", "note", "unknown: no camera")
    answer = report(modes, sysfs)
    state = "ok" if answer.fits else "failed"
    detail = answer.sentence + _assumption(plans)
    return Check("camera bus", state, detail, "lsusb -t   # put cameras on other buses")


def _sent(plan: CameraPlan, node: str) -> list[Mode]:
    """What goes over USB; a RealSense's colours go as YUYV and become RGB in this computer."""
    fourcc = "YUYV" if plan.source == "realsense" else plan.fourcc
    images = Mode(plan.name, node, plan.width, plan.height, plan.rate_hz, fourcc)
    if plan.source != "realsense" or not plan.depth:
        return [images]
    depth = Mode(f"{plan.name}'s depth", node, plan.width, plan.height, plan.rate_hz, "Z16")
    return [images, depth]


def _is_wanted(mode: str, plan: CameraPlan) -> bool:
    parts = re.fullmatch(r"(.{4}) (\d+)x(\d+) at (\S+) fps", mode)
    if parts is None:
        return False
    asked = (plan.fourcc, str(plan.width), str(plan.height))
    return parts.groups()[:3] == asked and abs(float(parts[4]) - plan.rate_hz) <= _RATE_TOLERANCE_HZ


def _is_device(plan: CameraPlan) -> bool:
    return plan.source in ("uvc", "realsense")


def _called(plan: CameraPlan) -> str:
    if plan.source == "realsense":
        return f"{plan.name} (a RealSense)"
    return f"{plan.name} ({plan.device})" if plan.device else plan.name


def _assumption(plans: Plans) -> str:
    """Which cameras' settings nobody wrote."""
    assumed = [plan.name for plan in plans if plan.is_assumed]
    if not assumed:
        return ""
    who = "" if len(assumed) == len(plans) else f" for {', '.join(assumed)}"
    return f"; defaults are assumed{who} (MJPG, 30 Hz), for want of --params-file camera.yaml"
