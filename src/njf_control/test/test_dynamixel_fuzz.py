"""Any bytes into the Dynamixel parser, judged by the vendor's own CRC and by nothing of ours."""

import pytest
from dynamixel_sdk.protocol2_packet_handler import Protocol2PacketHandler

from njf_control.drivers.dynamixel import protocol
from njf_control.drivers.dynamixel.protocol import Packet, PacketParser

NEWEST = 400


@pytest.mark.fuzz
def test_damaged_packets_are_decoded_as_they_were_or_refused(fuzz):
    """A packet that differs from every packet sent passes only where its CRC happens to fit."""
    parser, vendor = PacketParser(), Protocol2PacketHandler()
    sent: dict[Packet, None] = {}  # the newest, in order; more than the parser can hold back
    found, false, frames = 0, 0, fuzz.count(10_000)
    for _ in range(frames):
        parameters = fuzz.random.randbytes(fuzz.random.randrange(24))
        motor_id, error = fuzz.random.randrange(253), fuzz.random.randrange(256)
        wire = protocol.encode_status(motor_id, error, parameters)
        crc = vendor.updateCRC(0, list(wire), len(wire) - 2)
        assert int.from_bytes(wire[-2:], "little") == crc
        sent[Packet(motor_id, protocol.Instruction.STATUS, error, parameters)] = None
        for packet in parser.feed(fuzz.damaged(wire)):
            found, false = found + 1, false + (packet not in sent)
        if len(sent) > NEWEST:
            del sent[next(iter(sent))]
        assert len(parser._buffer) <= protocol.MAX_LENGTH + 64
    assert found > frames / 5 and parser.crc_errors > frames / 20
    assert false <= 2 + frames / 2000, "a CRC of 16 bits lets one in 65536 through"


@pytest.mark.fuzz
def test_an_intact_packet_is_found_after_any_damage_and_silence(fuzz):
    intact = protocol.encode_status(3, 0, b"\x01\x02")
    expected = Packet(3, protocol.Instruction.STATUS, 0, b"\x01\x02")
    for _ in range(fuzz.count(2_000)):
        parser = PacketParser()
        for _ in range(fuzz.random.randrange(4)):
            parser.feed(fuzz.damaged(intact))
        parser.feed(bytes(protocol.MAX_LENGTH + 16))  # more than any announced length
        assert parser.feed(intact)[-1:] == [expected]
