"""Serial ports, CAN interfaces and network devices of a real robot."""

import os
import re
import socket
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from njf_bringup.doctor.check import Check
from njf_control.drivers.allegro import link

Details = Callable[[str], dict[str, Any] | None]

LONGEST_LATENCY_MS = 1
CONNECT_S = 2.0


def serial_port(port: str) -> Check:
    """The serial device is there and may be opened."""
    if not Path(port).exists():
        mend = "ls -l /dev/serial/by-id   # plug in the adapter, and set driver.port to its name"
        return Check("serial port", "failed", f"no {port}", mend)
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


def baud_rate(port: str, baud: int) -> Check:
    """The adapter takes the robot's speed."""
    import serial  # here, for a doctor without it still says what else is wrong

    try:
        with serial.Serial(port, baud, timeout=0) as opened:
            granted = opened.baudrate
    except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
        mend = (
            f"stty -F {port} {baud}   # refused too? Then another adapter, or a lower driver.baud"
        )
        return Check("baud rate", "failed", f"{port} at {baud} bit/s: {error}", mend)
    return Check("baud rate", "ok", f"{granted} bit/s")


def can_interface(port: str, details: Details = link.details) -> Check:
    """The CAN interface of `socketcan:<channel>` is up, at the hand's bit rate, and on the bus."""
    interface, _, channel = port.partition(":")
    if interface != "socketcan":
        return Check("can", "note", f"{port} is looked at when the driver connects")
    found = details(channel)
    trouble = link.describe(channel, found)
    if trouble:
        commands = re.findall(r"`(sudo [^`]+)`", trouble)
        sentence = trouble.partition(" Run ")[0]
        return Check("can", "failed", sentence, " && ".join(commands))
    can = (found or {}).get("linkinfo", {}).get("info_data", {})
    bitrate = can.get("bittiming", {}).get("bitrate", "unknown")
    errors = can.get("berr_counter", {})
    counted = f", errors tx {errors['tx']} rx {errors['rx']}" if {"tx", "rx"} <= set(errors) else ""
    return Check("can", "ok", f"{channel}, {bitrate} bit/s, {can.get('state', 'up')}{counted}")
