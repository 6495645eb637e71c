"""Cameras: how many there are, whether they can send what the robot's file asks, and all at once.

One camera has several /dev/video nodes: a UVC camera two (images, and data about them), a RealSense
six. What counts are devices that give images: nodes of index 0, one for each USB device.
"""

import re
from pathlib import Path

from njf_bringup.doctor.check import Check
from njf_control.robot import RobotConfig
from njf_perception.cameras.bandwidth import Mode, report
from njf_perception.cameras.v4l import offered_modes

_SYSFS = Path("/sys")
_USB_DEVICE = re.compile(r"\d+-[\d.]+")
_NO_CAMERA = re.compile(r"codec|isp|decoder|encoder|jpeg", re.IGNORECASE)  # of a board's own chip


def capture_devices(sysfs: Path = _SYSFS) -> list[str]:
    """One /dev/video node per device that gives images, in order."""
    nodes: dict[str, str] = {}
    folders = (sysfs / "class" / "video4linux").glob("video*")
    for folder in sorted(folders, key=lambda path: int(path.name.removeprefix("video") or 0)):
        if _read(folder / "index") != "0" or _NO_CAMERA.search(_read(folder / "name")):
            continue
        nodes.setdefault(_device(folder), f"/dev/{folder.name}")
    return list(nodes.values())


def camera_count(robot: RobotConfig, sysfs: Path = _SYSFS) -> Check:
    """As many devices that give images as the robot has cameras."""
    devices, wanted = capture_devices(sysfs), len(robot.cameras)
    found = f"{len(devices)} that give images ({', '.join(devices)})" if devices else "none found"
    state = "ok" if len(devices) >= wanted else "failed"
    mend = "v4l2-ctl --list-devices   # plug in what is missing, then look with this"
    return Check("cameras", state, f"{found}; {robot.name} has {wanted}", mend)


def camera_modes(robot: RobotConfig, sysfs: Path = _SYSFS) -> Check:
    """Every size that the robot's file asks for is offered by enough of the cameras."""
    offers = {device: offered_modes(device) for device in capture_devices(sysfs)}
    if not any(offers.values()):
        return Check("camera modes", "note", "unknown: no camera, or no v4l2-ctl (v4l-utils)")
    sizes = [f"{camera.width}x{camera.height}" for camera in robot.cameras]
    for size in sorted(set(sizes)):
        able = [device for device, modes in offers.items() if any(f" {size} " in m for m in modes)]
        if len(able) < sizes.count(size):
            detail = f"{size} px is offered by {len(able)} cameras, wanted by {sizes.count(size)}"
            lacking = sorted(set(offers) - set(able))
            mend = f"v4l2-ctl -d {lacking[0] if lacking else able[0]} --list-formats-ext"
            return Check("camera modes", "failed", detail, f"{mend}   # then set width and height")
    return Check("camera modes", "ok", ", ".join(sorted(set(sizes))) + " px")


def camera_bandwidth(robot: RobotConfig, sysfs: Path = _SYSFS) -> Check:
    """All cameras together fit on the USB links that they share."""
    devices = capture_devices(sysfs)
    if not devices:
        return Check("camera bus", "note", "unknown: no camera")
    pairs = zip(robot.cameras, devices, strict=False)
    modes = [Mode(camera.name, device, camera.width, camera.height) for camera, device in pairs]
    answer = report(modes, sysfs)
    state = "ok" if answer.fits else "failed"
    return Check("camera bus", state, answer.sentence, "lsusb -t   # put cameras on other buses")


def _device(folder: Path) -> str:
    """The USB device behind a video node; elsewhere the node itself."""
    place = (folder / "device").resolve()
    for parent in (place, *place.parents):
        if _USB_DEVICE.fullmatch(parent.name):
            return str(parent)
    return str(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
