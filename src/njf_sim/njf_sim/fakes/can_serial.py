r"""CAN frames on a serial line, in the byte format of python-can's interface `serial`.

    AA | time stamp u32 | length u8 | identifier u32 | data | BB        little-endian

The identifier carries SocketCAN's flags. Written from python-can's documentation ("CAN over
Serial"), not with its code.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

REMOTE, ERROR = 0x4000_0000, 0x2000_0000
_BEGIN, _END = 0xAA, 0xBB
_HEAD = struct.Struct("<BIBI")
_IDENTIFIER = 0x7FF
_LONGEST = 8


@dataclass(frozen=True)
class SerialFrame:
    """A frame; `flags` are REMOTE and ERROR."""

    identifier: int
    data: bytes = b""
    flags: int = 0
    length: int | None = None  # of the data, where the line shall say another one

    def encode(self) -> bytes:
        """The frame's bytes on the line."""
        length = len(self.data) if self.length is None else self.length
        return _HEAD.pack(_BEGIN, 0, length, self.identifier | self.flags) + self.data + b"\xbb"


class FrameParser:
    """Finds frames in a stream of bytes; garbage between them is passed over."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[SerialFrame]:
        """Take the next bytes; yield every frame that they complete."""
        self._pending += data
        while (start := self._pending.find(_BEGIN)) >= 0:
            self._pending = self._pending[start:]
            if len(self._pending) < _HEAD.size:
                return
            _, _, length, identifier = _HEAD.unpack_from(self._pending)
            end = _HEAD.size + length
            if length <= _LONGEST and len(self._pending) <= end:
                return
            if length > _LONGEST or self._pending[end] != _END:
                self._pending = self._pending[1:]
                continue
            frame_data = self._pending[_HEAD.size : end]
            self._pending = self._pending[end + 1 :]
            flags = identifier & (REMOTE | ERROR)
            yield SerialFrame(identifier & _IDENTIFIER, frame_data, flags)
        self._pending = b""
