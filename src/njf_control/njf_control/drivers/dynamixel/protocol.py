"""Dynamixel protocol 2.0 packets: pure functions and one stream parser, no I/O.

Written from the protocol 2.0 page of the ROBOTIS e-Manual. A packet on the wire is

    FF FF FD 00 | id | length (LE16) | instruction | [error] parameters | CRC (LE16)

where `length` counts from the instruction to the CRC, only a status packet has the error byte, and
every `FF FF FD` after the length is stuffed to `FF FF FD FD` so that a header cannot occur inside.
What the parameters mean is in `tables.py`.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

HEADER = b"\xff\xff\xfd\x00"
BROADCAST_ID = 0xFE
MAX_ID = 0xFC
MAX_LENGTH = 1024  # a longer `length` field is noise, not a packet
_PREFIX_SIZE = len(HEADER) + 3  # header, id, length field
_CRC_SIZE = 2


class Instruction(IntEnum):
    """Instruction byte of a packet."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    CLEAR = 0x10
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93


class StatusError(IntEnum):
    """Low seven bits of a status packet's error byte."""

    NONE = 0
    RESULT_FAIL = 1
    INSTRUCTION = 2
    CRC = 3
    DATA_RANGE = 4
    DATA_LENGTH = 5
    DATA_LIMIT = 6
    ACCESS = 7


HARDWARE_ALERT = 0x80  # top bit of the error byte: see the servo's hardware error status
_ERROR_TEXTS = {
    StatusError.RESULT_FAIL: "the servo could not process the instruction",
    StatusError.INSTRUCTION: "undefined instruction, or ACTION without REG_WRITE",
    StatusError.CRC: "the servo received a packet with a wrong CRC",
    StatusError.DATA_RANGE: "the value is outside the register's range",
    StatusError.DATA_LENGTH: "the data is longer or shorter than the register",
    StatusError.DATA_LIMIT: "the value is beyond the servo's configured limit",
    StatusError.ACCESS: "the register is read-only, or EEPROM while torque is on",
}


def describe_status_error(error: int) -> str:
    """Say in words what a status packet's error byte means; empty when it means no error."""
    code = error & ~HARDWARE_ALERT
    texts = []
    if code:
        known = _ERROR_TEXTS.get(StatusError(code)) if code in set(StatusError) else None
        texts.append(known or f"unknown status error {code}")
    if error & HARDWARE_ALERT:
        texts.append("hardware alert (overload, overheating or input voltage)")
    return "; ".join(texts)


@dataclass(frozen=True)
class Packet:
    """One decoded packet; `error` is None unless it is a status packet."""

    motor_id: int
    instruction: int
    error: int | None
    parameters: bytes


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x8005 if crc & 0x8000 else 0)
        table.append(crc & 0xFFFF)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """CRC-16 of the protocol: polynomial 0x8005, initial value 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc = ((crc << 8) & 0xFFFF) ^ _CRC_TABLE[(crc >> 8) ^ byte]
    return crc


def encode_instruction(motor_id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """Wire bytes of an instruction packet.

    Raises:
        ValueError: the id is no servo's and not the broadcast id, or the packet is too long.
    """
    return _encode(motor_id, bytes([instruction]) + parameters)


def encode_status(motor_id: int, error: int, parameters: bytes = b"") -> bytes:
    """Wire bytes of a status packet, as a servo answers.

    Raises:
        ValueError: see `encode_instruction`.
    """
    return _encode(motor_id, bytes([Instruction.STATUS, error]) + parameters)


def _encode(motor_id: int, body: bytes) -> bytes:
    if not (0 <= motor_id <= MAX_ID or motor_id == BROADCAST_ID):
        raise ValueError(f"motor id {motor_id} is outside 0..{MAX_ID} and not {BROADCAST_ID}")
    stuffed = body.replace(b"\xff\xff\xfd", b"\xff\xff\xfd\xfd")
    length = len(stuffed) + _CRC_SIZE
    if length > MAX_LENGTH:
        raise ValueError(f"packet length {length} exceeds {MAX_LENGTH}; send fewer parameters")
    packet = HEADER + struct.pack("<BH", motor_id, length) + stuffed
    return packet + struct.pack("<H", crc16(packet))


def read_parameters(address: int, size: int) -> bytes:
    """Parameters of READ."""
    return struct.pack("<HH", address, size)


def write_parameters(address: int, data: bytes) -> bytes:
    """Parameters of WRITE and REG_WRITE."""
    return struct.pack("<H", address) + data


def sync_read_parameters(address: int, size: int, motor_ids: Sequence[int]) -> bytes:
    """Parameters of SYNC_READ; the servos answer one after the other, in this order."""
    return struct.pack("<HH", address, size) + bytes(motor_ids)


def sync_write_parameters(address: int, size: int, data: Mapping[int, bytes]) -> bytes:
    """Parameters of SYNC_WRITE; `data` maps motor id to exactly `size` bytes.

    Raises:
        ValueError: some data has another size.
    """
    for motor_id, value in data.items():
        if len(value) != size:
            raise ValueError(f"motor {motor_id}: {len(value)} bytes given, {size} expected")
    blocks = b"".join(bytes([motor_id]) + value for motor_id, value in data.items())
    return struct.pack("<HH", address, size) + blocks


class PacketParser:
    """Finds packets in a byte stream; survives noise, loss and truncation in bounded memory."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.crc_errors = 0
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

    def _next(self) -> Packet | None:
        while self._find_header() and len(self._buffer) >= _PREFIX_SIZE:
            (length,) = struct.unpack_from("<H", self._buffer, len(HEADER) + 1)
            end = _PREFIX_SIZE + length
            if not 1 + _CRC_SIZE <= length <= MAX_LENGTH:
                self._skip_header()
                continue
            if len(self._buffer) < end:
                return None
            wire = bytes(self._buffer[:end])
            if crc16(wire[:-_CRC_SIZE]) != int.from_bytes(wire[-_CRC_SIZE:], "little"):
                self.crc_errors += 1
                self._skip_header()  # an intact packet may start inside the broken one
                continue
            del self._buffer[:end]
            if (packet := _decode(wire)) is not None:
                return packet
        return None

    def _find_header(self) -> bool:
        """Drop what precedes a header; keep a tail that may be the beginning of one."""
        start = self._buffer.find(HEADER)
        keep = start if start >= 0 else max(0, len(self._buffer) - len(HEADER) + 1)
        del self._buffer[:keep]
        return start >= 0

    def _skip_header(self) -> None:
        del self._buffer[: len(HEADER)]


def _decode(wire: bytes) -> Packet | None:
    """Decode a packet whose CRC is right; None for a status packet without error byte."""
    body = wire[_PREFIX_SIZE:-_CRC_SIZE].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
    motor_id, instruction = wire[len(HEADER)], body[0]
    if instruction != Instruction.STATUS:
        return Packet(motor_id, instruction, None, body[1:])
    if len(body) < 2:
        return None
    return Packet(motor_id, instruction, body[1], body[2:])
