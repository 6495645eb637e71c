"""Devices that give images, as the kernel lists them.

One camera has several /dev/video nodes: a UVC camera two (images, and data about them), a RealSense
six. What counts are devices that give images: nodes of index 0, one for each USB device.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from njf_bringup.doctor.camera_plan import CameraPlan

SYSFS = Path("/sys")
_USB_DEVICE = re.compile(r"\d+-[\d.]+")
_NO_CAMERA = re.compile(r"codec|isp|decoder|encoder|jpeg", re.IGNORECASE)  # of a board's own chip


@dataclass(frozen=True)
class VideoDevice:
    """A device that gives images.

    Attributes:
        node: /dev/videoN.
        name: what it calls itself.
        speed_mbit_s: of its USB link [Mbit/s]; None: unknown, or not on USB.
    """

    node: str
    name: str
    speed_mbit_s: float | None

    @property
    def is_realsense(self) -> bool:
        """Whether it is one of Intel's RealSense."""
        return "realsense" in self.name.lower()


def video_devices(sysfs: Path = SYSFS) -> list[VideoDevice]:
    """All devices that give images, in order of their nodes' numbers."""
    found: dict[Path, VideoDevice] = {}
    folders = (sysfs / "class" / "video4linux").glob("video*")
    for folder in sorted(folders, key=lambda path: int(path.name.removeprefix("video") or 0)):
        name = _read(folder / "name")
        if _read(folder / "index") != "0" or _NO_CAMERA.search(name):
            continue
        place = _device(folder)
        speed = _read(place / "speed")
        device = VideoDevice(f"/dev/{folder.name}", name, float(speed) if speed else None)
        found.setdefault(place, device)
    return list(found.values())


def place(plans: Sequence[CameraPlan], sysfs: Path = SYSFS) -> list[tuple[CameraPlan, str]]:
    """Each camera with its node, "" where there is none.

    A USB camera has the one that its settings name. RealSense, and all cameras when there is no
    file of settings, get what there is in its order.
    """
    devices = video_devices(sysfs)
    realsense = [device.node for device in devices if device.is_realsense]
    unnamed = [device.node for device in devices]
    placed = []
    for plan in plans:
        if plan.source in ("video", "bag"):
            node = ""
        elif plan.source == "realsense":
            node = realsense.pop(0) if realsense else ""
        elif not plan.device:
            node = unnamed.pop(0) if unnamed else ""
        else:
            node = f"/dev/video{plan.device}" if plan.device.isdigit() else plan.device
            there = sysfs / "class" / "video4linux" / Path(node).resolve().name
            node = node if there.exists() else ""
        placed.append((plan, node))
    return placed


def _device(folder: Path) -> Path:
    """The USB device behind a video node; elsewhere the node itself."""
    place = (folder / "device").resolve()
    for parent in (place, *place.parents):
        if _USB_DEVICE.fullmatch(parent.name):
            return parent
    return folder


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
