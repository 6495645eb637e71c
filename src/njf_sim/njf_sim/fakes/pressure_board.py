"""A fake pressure board on a pseudo-terminal: its firmware, its lines, its air.

Reads and writes its lines by itself, not with the driver's module, so that a mistake in either
shows. The baud rate has no meaning on a pseudo-terminal.
"""

import os
import select
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from njf_sim.fakes.chambers import Chambers

_PERIOD_MS = 10
_READ_SIZE = 4096
_LONGEST_LINE = 200
_FIRMWARE = ("njf-pressure", 1)
_ON, _WATCHDOG, _SUPPLY_LOW = 1, 2, 4
_UNKNOWN_VERB, _ARGUMENT_COUNT, _RANGE = 1, 2, 3
_SHORTEST_WATCHDOG_MS, _LONGEST_WATCHDOG_MS = 50, 60_000


@dataclass
class BoardFaults:
    """What is wrong with the board. Tests and demonstrations set these while it runs."""

    mute: bool = False
    corrupt_crc: bool = False
    truncate: bool = False
    no_watchdog: bool = False  # a firmware that has none
    version: int = _FIRMWARE[1]
    supply_low: bool = False  # its pressure switch says so


class _RefusedError(Exception):
    """The request cannot be obeyed; its argument is the error code."""


class FakePressureBoard:
    """DAC and ADC with a regulator at each output. `start` it, `close` it at the end.

    Attributes:
        port: path of the pseudo-terminal's slave side.
    """

    def __init__(
        self,
        chambers: Chambers,
        outputs: Sequence[int],
        largest_count: int,
        pa_per_count: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Feed `chambers` from `outputs`; set-points and measurements have the same scale."""
        self.faults = BoardFaults()
        self._chambers, self._outputs = chambers, list(outputs)
        self._size = max(self._outputs) + 1
        self._largest_count, self._pa_per_count = largest_count, pa_per_count
        self._clock = clock
        self._pending = b""
        self.reset()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pressure_board", daemon=True)

    def reset(self) -> None:
        """The reset button: everything off and forgotten."""
        self._counts = [0] * self._size
        self._on = self._tripped = False
        self._watchdog_s = 0.0
        self._heard_s = self._clock()

    def start(self) -> None:
        """Power it."""
        self._thread.start()

    def close(self) -> None:
        """Unplug it; a connected client sees a hang-up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1
        self._chambers.burst()

    def update(self, now_s: float) -> None:
        """Move on to the time `now_s` [s]."""
        if self._on and self._watchdog_s and now_s - self._heard_s > self._watchdog_s:
            self._counts = [0] * self._size
            self._on, self._tripped = False, True
        wanted = [self._counts[output] * self._pa_per_count for output in self._outputs]
        self._chambers.update(now_s, [pressure if self._on else None for pressure in wanted])

    def respond(self, data: bytes) -> bytes:
        """What the board answers to the next bytes on its port."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        self._pending = self._pending[-_LONGEST_LINE:]
        return b"".join(self._answer(line) for line in lines)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while not self._stop.is_set():
            if poll.poll(_PERIOD_MS):
                self._send(self.respond(os.read(self._master, _READ_SIZE)))
            self.update(self._clock())

    def _send(self, answer: bytes) -> None:
        try:
            while answer:
                answer = answer[os.write(self._master, answer) :]
        except BlockingIOError:
            return  # nobody reads: on a wire the bytes would be lost as well

    def _answer(self, line: bytes) -> bytes:
        body, star, digits = line.rpartition(b"*")
        words = body.decode("ascii", "replace").split(" ")
        intact = star and digits == b"%04X" % _crc(body) and len(line) < _LONGEST_LINE
        if not intact or len(words) < 2 or not _is_count(words[0]) or self.faults.mute:
            return b""
        self._heard_s = self._clock()
        number, verb, *arguments = words
        try:
            answer = " ".join([number, verb, *map(str, self._obey(verb, arguments))])
        except _RefusedError as refusal:
            answer = f"{number} ERR {refusal.args[0]}"
        return self._damaged(answer.encode() + b"*%04X\n" % _crc(answer.encode()))

    def _damaged(self, wire: bytes) -> bytes:
        if self.faults.corrupt_crc:
            wire = wire[:-2] + (b"0" if wire[-2:-1] != b"0" else b"1") + b"\n"
        return wire[: len(wire) // 2] if self.faults.truncate else wire

    def _obey(self, verb: str, arguments: list[str]) -> list[object]:
        """Carry out one request; the arguments of its answer."""
        expected = {"ID": 0, "WDT": 1, "ON": 0, "OFF": 0, "SET": self._size, "GET": 0}
        if verb not in expected:
            raise _RefusedError(_UNKNOWN_VERB)
        if len(arguments) != expected[verb]:
            raise _RefusedError(_ARGUMENT_COUNT)
        if not all(_is_count(argument) for argument in arguments):
            raise _RefusedError(_RANGE)
        values = [int(argument) for argument in arguments]
        if verb == "ID":
            return [_FIRMWARE[0], self.faults.version, self._size, self._largest_count]
        if verb == "WDT":
            return [self._set_watchdog(values[0])]
        if verb == "SET":
            self._counts = [min(value, self._largest_count) for value in values]
            return list(self._counts)
        if verb == "GET":
            return [self._flags(), *self._measured()]
        self._on, self._tripped = verb == "ON", False
        if verb == "OFF":
            self._counts = [0] * self._size
        return []

    def _set_watchdog(self, wanted_ms: int) -> int:
        if not wanted_ms or self.faults.no_watchdog:
            granted_ms = 0
        else:
            granted_ms = min(max(wanted_ms, _SHORTEST_WATCHDOG_MS), _LONGEST_WATCHDOG_MS)
        self._watchdog_s = granted_ms / 1000.0
        return granted_ms

    def _flags(self) -> int:
        low = _SUPPLY_LOW if self.faults.supply_low else 0
        return (_ON if self._on else 0) | (_WATCHDOG if self._tripped else 0) | low

    def _measured(self) -> list[int]:
        self.update(self._clock())
        counts = [0] * self._size
        for channel, output in enumerate(self._outputs):
            count = round(self._chambers.pressure_pa[channel] / self._pa_per_count)
            counts[output] = min(max(count, 0), self._largest_count)
        return counts


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= 65_535


def _crc(data: bytes) -> int:
    """CRC-16/CCITT-FALSE, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc
