"""Any bytes into the parser of protocol 1.0."""

import pytest

from njf_control.drivers.dynamixel import protocol1
from njf_control.drivers.dynamixel.packets import Instruction, Packet

NEWEST = 400


@pytest.mark.fuzz
@pytest.mark.parametrize("of_answers", [True, False])
def test_damaged_packets_are_decoded_as_they_were_or_refused(fuzz, of_answers):
    """A checksum of eight bits lets one damaged packet in 256 through: length and id help."""
    parser = protocol1.PacketParser(of_answers)
    sent: dict[Packet, None] = {}  # the newest, in order; more than the parser can hold back
    found, false, frames = 0, 0, fuzz.count(10_000)
    for _ in range(frames):
        parameters = fuzz.random.randbytes(fuzz.random.randrange(24))
        motor_id, head = fuzz.random.randrange(254), fuzz.random.randrange(256)
        wire = protocol1.encode_status(motor_id, head, parameters)
        assert (sum(wire[2:]) & 0xFF) == 0xFF, "the sum and its complement"
        kind = (Instruction.STATUS, head) if of_answers else (head, None)
        sent[Packet(motor_id, *kind, parameters)] = None
        for packet in parser.feed(fuzz.damaged(wire)):
            found, false = found + 1, false + (packet not in sent)
        if len(sent) > NEWEST:
            del sent[next(iter(sent))]
        assert len(parser._buffer) <= protocol1.MAX_LENGTH + 64
    assert found > frames / 5 and parser.crc_errors > frames / 20
    assert false <= 2 + frames / 50


@pytest.mark.fuzz
def test_an_intact_packet_is_found_after_any_damage_and_silence(fuzz):
    intact = protocol1.encode_status(3, 0, b"\x01\x02")
    expected = Packet(3, Instruction.STATUS, 0, b"\x01\x02")
    for _ in range(fuzz.count(2_000)):
        parser = protocol1.status_parser()
        for _ in range(fuzz.random.randrange(4)):
            parser.feed(fuzz.damaged(intact))
        parser.feed(bytes(protocol1.MAX_LENGTH + 16))  # more than any announced length
        assert parser.feed(intact)[-1:] == [expected]
