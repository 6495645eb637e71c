"""Whether cameras fit on the USB links that they share, estimated before any of them starts.

The kernel shows each device's way to its controller as nested folders, such as
`usb1/1-4/1-4.2`: a camera behind a hub that hangs on a root port of bus 1. Every link on the way,
of the speed that its lower end states, carries all cameras behind it.

The usable share is an estimate. Isochronous transfers, which UVC cameras use, get at most 80 % of
USB 2's time (USB 2.0, 5.6.4), and headers and gaps cost about a quarter of that; USB 3 of 5 Gbit/s
sends ten bits per byte, and drivers reach about 70 % of what is left.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SYSFS = Path("/sys")
_USABLE_SHARE = 0.58  # of a link's bit rate: 35 MB/s of USB 2's 480 Mbit/s, 360 MB/s of 5 Gbit/s
_BYTES_PER_PIXEL = {
    "YUYV": 2.0,
    "UYVY": 2.0,
    "Z16": 2.0,
    "Y16": 2.0,
    "NV12": 1.5,
    "RGB3": 3.0,
    "BGR3": 3.0,
    "GREY": 1.0,
    "MJPG": 0.4,  # JPEG of a lively scene at a camera's usual quality
}
_RATES_HZ = (60.0, 30.0, 25.0, 20.0, 15.0, 10.0, 5.0)


@dataclass(frozen=True)
class Mode:
    """What one camera shall send.

    Attributes:
        name: of the camera.
        device: /dev/v4l/by-id/..., /dev/videoN, or N.
        fourcc: pixel format; an unknown one counts as 2 bytes per pixel.
    """

    name: str
    device: str
    width: int
    height: int
    rate_hz: float = 30.0
    fourcc: str = "MJPG"

    @property
    def bytes_per_s(self) -> float:
        """Estimated load [byte/s]."""
        pixels = self.width * self.height
        return pixels * _BYTES_PER_PIXEL.get(self.fourcc, 2.0) * self.rate_hz


@dataclass(frozen=True)
class Link:
    """A USB link: its lower end's folder name (`usb1` is a whole bus), and its speed [bit/s]."""

    name: str
    speed_bit_s: float

    @property
    def usable_bytes_s(self) -> float:
        """What images may take of it [byte/s], an estimate."""
        return self.speed_bit_s / 8 * _USABLE_SHARE

    def __str__(self) -> str:
        bus = self.name.removeprefix("usb").split("-")[0]
        place = f"USB bus {bus}" if self.name.startswith("usb") else f"USB port {self.name}"
        return f"{place} ({self.speed_bit_s / 1e6:g} Mbit/s)"


@dataclass(frozen=True)
class Report:
    """Whether everything fits, in one sentence that says which mode would."""

    fits: bool
    sentence: str


def links(device: str, sysfs: Path = SYSFS) -> list[Link]:
    """The USB links from a video device up to its bus; empty: it is none, or not on USB."""
    node = f"video{device}" if device.isdigit() else Path(device).resolve().name
    place = sysfs / "class" / "video4linux" / node / "device"
    if not place.exists():
        return []
    found = []
    for folder in (place.resolve(), *place.resolve().parents):
        if re.fullmatch(r"usb\d+|\d+-[\d.]+", folder.name) and (folder / "speed").is_file():
            speed_mbit_s = float((folder / "speed").read_text())
            found.append(Link(folder.name, speed_mbit_s * 1e6))
    return found


def report(modes: Sequence[Mode], sysfs: Path = SYSFS) -> Report:
    """Sum the cameras of each link and compare with what it carries."""
    behind: dict[Link, list[Mode]] = {}
    for mode in modes:
        for link in links(mode.device, sysfs):
            behind.setdefault(link, []).append(mode)
    if not behind:
        return Report(True, "no USB camera among them, so nothing is known of their bandwidth")
    fullest = max(behind, key=lambda link: _load(behind[link]) / link.usable_bytes_s)
    sharing = behind[fullest]
    needs = (
        f"{', '.join(mode.name for mode in sharing)} on {fullest}: {_load(sharing) / 1e6:.1f} MB/s "
        f"of about {fullest.usable_bytes_s / 1e6:.0f}"
    )
    if _load(sharing) <= fullest.usable_bytes_s:
        return Report(True, f"{needs}, fits")
    return Report(False, f"{needs}, too much; {_remedy(sharing, fullest)}")


def _load(modes: Sequence[Mode]) -> float:
    return sum(mode.bytes_per_s for mode in modes)


def _remedy(sharing: Sequence[Mode], link: Link) -> str:
    """The mildest change of mode that fits: another format, then a lower rate, then half size."""
    for scale in (1, 2):
        for rate_hz in _RATES_HZ:
            for fourcc in (None, "MJPG"):
                changed = [_changed(mode, scale, rate_hz, fourcc) for mode in sharing]
                if _load(changed) <= link.usable_bytes_s:
                    first = changed[0]
                    return (
                        f"{first.width} x {first.height} px at {first.rate_hz:g} Hz in "
                        f"{first.fourcc} would fit, or a camera on another controller"
                    )
    return "put cameras on other controllers"


def _changed(mode: Mode, scale: int, rate_hz: float, fourcc: str | None) -> Mode:
    return replace(
        mode,
        width=mode.width // scale,
        height=mode.height // scale,
        rate_hz=min(mode.rate_hz, rate_hz),
        fourcc=fourcc or mode.fourcc,
    )
