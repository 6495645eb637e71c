"""Dynamixel protocol 2.0 packets (XL-320, X series): pure functions and a parser, no I/O.

Written from the protocol 2.0 page of the ROBOTIS e-Manual. A packet on the wire is

    FF FF FD 00 | id | length (LE16) | instruction | [error] parameters | CRC (LE16)

where `length` counts from the instruction to the CRC, only a status packet has the error byte, and
every `FF FF FD` after the length is stuffed to `FF FF FD FD` so that a header cannot occur inside.
What the parameters mean is in `tables.py`.
"""

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum

from njf_control.drivers.dynamixel.packets import (
    BROADCAST_ID,
    Instruction,
    Packet,
    StreamParser,
    check_block_sizes,
)

HEADER = b"\xff\xff\xfd\x00"
MAX_ID = 0xFC
MAX_LENGTH = 1024  # a longer `length` field is noise, not a packet
_PREFIX_SIZE = len(HEADER) + 3  # header, id, length field
_CRC_SIZE = 2


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


def refusal(error: int) -> str:
    """Why a servo does not obey, in words; empty when the status error says that it does."""
    code = error & ~HARDWARE_ALERT
    if not code:
        return ""
    known = _ERROR_TEXTS.get(StatusError(code)) if code in set(StatusError) else None
    return known or f"unknown status error {code}"


def is_damaged(error: int) -> bool:
    """Whether the servo understood a damaged request; then it is worth asking again."""
    return error & ~HARDWARE_ALERT == StatusError.CRC


def has_alert(error: int) -> bool:
    """Whether the servo itself complains about its hardware: see its hardware error status."""
    return bool(error & HARDWARE_ALERT)


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
    check_block_sizes(size, data)
    blocks = b"".join(bytes([motor_id]) + value for motor_id, value in data.items())
    return struct.pack("<HH", address, size) + blocks


class PacketParser(StreamParser):
    """Finds packets of either direction: a status packet says by itself that it is one."""

    header = HEADER

    def _size(self, buffer: bytearray) -> int | None:
        if len(buffer) < _PREFIX_SIZE:
            return None
        (length,) = struct.unpack_from("<H", buffer, len(HEADER) + 1)
        return _PREFIX_SIZE + length if 1 + _CRC_SIZE <= length <= MAX_LENGTH else 0

    def _is_intact(self, wire: bytes) -> bool:
        return crc16(wire[:-_CRC_SIZE]) == int.from_bytes(wire[-_CRC_SIZE:], "little")

    def _decode(self, wire: bytes) -> Packet | None:
        """Decode a packet whose CRC is right; None for a status packet without error byte."""
        body = wire[_PREFIX_SIZE:-_CRC_SIZE].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
        motor_id, instruction = wire[len(HEADER)], body[0]
        if instruction != Instruction.STATUS:
            return Packet(motor_id, instruction, None, body[1:])
        if len(body) < 2:
            return None
        return Packet(motor_id, instruction, body[1], body[2:])


def status_parser() -> PacketParser:
    """What finds the servos' answers."""
    return PacketParser()


def instruction_parser() -> PacketParser:
    """What finds the requests, as a servo does."""
    return PacketParser()
