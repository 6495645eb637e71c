"""One request at a time to a pressure board on a serial port.

A request without an intact answer in `reply_timeout_s` is repeated once under a new number: every
request of the protocol may be carried out twice without harm.
"""

import os
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import serial

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dynamixel.link import describe_link
from njf_control.drivers.pressure import board_protocol as protocol
from njf_control.drivers.pressure.board_protocol import Line
from njf_perception.errors import DeviceNotConnectedError, NjfError

_ATTEMPTS = 2
_READ_SIZE = 4096


class BoardRefusedError(NjfError):
    """The board answered that it will not do what was asked."""


@dataclass
class BoardStatistics:
    """Counts since the link was made."""

    requests: int = 0
    retries: int = 0
    timeouts: int = 0  # requests given up
    broken_lines: int = 0


class BoardLink:
    """Requests to one board. Not thread-safe: one owner."""

    def __init__(self, port: str, baud: int, reply_timeout_s: float) -> None:
        """Remember the port; `open` opens it."""
        self.port = port
        self.statistics = BoardStatistics()
        self._baud = baud
        self._reply_timeout_s = reply_timeout_s
        self._serial: serial.Serial | None = None
        self._lines = protocol.LineBuffer()
        self._number = 0

    def open(self) -> None:
        """Open the port anew, for this process alone.

        Raises:
            DeviceNotConnectedError: it cannot be opened; the message says how to repair it.
        """
        self.close()
        try:
            self._serial = serial.Serial(
                self.port, self._baud, timeout=0, write_timeout=1.0, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            advice = describe_link(self.port) or "Is another program using it? Close it first."
            raise DeviceNotConnectedError(f"cannot open {self.port}: {error}. {advice}") from None

    def close(self) -> None:
        """Close the port; harmless when it is closed or unplugged."""
        port, self._serial = self._serial, None
        if port is not None:
            port.close()

    def ask(self, verb: str, *arguments: int | str) -> tuple[str, ...]:
        """Arguments of the board's answer.

        Raises:
            NoAnswerError: no intact answer in time.
            BoardRefusedError: the board refuses.
            DeviceNotConnectedError: the port is gone.
        """
        for attempt in range(_ATTEMPTS):
            self.statistics.retries += attempt > 0
            answer = self._ask_once(verb, tuple(map(str, arguments)))
            if answer is not None:
                return self._checked(verb, answer)
        self.statistics.timeouts += 1
        raise NoAnswerError(
            f"{self.port}: the board did not answer {verb} within {self._reply_timeout_s:g} s "
            f"({_ATTEMPTS} attempts). Check its power, cable, baud rate and firmware. "
            f"{describe_link(self.port)}".rstrip()
        )

    def _ask_once(self, verb: str, arguments: tuple[str, ...]) -> Line | None:
        self._number = self._number % protocol.LARGEST_NUMBER + 1
        self.statistics.requests += 1
        self._lines.reset()
        with self._guarded_port() as port:
            port.reset_input_buffer()
            port.write(protocol.encode(Line(self._number, verb, arguments)))
        deadline_s = time.monotonic() + self._reply_timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            lines = list(self._lines.feed(self._read_some(left_s)))
            self.statistics.broken_lines = self._lines.broken
            for line in lines:
                if line.number == self._number and line.verb in (verb, "ERR"):
                    return line
        return None

    def _checked(self, verb: str, answer: Line) -> tuple[str, ...]:
        if answer.verb != "ERR":
            return answer.arguments
        code = (protocol.counts(answer.arguments[:1]) or [0])[0]
        reason = protocol.ERRORS.get(code, "it gives no known reason")
        raise BoardRefusedError(f"{self.port}: the board refuses {verb}, error {code}: {reason}.")

    def _read_some(self, timeout_s: float) -> bytes:
        """Bytes that are there or come within the time; empty when none came."""
        with self._guarded_port() as port:
            readable, _, _ = select.select([port.fileno()], [], [], timeout_s)
            if not readable:
                return b""
            data = os.read(port.fileno(), _READ_SIZE)
            if not data:  # readable without data: the other end hung up
                raise OSError("hung up")
            return data

    @contextmanager
    def _guarded_port(self) -> Iterator[serial.Serial]:
        if self._serial is None:
            raise DeviceNotConnectedError(f"{self.port} is not open. Activate again.")
        try:
            yield self._serial
        except (serial.SerialException, OSError, termios.error) as error:
            self.close()
            raise DeviceNotConnectedError(
                f"{self.port} was lost ({error}). Plug the board in again, then activate."
            ) from None
