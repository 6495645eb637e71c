"""What both Dynamixel protocols share: decoded packets, and the search for them in a stream."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

BROADCAST_ID = 0xFE


class Instruction(IntEnum):
    """Instruction byte of a packet; protocol 1.0 knows those up to SYNC_WRITE, less STATUS."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    CLEAR = 0x10
    STATUS = 0x55  # on the wire only in protocol 2.0
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93


@dataclass(frozen=True)
class Packet:
    """One decoded packet; `error` is None unless it is a status packet."""

    motor_id: int
    instruction: int
    error: int | None
    parameters: bytes


class StreamParser(ABC):
    """Finds packets in a byte stream; survives noise, loss and truncation in bounded memory."""

    header: bytes

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.crc_errors = 0  # packets whose CRC or checksum was wrong
        self._buffer = bytearray()

    def reset(self) -> None:
        """Forget a partial packet, as before a new request. The error count stays."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Packet]:
        """Take the next bytes of the stream; return the packets that they complete, in order."""
        self._buffer += data
        packets = []
        while (packet := self._next()) is not None:
            packets.append(packet)
        return packets

    @abstractmethod
    def _size(self, buffer: bytearray) -> int | None:
        """Bytes of the packet that `buffer` begins with; 0: none begins here; None: wait."""

    @abstractmethod
    def _is_intact(self, wire: bytes) -> bool:
        """Whether the checksum of a whole packet is right."""

    @abstractmethod
    def _decode(self, wire: bytes) -> Packet | None:
        """Decode an intact packet; None when it says nothing."""

    def _next(self) -> Packet | None:
        while self._find_header():
            size = self._size(self._buffer)
            if size is None or len(self._buffer) < size:
                return None
            wire = bytes(self._buffer[:size])
            if not wire or not self._is_intact(wire):
                self.crc_errors += bool(wire)
                del self._buffer[:1]  # an intact packet may start inside the broken one
                continue
            del self._buffer[:size]
            if (packet := self._decode(wire)) is not None:
                return packet
        return None

    def _find_header(self) -> bool:
        """Drop what precedes a header; keep a tail that may be the beginning of one."""
        start = self._buffer.find(self.header)
        keep = start if start >= 0 else max(0, len(self._buffer) - len(self.header) + 1)
        del self._buffer[:keep]
        return start >= 0


@runtime_checkable
class Wire(Protocol):
    """One protocol's bytes: what `protocol` and `protocol1` both offer."""

    def encode_instruction(self, motor_id: int, instruction: int, parameters: bytes = b"") -> bytes:
        """Wire bytes of an instruction packet."""
        ...

    def encode_status(self, motor_id: int, error: int, parameters: bytes = b"") -> bytes:
        """Wire bytes of a status packet, as a servo answers."""
        ...

    def status_parser(self) -> StreamParser:
        """What finds the servos' answers."""
        ...

    def instruction_parser(self) -> StreamParser:
        """What finds the requests, as a servo does."""
        ...

    def read_parameters(self, address: int, size: int) -> bytes:
        """Parameters of READ."""
        ...

    def write_parameters(self, address: int, data: bytes) -> bytes:
        """Parameters of WRITE and REG_WRITE."""
        ...

    def sync_write_parameters(self, address: int, size: int, data: Mapping[int, bytes]) -> bytes:
        """Parameters of SYNC_WRITE; `data` maps motor id to exactly `size` bytes."""
        ...

    def refusal(self, error: int) -> str:
        """Why a servo does not obey, in words; empty when the status error says that it does."""
        ...

    def is_damaged(self, error: int) -> bool:
        """Whether the servo understood a damaged request; then it is worth asking again."""
        ...

    def has_alert(self, error: int) -> bool:
        """Whether the servo itself complains about its hardware."""
        ...


def check_block_sizes(size: int, data: Mapping[int, bytes]) -> None:
    """See that every servo of a SYNC_WRITE gets `size` bytes.

    Raises:
        ValueError: some data has another size.
    """
    for motor_id, value in data.items():
        if len(value) != size:
            raise ValueError(f"motor {motor_id}: {len(value)} bytes given, {size} expected")
