"""Packets against the e-Manual's examples, against the DynamixelSDK, and under random noise."""

import struct

import pytest
from dynamixel_sdk.protocol2_packet_handler import Protocol2PacketHandler
from dynamixel_sdk.robotis_def import COMM_SUCCESS
from hypothesis import given
from hypothesis import strategies as st

from njf_control.drivers.dynamixel import protocol
from njf_control.drivers.dynamixel.protocol import Instruction, Packet, PacketParser

MOTOR_IDS = st.integers(0, protocol.MAX_ID)
# Bytes rich in what stuffing is about.
PARAMETERS = st.lists(
    st.one_of(st.sampled_from([0xFF, 0xFD, 0x00, 0x55]), st.integers(0, 255)), max_size=60
).map(bytes)


class PlayedPort:
    """Stands where the SDK expects its serial port, and plays one answer."""

    is_using = False

    def __init__(self, answer: bytes):
        self._answer = answer

    def readPort(self, size):  # noqa: N802  # the SDK's name
        taken, self._answer = self._answer[:size], self._answer[size:]
        return list(taken)

    def isPacketTimeout(self):  # noqa: N802
        return not self._answer


def sdk_packet(motor_id: int, instruction: int, parameters: bytes) -> bytes:
    """Built from the SDK's parts, for its own `txPacket` throws the stuffed packet away (4.1.0)."""
    sdk = Protocol2PacketHandler()
    size = len(parameters) + 3
    head = [0xFF, 0xFF, 0xFD, 0x00, motor_id, size & 0xFF, size >> 8]
    packet = sdk.addStuffing([*head, instruction, *parameters, 0, 0])
    crc = sdk.updateCRC(0, packet, len(packet) - 2)
    return bytes(packet[:-2]) + struct.pack("<H", crc)


def test_ping_is_the_manuals_example():
    expected = bytes.fromhex("FF FF FD 00 01 03 00 01 19 4E")
    assert protocol.encode_instruction(1, Instruction.PING) == expected


def test_ping_answers_are_the_manuals_examples():
    first = bytes.fromhex("FF FF FD 00 01 07 00 55 00 06 04 26 65 5D")
    second = bytes.fromhex("FF FF FD 00 02 07 00 55 00 06 04 26 6F 6D")
    assert protocol.encode_status(1, 0, bytes([0x06, 0x04, 0x26])) == first
    assert PacketParser().feed(first + second) == [
        Packet(1, Instruction.STATUS, 0, b"\x06\x04\x26"),
        Packet(2, Instruction.STATUS, 0, b"\x06\x04\x26"),
    ]


def test_write_is_the_manuals_example():
    parameters = protocol.write_parameters(116, struct.pack("<I", 512))
    expected = bytes.fromhex("FF FF FD 00 01 09 00 03 74 00 00 02 00 00 CA 89")
    assert protocol.encode_instruction(1, Instruction.WRITE, parameters) == expected


def test_crc_matches_the_sdk_table():
    data = bytes(range(256)) * 3
    assert protocol.crc16(data) == Protocol2PacketHandler().updateCRC(0, data, len(data))


@given(MOTOR_IDS, st.sampled_from([0x01, 0x02, 0x03, 0x82, 0x83]), PARAMETERS)
def test_instructions_are_the_sdks_bytes(motor_id, instruction, parameters):
    ours = protocol.encode_instruction(motor_id, instruction, parameters)
    assert ours == sdk_packet(motor_id, instruction, parameters)


@given(MOTOR_IDS, st.integers(0, 255), PARAMETERS)
def test_the_sdk_reads_our_status_packets(motor_id, error, parameters):
    port = PlayedPort(protocol.encode_status(motor_id, error, parameters))
    received, result = Protocol2PacketHandler().rxPacket(port, fast_option=False)
    length = struct.unpack_from("<H", bytes(received), 5)[0]
    assert result == COMM_SUCCESS
    assert received[4] == motor_id and received[8] == error
    assert bytes(received[9 : 7 + length - 2]) == parameters


@given(MOTOR_IDS, st.integers(0, 255).filter(lambda i: i != Instruction.STATUS), PARAMETERS)
def test_decoding_undoes_encoding_of_instructions(motor_id, instruction, parameters):
    wire = protocol.encode_instruction(motor_id, instruction, parameters)
    assert PacketParser().feed(wire) == [Packet(motor_id, instruction, None, parameters)]


@given(
    st.lists(st.tuples(MOTOR_IDS, st.integers(0, 255), PARAMETERS), max_size=4),
    st.lists(st.integers(1, 9), min_size=1, max_size=50),
)
def test_packets_survive_any_fragmentation(contents, cuts):
    wire = b"".join(protocol.encode_status(*content) for content in contents)
    parser, found = PacketParser(), []
    while wire:
        cut = cuts[len(wire) % len(cuts)]
        found += parser.feed(wire[:cut])
        wire = wire[cut:]
    assert [(p.motor_id, p.error, p.parameters) for p in found] == contents


@given(st.binary(max_size=300))
def test_a_packet_is_found_after_any_noise_and_silence(noise):
    """Noise can swallow what follows only by looking like a header; `reset` then helps."""
    parser = PacketParser()
    parser.feed(noise)
    parser.reset()
    wire = protocol.encode_status(3, 0, b"\x01\x02")
    assert parser.feed(wire) == [Packet(3, Instruction.STATUS, 0, b"\x01\x02")]


@given(st.binary(max_size=40).filter(lambda noise: protocol.HEADER not in noise + b"\xff\xff\xfd"))
def test_a_packet_is_found_right_after_noise_without_header(noise):
    wire = noise + protocol.encode_status(3, 0, b"\x01\x02")
    assert PacketParser().feed(wire)[-1] == Packet(3, Instruction.STATUS, 0, b"\x01\x02")


@given(st.integers(4, 17), st.integers(1, 255))
def test_a_flipped_byte_never_passes(position, flip):
    wire = bytearray(protocol.encode_status(7, 0, b"\x10\x20\x30\x40\x50\x60\x70"))
    wire[position] ^= flip
    assert PacketParser().feed(bytes(wire)) == []


def test_wrong_crc_is_counted_and_the_next_packet_found():
    broken = bytearray(protocol.encode_status(1, 0, b"\x01"))
    broken[-1] ^= 0xFF
    parser = PacketParser()
    assert parser.feed(bytes(broken) + protocol.encode_status(2, 0)) == [
        Packet(2, Instruction.STATUS, 0, b"")
    ]
    assert parser.crc_errors == 1


def test_a_packet_inside_a_truncated_one_is_found():
    truncated = protocol.encode_status(1, 0, bytes(20))[:12]
    filler = protocol.encode_status(2, 0, b"\x05") * 3
    found = PacketParser().feed(truncated + filler)
    assert Packet(2, Instruction.STATUS, 0, b"\x05") in found


@pytest.mark.parametrize(
    "chunk", [b"\xff" * 64, protocol.HEADER * 16, b"\xff\xff\xfd\x00\x01\xff\x03"]
)
def test_memory_stays_bounded(chunk):
    parser = PacketParser()
    for _ in range(2000):
        parser.feed(chunk)
    assert len(parser._buffer) <= protocol.MAX_LENGTH + 7 + len(chunk)


def test_status_without_error_byte_is_ignored():
    wire = protocol.encode_instruction(1, Instruction.STATUS)
    assert PacketParser().feed(wire + protocol.encode_status(1, 0))[0].error == 0


def test_impossible_ids_and_lengths_are_refused():
    with pytest.raises(ValueError, match="253"):
        protocol.encode_instruction(253, Instruction.PING)
    with pytest.raises(ValueError, match="exceeds"):
        protocol.encode_instruction(1, Instruction.WRITE, bytes(protocol.MAX_LENGTH))
    with pytest.raises(ValueError, match="1 bytes given, 2 expected"):
        protocol.sync_write_parameters(30, 2, {1: b"\x00"})


def test_sync_packets_are_the_manuals_examples():
    sync_read = protocol.sync_read_parameters(132, 4, [1, 2])
    assert protocol.encode_instruction(0xFE, Instruction.SYNC_READ, sync_read) == bytes.fromhex(
        "FF FF FD 00 FE 09 00 82 84 00 04 00 01 02 CE FA"
    )
    data = {1: struct.pack("<I", 150), 2: struct.pack("<I", 170)}
    sync_write = protocol.sync_write_parameters(116, 4, data)
    assert protocol.encode_instruction(0xFE, Instruction.SYNC_WRITE, sync_write) == bytes.fromhex(
        "FF FF FD 00 FE 11 00 83 74 00 04 00 01 96 00 00 00 02 AA 00 00 00 82 87"
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (0, ""),
        (4, "range"),
        (7, "read-only"),
        (9, "unknown status error 9"),
        (0x80, ""),
        (0x84, "range"),
    ],
)
def test_status_errors_are_said_in_words(error, text):
    described = protocol.refusal(error)
    assert text in described
    assert bool(described) == bool(error & 0x7F)
    assert protocol.has_alert(error) == (error >= 0x80)
