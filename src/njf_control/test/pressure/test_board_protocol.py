"""Lines of the pressure board, against numbers written out."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from njf_control.drivers.pressure import board_protocol as protocol
from njf_control.drivers.pressure.board_protocol import Line, LineBuffer


def test_the_crc_is_ccitt_false() -> None:
    """Its published check value: of the digits 1 to 9."""
    assert protocol.crc(b"123456789") == 0x29B1


@pytest.mark.parametrize(
    ("line", "wire"),
    [
        (Line(1, "ID"), b"1 ID*E74F\n"),
        (Line(7, "WDT", ("1000",)), b"7 WDT 1000*354D\n"),
        (Line(65535, "SET", ("0", "4095", "12")), b"65535 SET 0 4095 12*0477\n"),
    ],
)
def test_lines_on_the_wire(line: Line, wire: bytes) -> None:
    assert protocol.encode(line) == wire
    assert protocol.decode(wire[:-1]) == line


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"*",
        b"1 ID",
        b"1 ID*",
        b"1 ID*0000",
        b"1 ID*e74f",
        b" 1 ID*E74F",
        b"1 ID*E74F ",
        b"ID*E74F",
    ],
)
def test_what_is_no_intact_line(data: bytes) -> None:
    assert protocol.decode(data) is None


def test_a_wrong_number_is_no_line_though_the_crc_fits() -> None:
    body = b"65536 ID"
    assert protocol.decode(b"%s*%04X" % (body, protocol.crc(body))) is None


def test_counts() -> None:
    assert protocol.counts(["0", "65535"]) == [0, 65535]
    for wrong in ("65536", "-1", "1.5", "", "\u0661", "0x10", "99999999"):
        assert protocol.counts([wrong]) is None


def test_a_stream_is_put_together_and_noise_is_passed_over() -> None:
    buffer, wire = LineBuffer(), b"x\xff\n" + protocol.encode(Line(3, "GET")) * 2
    lines = [line for byte in wire for line in buffer.feed(bytes([byte]))]
    assert lines == [Line(3, "GET")] * 2
    assert buffer.broken == 1


def test_an_endless_line_does_not_fill_the_memory() -> None:
    buffer = LineBuffer()
    for _ in range(100):
        assert not list(buffer.feed(b"7" * 1000))
    assert len(buffer._pending) <= protocol.LARGEST_LINE
    assert not list(buffer.feed(b"\n")) and list(buffer.feed(protocol.encode(Line(1, "ON"))))


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5))
@example([b"1 ID*E74F\n" * 50])
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    buffer = LineBuffer()
    for line in (line for piece in pieces for line in buffer.feed(piece)):
        assert protocol.decode(protocol.encode(line)[:-1]) == line


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 65_535),
    st.lists(st.integers(0, 65_535), max_size=16),
    st.data(),
)
def test_one_wrong_byte_is_always_found(
    number: int, values: list[int], data: st.DataObject
) -> None:
    wire = bytearray(protocol.encode(Line(number, "SET", tuple(map(str, values))))[:-1])
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= data.draw(st.integers(1, 255))
    assert protocol.decode(bytes(wire)) is None


@pytest.mark.fuzz
def test_damaged_lines_are_decoded_as_they_were_or_refused(fuzz) -> None:
    """A line that differs from every line sent passes only where its CRC happens to fit."""
    buffer, sent, false = LineBuffer(), set(), 0
    for _ in range(fuzz.count(20_000)):
        counts = [str(fuzz.random.randrange(65_536)) for _ in range(fuzz.random.randrange(8))]
        line = Line(fuzz.random.randrange(65_536), fuzz.random.choice(["SET", "GET"]), (*counts,))
        sent.add(line)
        found = list(buffer.feed(fuzz.damaged(protocol.encode(line))))
        false += sum(other not in sent for other in found)
        if len(sent) > 1000:
            sent = {line}
        assert len(buffer._pending) <= protocol.LARGEST_LINE
    assert false <= 2 + fuzz.count(20_000) / 20_000, "a CRC of 16 bits lets one in 65536 through"
    assert buffer.broken > 1000
    assert list(buffer.feed(b"\n" + protocol.encode(Line(3, "GET")))) == [Line(3, "GET")]
