"""Protocol 1.0 packets against the e-Manual's examples and the DynamixelSDK."""

import pytest
from dynamixel_sdk.protocol1_packet_handler import Protocol1PacketHandler
from dynamixel_sdk.robotis_def import COMM_SUCCESS
from hypothesis import given
from hypothesis import strategies as st

from njf_control.drivers.dynamixel import protocol1
from njf_control.drivers.dynamixel.packets import Instruction, Packet
from njf_control.drivers.dynamixel.protocol1 import PacketParser, StatusError

MOTOR_IDS = st.integers(0, protocol1.MAX_ID)
PARAMETERS = st.lists(
    st.one_of(st.sampled_from([0xFF, 0x00, 0x55]), st.integers(0, 255)), max_size=60
).map(bytes)


class PlayedPort:
    """Stands where the SDK expects its serial port: keeps what is sent, plays one answer."""

    is_using = False

    def __init__(self, answer: bytes = b""):
        self._answer, self.sent = answer, b""

    def clearPort(self):  # noqa: N802  # the SDK's names
        pass

    def writePort(self, packet):  # noqa: N802
        self.sent = bytes(packet)
        return len(packet)

    def readPort(self, size):  # noqa: N802
        taken, self._answer = self._answer[:size], self._answer[size:]
        return list(taken)

    def isPacketTimeout(self):  # noqa: N802
        return not self._answer


@pytest.mark.parametrize(
    ("packet", "wire"),
    [
        (protocol1.encode_instruction(1, Instruction.PING), "FF FF 01 02 01 FB"),
        (
            protocol1.encode_instruction(1, Instruction.READ, protocol1.read_parameters(43, 1)),
            "FF FF 01 04 02 2B 01 CC",
        ),
        (
            protocol1.encode_instruction(
                0xFE, Instruction.WRITE, protocol1.write_parameters(3, b"\x01")
            ),
            "FF FF FE 04 03 03 01 F6",
        ),
        (
            protocol1.encode_instruction(
                0xFE,
                Instruction.SYNC_WRITE,
                protocol1.sync_write_parameters(
                    30,
                    4,
                    {
                        0: bytes.fromhex("10 00 50 01"),
                        1: bytes.fromhex("20 02 60 03"),
                        2: bytes.fromhex("30 00 70 01"),
                        3: bytes.fromhex("20 02 80 03"),
                    },
                ),
            ),
            "FF FF FE 18 83 1E 04 00 10 00 50 01 01 20 02 60 03 02 30 00 70 01 03 20 02 80 03 12",
        ),
        (protocol1.encode_status(1, 0), "FF FF 01 02 00 FC"),
        (protocol1.encode_status(1, 0, b"\x20"), "FF FF 01 03 00 20 DB"),
    ],
)
def test_packets_are_the_manuals_examples(packet, wire):
    assert packet == bytes.fromhex(wire)


def test_the_manuals_answers_are_decoded():
    answers = bytes.fromhex("FF FF 01 02 24 D8 FF FF 01 03 00 20 DB")
    assert PacketParser(of_answers=True).feed(answers) == [
        Packet(1, Instruction.STATUS, StatusError.OVERHEATING | StatusError.OVERLOAD, b""),
        Packet(1, Instruction.STATUS, 0, b"\x20"),
    ]


@given(MOTOR_IDS.filter(lambda i: i <= 0xFC), st.sampled_from([0x01, 0x02, 0x03, 0x83]), PARAMETERS)
def test_instructions_are_the_sdks_bytes(motor_id, instruction, parameters):
    port = PlayedPort()
    packet = [0, 0, motor_id, len(parameters) + 2, instruction, *parameters, 0]
    assert Protocol1PacketHandler().txPacket(port, packet) == COMM_SUCCESS
    assert protocol1.encode_instruction(motor_id, instruction, parameters) == port.sent


@given(MOTOR_IDS.filter(lambda i: i <= 0xFC), st.integers(0, 0x7F), PARAMETERS)
def test_the_sdk_reads_our_status_packets(motor_id, error, parameters):
    port = PlayedPort(protocol1.encode_status(motor_id, error, parameters))
    received, result = Protocol1PacketHandler().rxPacket(port)
    assert result == COMM_SUCCESS
    assert received[2] == motor_id and received[4] == error
    assert bytes(received[5:-1]) == parameters


@given(
    st.lists(st.tuples(MOTOR_IDS, st.integers(0, 255), PARAMETERS), max_size=4),
    st.lists(st.integers(1, 9), min_size=1, max_size=50),
)
def test_packets_survive_any_fragmentation(contents, cuts):
    wire = b"".join(protocol1.encode_status(*content) for content in contents)
    parser, found = protocol1.status_parser(), []
    while wire:
        cut = cuts[len(wire) % len(cuts)]
        found += parser.feed(wire[:cut])
        wire = wire[cut:]
    assert [(p.motor_id, p.error, p.parameters) for p in found] == contents


@given(st.integers(2, 8), st.integers(1, 255))
def test_a_flipped_byte_never_passes(position, flip):
    wire = bytearray(protocol1.encode_status(7, 0, b"\x10\x20\x30"))
    wire[position] ^= flip
    assert Packet(7, Instruction.STATUS, 0, b"\x10\x20\x30") not in PacketParser(True).feed(
        bytes(wire)
    )


def test_a_packet_is_found_behind_a_broken_one_and_behind_ones():
    broken = bytearray(protocol1.encode_status(1, 0, b"\x01"))
    broken[-1] ^= 0xFF
    parser = PacketParser(of_answers=True)
    found = parser.feed(bytes(broken) + b"\xff" * 5 + protocol1.encode_status(2, 0))
    assert found == [Packet(2, Instruction.STATUS, 0, b"")]
    assert parser.crc_errors == 1


@pytest.mark.parametrize("chunk", [b"\xff" * 64, b"\xff\xff\x01\xfa"])
def test_memory_stays_bounded(chunk):
    parser = PacketParser(of_answers=True)
    for _ in range(2000):
        parser.feed(chunk)
    assert len(parser._buffer) <= protocol1.MAX_LENGTH + 4 + len(chunk)


def test_impossible_ids_and_lengths_are_refused():
    with pytest.raises(ValueError, match="255"):
        protocol1.encode_instruction(255, Instruction.PING)
    with pytest.raises(ValueError, match="exceeds"):
        protocol1.encode_instruction(1, Instruction.WRITE, bytes(protocol1.MAX_LENGTH))
    with pytest.raises(ValueError, match="1 bytes given, 2 expected"):
        protocol1.sync_write_parameters(30, 2, {1: b"\x00"})


@pytest.mark.parametrize(
    ("error", "text", "alert"),
    [
        (0, "", False),
        (StatusError.RANGE, "range", False),
        (StatusError.ANGLE_LIMIT, "angle limits", False),
        (StatusError.OVERLOAD, "", True),
        (StatusError.OVERHEATING | StatusError.INSTRUCTION, "undefined", True),
    ],
)
def test_error_bits_are_refusals_or_alarms(error, text, alert):
    described = protocol1.refusal(int(error))
    assert text in described and bool(described) == bool(text)
    assert protocol1.has_alert(int(error)) is alert
    assert protocol1.is_damaged(int(error) | StatusError.CHECKSUM)
