"""Dynamixel protocol 1.0 packets (AX-12): pure functions and one stream parser, no I/O.

Written from the protocol 1.0 page of the ROBOTIS e-Manual. A packet on the wire is

    FF FF | id | length | instruction or error | parameters | checksum

where `length` counts from the instruction to the checksum, and the checksum is the complement of
the sum from the id on. Nothing is stuffed, and nothing in a packet tells a request from an answer:
who parses has to know which of the two comes. There is no SYNC_READ; an AX-12 has no BULK_READ
either.
"""

from collections.abc import Mapping
from enum import IntFlag

from njf_control.drivers.dynamixel.packets import (
    BROADCAST_ID,
    Instruction,
    Packet,
    StreamParser,
    check_block_sizes,
)

HEADER = b"\xff\xff"
MAX_ID = 0xFD
MAX_LENGTH = 250  # a longer `length` field is noise: no servo has that many registers
_PREFIX_SIZE = 4  # header, id, length field


class StatusError(IntFlag):
    """Bits of a status packet's error byte: half of them refusals, half the servo's alarms."""

    NONE = 0
    INPUT_VOLTAGE = 1 << 0
    ANGLE_LIMIT = 1 << 1
    OVERHEATING = 1 << 2
    RANGE = 1 << 3
    CHECKSUM = 1 << 4
    OVERLOAD = 1 << 5
    INSTRUCTION = 1 << 6


ALARMS = StatusError.INPUT_VOLTAGE | StatusError.OVERHEATING | StatusError.OVERLOAD
_REFUSALS = {
    StatusError.ANGLE_LIMIT: "the goal is beyond the servo's angle limits",
    StatusError.RANGE: "the value is outside the register's range",
    StatusError.CHECKSUM: "the servo received a packet with a wrong checksum",
    StatusError.INSTRUCTION: "undefined instruction, or ACTION without REG_WRITE",
}


def refusal(error: int) -> str:
    """Why a servo does not obey, in words; empty when the status error says that it does."""
    texts = [text for bit, text in _REFUSALS.items() if error & bit]
    return "; ".join(texts + (["unknown status error"] if error & 0x80 else []))


def is_damaged(error: int) -> bool:
    """Whether the servo understood a damaged request; then it is worth asking again."""
    return bool(error & StatusError.CHECKSUM)


def has_alert(error: int) -> bool:
    """Whether the servo itself complains about its hardware."""
    return bool(error & ALARMS)


def checksum(data: bytes) -> int:
    """Complement of the sum of `data`, which is everything between header and checksum."""
    return ~sum(data) & 0xFF


def encode_instruction(motor_id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """Wire bytes of an instruction packet.

    Raises:
        ValueError: the id is no servo's and not the broadcast id, or the packet is too long.
    """
    return _encode(motor_id, instruction, parameters)


def encode_status(motor_id: int, error: int, parameters: bytes = b"") -> bytes:
    """Wire bytes of a status packet, as a servo answers.

    Raises:
        ValueError: see `encode_instruction`.
    """
    return _encode(motor_id, error, parameters)


def _encode(motor_id: int, head: int, parameters: bytes) -> bytes:
    if not (0 <= motor_id <= MAX_ID or motor_id == BROADCAST_ID):
        raise ValueError(f"motor id {motor_id} is outside 0..{MAX_ID} and not {BROADCAST_ID}")
    length = len(parameters) + 2
    if length > MAX_LENGTH:
        raise ValueError(f"packet length {length} exceeds {MAX_LENGTH}; send fewer parameters")
    body = bytes([motor_id, length, head]) + parameters
    return HEADER + body + bytes([checksum(body)])


def read_parameters(address: int, size: int) -> bytes:
    """Parameters of READ."""
    return bytes([address, size])


def write_parameters(address: int, data: bytes) -> bytes:
    """Parameters of WRITE and REG_WRITE."""
    return bytes([address]) + data


def sync_write_parameters(address: int, size: int, data: Mapping[int, bytes]) -> bytes:
    """Parameters of SYNC_WRITE; `data` maps motor id to exactly `size` bytes.

    Raises:
        ValueError: some data has another size.
    """
    check_block_sizes(size, data)
    blocks = b"".join(bytes([motor_id]) + value for motor_id, value in data.items())
    return bytes([address, size]) + blocks


class PacketParser(StreamParser):
    """Finds packets of one direction."""

    header = HEADER

    def __init__(self, of_answers: bool) -> None:
        """Read status packets (`of_answers`), or instructions as a servo does."""
        super().__init__()
        self._of_answers = of_answers

    def _size(self, buffer: bytearray) -> int | None:
        if len(buffer) < _PREFIX_SIZE:
            return None
        motor_id, length = buffer[2], buffer[3]
        if motor_id == 0xFF or not 2 <= length <= MAX_LENGTH:
            return 0
        return _PREFIX_SIZE + length

    def _is_intact(self, wire: bytes) -> bool:
        return checksum(wire[2:-1]) == wire[-1]

    def _decode(self, wire: bytes) -> Packet | None:
        motor_id, head, parameters = wire[2], wire[4], wire[5:-1]
        if self._of_answers:
            return Packet(motor_id, Instruction.STATUS, head, parameters)
        return Packet(motor_id, head, None, parameters)


def status_parser() -> PacketParser:
    """What finds the servos' answers."""
    return PacketParser(of_answers=True)


def instruction_parser() -> PacketParser:
    """What finds the requests, as a servo does."""
    return PacketParser(of_answers=False)
