"""A CAN adapter: frames out, frames in. Waiting is done in `select` and costs no processor time.

The adapter is whatever python-can knows that has a file descriptor: on a robot PC
`socketcan:can0`, in the simulation `serial:/dev/pts/3`, python-can's byte format for serial lines.
"""

import select
import struct
import termios
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import can

from njf_control.drivers.address import device_address
from njf_control.drivers.allegro.link import describe_link
from njf_control.drivers.allegro.protocol import BITRATE, Frame
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_SEND_PATIENCE_S = 0.05
_MOST_FLUSHED = 10_000  # frames; more are no backlog but a bus that never falls silent
_OPTIONS: dict[str, dict[str, Any]] = {"socketcan": {}, "serial": {"timeout": 0.02}}


@dataclass
class BusStatistics:
    """Counts since the bus object was made."""

    frames: int = 0
    broken_frames: int = 0  # neither the adapter nor python-can could read them


class CanBus:
    """Frames of one CAN adapter. One thread may receive while others send."""

    def __init__(self, port: str) -> None:
        """Remember the port, or the symbolic link to it; `open` opens it."""
        self.statistics = BusStatistics()
        self._port = port
        self._bus: can.BusABC | None = None
        self._descriptor = -1
        self._address = ("", "")  # of what is open: the link may be gone with its device
        self._lock = threading.Lock()  # for sending

    @property
    def port(self) -> str:
        """What `driver.port` or the parameter `port` says."""
        return self._port

    def open(self) -> None:
        """Open the adapter and drop what it has received before.

        Raises:
            ConfigError: the port names no interface of python-can, or one without descriptor.
            DeviceNotConnectedError: it cannot be opened; the message says how to repair it.
        """
        interface, channel = self._address = self._parts()
        options = _OPTIONS.get(interface, {"bitrate": BITRATE})
        try:
            self._bus = can.Bus(interface=interface, channel=channel, **options)
            self._descriptor = self._bus.fileno()
        except (can.CanInterfaceNotImplementedError, NotImplementedError) as error:
            self.close()
            raise ConfigError(
                f"port {self._port}: {error}. Expected an interface of python-can that has a file "
                "descriptor, such as socketcan:can0."
            ) from None
        except (can.CanError, OSError, ValueError, termios.error) as error:
            self.close()
            raise self._lost(f"cannot open {interface}:{channel}: {error}") from None
        for _ in range(_MOST_FLUSHED):
            if not self.has_more:
                break
            self.receive(0.0)

    def close(self) -> None:
        """Close the adapter; harmless when it is closed or gone."""
        bus, self._bus = self._bus, None
        if bus is not None:
            with suppress(can.CanError, OSError, termios.error):
                bus.shutdown()

    @property
    def has_more(self) -> bool:
        """Whether something is there to be received."""
        return self._is_ready(0.0)

    def receive(self, timeout_s: float) -> Frame | None:
        """The next frame; None when none came in time, or when what came was no frame.

        Raises:
            DeviceNotConnectedError: adapter or interface are gone.
        """
        if not self._is_ready(timeout_s):
            return None
        try:
            message = self._opened().recv(0.0)
        except (struct.error, TypeError, ValueError):  # half a frame on a serial line
            self.statistics.broken_frames += 1
            return None
        except (can.CanError, OSError) as error:
            raise self._lost(f"receiving failed: {error}") from None
        if message is None or message.is_extended_id and not message.is_error_frame:
            return None
        self.statistics.frames += 1
        data = bytes(message.data or b"")
        return Frame(message.arbitration_id, data, message.is_remote_frame, message.is_error_frame)

    def send(self, *frames: Frame) -> None:
        """Send frames in this order, without those of other threads in between.

        Raises:
            DeviceNotConnectedError: adapter or interface are gone, or nobody takes frames off it.
        """
        with self._lock:
            bus = self._opened()
            try:
                for frame in frames:
                    if not select.select([], [self._descriptor], [], _SEND_PATIENCE_S)[1]:
                        raise can.CanTimeoutError("the adapter takes no more frames")
                    bus.send(_message(frame), _SEND_PATIENCE_S)
            except (can.CanError, OSError, ValueError) as error:
                raise self._lost(f"sending failed: {error}") from None

    def describe_link(self) -> str:
        """What is wrong with the interface on this computer, and the fix; empty: nothing is."""
        return describe_link(*self._address)

    def _parts(self) -> tuple[str, str]:
        address = device_address(self._port)
        interface, colon, channel = address.partition(":")
        if not (interface and colon and channel):
            raise ConfigError(
                f"port is '{address}', expected an interface of python-can and its channel, such "
                "as socketcan:can0. Correct driver.port or the parameter `port`."
            )
        return interface, channel

    def _is_ready(self, timeout_s: float) -> bool:
        self._opened()
        try:
            return bool(select.select([self._descriptor], [], [], timeout_s)[0])
        except (OSError, ValueError) as error:
            raise self._lost(f"receiving failed: {error}") from None

    def _opened(self) -> can.BusABC:
        if self._bus is None:
            raise DeviceNotConnectedError(f"{self._port} is not open. Activate again.")
        return self._bus

    def _lost(self, what: str) -> DeviceNotConnectedError:
        advice = self.describe_link() or (
            "Check adapter and cable, that the hand has power, and that the bus is terminated at "
            "both ends."
        )
        return DeviceNotConnectedError(f"{self._port}: {what}. {advice}")


def _message(frame: Frame) -> can.Message:
    return can.Message(
        arbitration_id=frame.identifier,
        data=frame.data,
        is_extended_id=False,
        is_remote_frame=frame.remote,
    )
