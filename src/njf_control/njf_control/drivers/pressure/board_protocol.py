r"""Lines of the pressure board: pure functions and one stream buffer, no I/O.

A request and its answer are one line of printable ASCII each,

    <number> <VERB> [<argument> ...]*<CRC>\n

with the CRC over everything before the `*`: CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF,
nothing reflected) as four upper-case hexadecimal digits. The answer repeats number and verb, or has
the verb ERR and a code. docs/hardware/pneumatic.md describes every verb and has a firmware sketch.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = 1
NAME = "njf-pressure"
LARGEST_LINE = 200  # bytes, with its end
LARGEST_NUMBER = 65_535
LARGEST_COUNT = 65_535
MAX_OUTPUTS = 16
FLAG_ON, FLAG_WATCHDOG, FLAG_SUPPLY_LOW = 1, 2, 4
_LINE = re.compile(rb"([0-9]{1,5}) ([A-Z]{2,3})((?: [!-)+-~]+)*)\*([0-9A-F]{4})")
ERRORS = {
    1: "unknown verb",
    2: "wrong number of arguments",
    3: "a value outside its range",
    4: "its regulators are not ready",
}


@dataclass(frozen=True)
class Line:
    """One request or answer."""

    number: int
    verb: str
    arguments: tuple[str, ...] = ()


def encode(line: Line) -> bytes:
    """The line as it goes over the wire, with CRC and end."""
    body = " ".join([str(line.number), line.verb, *line.arguments]).encode("ascii")
    return b"%s*%04X\n" % (body, crc(body))


def decode(data: bytes) -> Line | None:
    """The line in these bytes, given without its end; None when they are no intact line."""
    match = _LINE.fullmatch(data.rstrip(b"\r"))
    if match is None:
        return None
    number, verb, arguments, digits = match.groups()
    if int(digits, 16) != crc(data[: match.end(3)]) or int(number) > LARGEST_NUMBER:
        return None
    return Line(int(number), verb.decode(), tuple(arguments.decode().split()))


def crc(data: bytes) -> int:
    """CRC-16/CCITT-FALSE."""
    return binascii.crc_hqx(data, 0xFFFF)


def counts(arguments: Sequence[str]) -> list[int] | None:
    """Arguments as counts 0..65535; None when one of them is none."""
    if not all(a.isascii() and a.isdigit() and len(a) <= 5 for a in arguments):
        return None
    values = [int(argument) for argument in arguments]
    return values if max(values, default=0) <= LARGEST_COUNT else None


class LineBuffer:
    """Puts the lines of a stream together again; what is too long for a line is dropped."""

    def __init__(self) -> None:
        self._pending = b""
        self.broken = 0  # pieces that were no intact line

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take the next bytes; yield every intact line that they complete."""
        *pieces, pending = (self._pending + data).split(b"\n")
        for piece in pieces:
            line = decode(piece) if len(piece) < LARGEST_LINE else None
            if line is not None:
                yield line
            else:
                self.broken += 1
        self._pending = pending[-LARGEST_LINE:]

    def reset(self) -> None:
        """Forget an unfinished line."""
        self._pending = b""
