"""What is wrong with a CAN interface on this computer, and the command that repairs it."""

import json
import subprocess
from typing import Any

from njf_control.drivers.allegro.protocol import BITRATE

_PATIENCE_S = 2.0


def describe_link(interface: str, channel: str) -> str:
    """Inspect a SocketCAN interface; empty when nothing is wrong or when it is another kind."""
    if interface != "socketcan":
        return ""
    return describe(channel, details(channel))


def up_command(channel: str) -> str:
    """What brings an interface up. Without restart-ms the adapter stays off the bus for good."""
    return f"`sudo ip link set {channel} up type can bitrate {BITRATE} restart-ms 100`"


def describe(channel: str, details: dict[str, Any] | None) -> str:
    """One sentence with the fix from what `ip -details -json link show` says; None: no such link.

    Empty when the interface is up, at the hand's bitrate and on the bus.
    """
    if details is None:
        return (
            f"There is no CAN interface {channel}. Plug the adapter in, see `ip link show type "
            f"can`, set driver.port or the parameter `port`, then run {up_command(channel)}."
        )
    can = details.get("linkinfo", {}).get("info_data", {})
    bitrate = can.get("bittiming", {}).get("bitrate", BITRATE)
    down = f"`sudo ip link set {channel} down`"
    if "UP" not in details.get("flags", []):
        return f"{channel} is down. Run {up_command(channel)}."
    if bitrate != BITRATE:
        return (
            f"{channel} runs at {bitrate} bit/s, the hand at {BITRATE}. Run {down}, then "
            f"{up_command(channel)}."
        )
    if can.get("state") == "BUS-OFF":
        return (
            f"{channel} is off the bus (BUS-OFF) after too many errors. Check cable and "
            f"termination, run {down}, then {up_command(channel)}."
        )
    return ""


def details(channel: str) -> dict[str, Any] | None:
    """What the system knows about a link; None when there is none, empty when it cannot tell."""
    command = ["ip", "-details", "-json", "link", "show", channel]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_PATIENCE_S, check=False)
        return json.loads(answer.stdout)[0] if answer.returncode == 0 else None
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {"flags": ["UP"]}
