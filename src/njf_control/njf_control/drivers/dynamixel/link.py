"""What is wrong with a serial link on this computer, and the command that repairs it."""

import os
from pathlib import Path

_USB_SERIAL = Path("sys/bus/usb-serial/devices")


def describe_link(port: str, root: Path = Path("/")) -> str:
    """Inspect a serial port; empty when nothing is wrong, else one sentence per trouble and fix.

    Checks that the port exists, that this user may open it, and that the USB adapter's latency
    timer is 1 ms (the kernel's 16 ms delays every answer and reads like lost packets). `root` is
    the file system to look at, for tests.
    """
    path = root / port.lstrip("/")
    if not path.exists():
        return f"{port} does not exist. {_found_ports(root)}"
    if not os.access(path, os.R_OK | os.W_OK):
        return (
            f"{port} may not be opened by this user. Run `sudo usermod -aG dialout $USER`, "
            "then log in again."
        )
    return _describe_latency(path.resolve().name, root)


def _found_ports(root: Path) -> str:
    found = sorted(
        "/" + str(path.relative_to(root))
        for pattern in ("serial/by-id/*", "ttyUSB*", "ttyACM*")
        for path in (root / "dev").glob(pattern)
    )
    if not found:
        return "No USB serial adapter is plugged in: check cable and power."
    return f"Serial ports found: {', '.join(found)}. Set driver.port or the parameter `port`."


def _describe_latency(device: str, root: Path) -> str:
    timer = root / _USB_SERIAL / device / "latency_timer"
    try:
        latency_ms = int(timer.read_text())
    except (OSError, ValueError):
        return ""  # no FTDI adapter: nothing to tune
    if latency_ms <= 1:
        return ""
    path = f"/{_USB_SERIAL}/{device}/latency_timer"
    return f"The latency timer is {latency_ms} ms, not 1 ms. Run `echo 1 | sudo tee {path}`."
