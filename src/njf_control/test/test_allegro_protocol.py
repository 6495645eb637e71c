"""Frames of the Allegro hand against numbers written out from the vendor's description.

The log is candump's text, read by python-can: an independent reader of what a bus would show.
"""

import io
import os
import random

import can
import numpy as np
import pytest

from njf_control.drivers.allegro import protocol
from njf_control.drivers.allegro.protocol import (
    MODELS,
    FingerPose,
    FingerTemperature,
    Frame,
    HandInfo,
    MalformedFrameError,
    SerialNumber,
    decode,
)

FUZZ_FRAMES = int(os.environ.get("NJF_FUZZ", "20000"))
# Identifier = message << 2: positions 0x20 -> 080, INFO 0x80 -> 200, SERIAL 0x88 -> 220, ...
LOG = """\
(1700000000.000000) can0 104#
(1700000000.000100) can0 200#R
(1700000000.000300) can0 200#01040502002901
(1700000000.000400) can0 220#R
(1700000000.000600) can0 220#34462D3030303432
(1700000000.000700) can0 204#030000000000
(1700000000.003000) can0 080#01000080FF7FFFFF
(1700000000.003200) can0 084#0000000000000000
(1700000000.003400) can0 088#0000000000000000
(1700000000.003600) can0 08C#2800F6FF00004E04
(1700000000.003700) can0 0E0#292A2B2C
(1700000000.003800) can0 0EC#29000000
(1700000000.003900) can0 086#0000000000000000
"""


def frames(log: str) -> list[Frame]:
    """What python-can reads in candump's text."""
    with can.io.CanutilsLogReader(io.StringIO(log)) as reader:
        return [Frame(m.arbitration_id, bytes(m.data), m.is_remote_frame) for m in reader]


def test_a_logged_start_is_understood():
    reports = [decode(frame, 0) for frame in frames(LOG)]
    assert [report for report in reports if report is not None] == [
        HandInfo((4, 1), (2, 5), False, 41, True, False, False),
        SerialNumber("4F-00042"),
        FingerPose(0, (1, -32768, 32767, -1)),
        FingerPose(1, (0, 0, 0, 0)),
        FingerPose(2, (0, 0, 0, 0)),
        FingerPose(3, (40, -10, 0, 1102)),
        FingerTemperature(0, (41, 42, 43, 44)),
        FingerTemperature(3, (41,)),
    ]


def test_what_the_driver_sends_is_what_the_log_shows():
    sent = [
        protocol.servo(False, 0),
        protocol.request(protocol.Message.INFO, 0),
        protocol.request(protocol.Message.SERIAL, 0),
        protocol.period(3, 0, 0),
    ]
    logged = frames(LOG)
    assert sent == [logged[0], logged[1], logged[3], logged[5]]


@pytest.mark.parametrize(
    ("frame", "identifier", "data"),
    [
        (protocol.servo(True, 0), 0x100, ""),
        (protocol.servo(True, 2), 0x102, ""),
        (protocol.torque(0, [1, -1, 375, -1200], 0), 0x180, "0100 ffff 7701 50fb"),
        (protocol.torque(3, [0, 0, 0, 270], 1), 0x18D, "0000 0000 0000 0e01"),
        (protocol.period(3, 1000, 0), 0x204, "0300 0000 e803"),
    ],
)
def test_commands_are_these_bytes(frame: Frame, identifier: int, data: str):
    assert frame == Frame(identifier, bytes.fromhex(data))


def test_all_fingers_get_their_torques_in_the_order_of_the_wire():
    sent = protocol.torques(np.arange(16), 0)
    assert [frame.identifier for frame in sent] == [0x180, 0x184, 0x188, 0x18C]
    assert sent[3].data == bytes([12, 0, 13, 0, 14, 0, 15, 0])


def test_positions_in_radians():
    counts = np.array([0, 16384, -32768])
    v4 = protocol.to_radians(counts, MODELS["v4"])
    np.testing.assert_allclose(np.degrees(v4), [0.0, 83.325, -166.65], rtol=1e-12)
    np.testing.assert_allclose(v4[1] / 16384, 8.876e-5, rtol=1e-4)
    v5 = protocol.to_radians(np.array([1000]), MODELS["v5"])
    np.testing.assert_allclose(np.degrees(v5), [88.0])


@pytest.mark.parametrize("status", range(8))
def test_the_bits_of_the_status(status: int):
    info = decode(Frame(0x200, bytes([0, 4, 0, 1, 1, 60, status])), 0)
    assert isinstance(info, HandInfo) and info.is_left
    assert (info.servo_on, info.over_temperature, info.internal_fault) == (
        status in (1, 3, 5, 7),
        status in (2, 3, 6, 7),
        status in (4, 5, 6, 7),
    )


def test_other_devices_requests_and_unknown_messages_are_not_for_us():
    pose = bytes(8)
    assert decode(Frame(0x080 | 2, pose), 0) is None
    assert isinstance(decode(Frame(0x080 | 2, pose), 2), FingerPose)
    assert decode(Frame(0x0C0, pose), 0) is None, "the IMU"
    assert decode(Frame(0x200, remote=True), 0) is None
    assert decode(Frame(0x040, pose, error=True), 0) is None
    assert Frame(0x040, pose, error=True).is_bus_off
    assert not Frame(0x040, pose).is_bus_off


@pytest.mark.parametrize("identifier", [0x080, 0x0E4, 0x200, 0x220])
def test_a_wrong_length_is_told(identifier: int):
    with pytest.raises(MalformedFrameError, match="5 bytes, expected"):
        decode(Frame(identifier, bytes(5)), 0)


@pytest.mark.fuzz
def test_any_frame_is_decoded_or_refused():
    source = random.Random(0)
    understood = 0
    for _ in range(FUZZ_FRAMES):
        near = source.choice([0x080, 0x0E0, 0x200, 0x220]) + source.randrange(16)
        identifier = source.choice([near, source.randrange(2048)])
        flags = source.random() < 0.1, source.random() < 0.1
        frame = Frame(identifier, source.randbytes(source.randrange(9)), *flags)
        try:
            understood += decode(frame, source.randrange(4)) is not None
        except MalformedFrameError:
            continue
    assert understood
