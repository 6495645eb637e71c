"""Serial ports, network devices and cameras of a real robot."""

import os
import socket
from pathlib import Path

from njf_bringup.doctor.check import Check

LONGEST_LATENCY_MS = 1
CONNECT_S = 2.0


def serial_port(port: str) -> Check:
    """The serial device is there and may be opened."""
    if not Path(port).exists():
        return Check("serial port", "failed", f"no {port}", "plug in the adapter; ls /dev/ttyUSB*")
    if not os.access(port, os.R_OK | os.W_OK):
        mend = "sudo usermod -aG dialout $USER   # then log in again"
        return Check("serial port", "failed", f"{port} may not be opened", mend)
    return Check("serial port", "ok", port)


def latency_timer(port: str, sysfs: Path = Path("/sys/bus/usb-serial/devices")) -> Check:
    """An FTDI adapter hands bytes on at once; its 16 ms default would eat the control period."""
    path = sysfs / Path(port).resolve().name / "latency_timer"
    if not path.exists():
        return Check("latency timer", "note", f"{port} has none")
    latency_ms = int(path.read_text())
    state = "ok" if latency_ms <= LONGEST_LATENCY_MS else "failed"
    mend = f"echo {LONGEST_LATENCY_MS} | sudo tee {path}"
    return Check("latency timer", state, f"{latency_ms} ms", mend)


def network_device(host: str, port: int) -> Check:
    """Somebody listens at a TCP port of the robot's own network."""
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return Check("network device", "ok", f"{host}:{port}")
    except OSError as error:
        mend = f"ping {host}   # power, cable, and an address of this computer in its network"
        return Check("network device", "failed", f"{host}:{port}: {error}", mend)


def camera_devices(wanted: int) -> Check:
    """As many video devices as the robot has cameras."""
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    state = "ok" if len(devices) >= wanted else "failed"
    detail = f"{', '.join(devices) or 'no /dev/video*'}; the robot has {wanted} cameras"
    return Check("cameras", state, detail, "plug in the cameras; v4l2-ctl --list-devices")
