"""What Linux says about its video devices: stable names, and the modes a camera offers."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

BY_ID = Path("/dev/v4l/by-id")
_SHOWN_MODES = 12
_TIMEOUT_S = 5.0


def stable_names(folder: Path = BY_ID) -> list[Path]:
    """Names of the cameras that survive a reboot and another USB port, in order.

    A camera has several devices; `index0` is the one that gives images.
    """
    return sorted(folder.glob("*-video-index0")) if folder.is_dir() else []


def stable_name(device: str, folder: Path = BY_ID) -> Path | None:
    """The lasting name of /dev/videoN or index N; None: it is one already, or there is none.

    A name by path, which says the port, lasts as well: it tells twins without serial numbers apart.
    """
    if Path(device).parent in (folder, folder.with_name("by-path")):
        return None
    node = Path(f"/dev/video{device}" if device.isdigit() else device).resolve()
    return next((path for path in stable_names(folder) if path.resolve() == node), None)


def available(folder: Path = BY_ID) -> str:
    """A sentence that lists the cameras, for messages."""
    names = [str(path) for path in stable_names(folder)]
    return f"There are {', '.join(names)}." if names else f"There is no camera in {folder}."


def offered_modes(
    device: str, run: Callable[..., "subprocess.CompletedProcess[str]"] = subprocess.run
) -> list[str]:
    """Modes such as "MJPG 640x480 at 30 fps"; empty where v4l2-ctl is missing or fails."""
    command = ["v4l2-ctl", "-d", device, "--list-formats-ext"]
    try:
        result = run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_modes(result.stdout)


def parse_modes(listing: str) -> list[str]:
    """Modes in what `v4l2-ctl --list-formats-ext` prints."""
    modes, fourcc, size = [], "", ""
    for line in listing.splitlines():
        if found := re.search(r"\]: '(.{4})'", line):
            fourcc = found[1]
        elif found := re.search(r"Size: \w+ (\d+x\d+)", line):
            size = found[1]
        elif found := re.search(r"\(([\d.]+) fps\)", line):
            modes.append(f"{fourcc} {size} at {float(found[1]):g} fps")
    return modes


def advice(device: str, modes: list[str]) -> str:
    """What to do when a mode was refused: what there is, and the line that lists everything."""
    listing = f"'v4l2-ctl -d {device} --list-formats-ext'"
    if not modes:
        return f"Choose a mode from {listing}."
    more = f" and {len(modes) - _SHOWN_MODES} more" if len(modes) > _SHOWN_MODES else ""
    return f"It offers {', '.join(modes[:_SHOWN_MODES])}{more}; see {listing}."
