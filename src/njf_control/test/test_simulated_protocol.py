"""Messages between a simulated robot's driver and its simulator."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from njf_control.drivers.simulated.protocol import (
    LARGEST_LINE,
    Applied,
    Done,
    Hello,
    LineBuffer,
    Order,
    ProtocolError,
    Refused,
    Send,
    State,
    decode_reply,
    decode_request,
    encode,
)

FINITE = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4)


@given(FINITE, FINITE)
def test_values_survive_the_way_exactly(position, velocity):
    state = State(number=3, position=position, velocity=velocity)
    assert decode_reply(encode(state)) == state
    send = Send(number=4, setpoints=position)
    assert decode_request(encode(send)) == send


@pytest.mark.parametrize(
    "request_",
    [Hello(number=1, robot="r", channels=["a"]), Order(kind="read", number=2)],
)
def test_requests_survive_the_way(request_):
    assert decode_request(encode(request_)) == request_


@pytest.mark.parametrize(
    "reply", [Applied(number=1, setpoints=[1.0]), Done(number=2), Refused(number=3, reason="no")]
)
def test_replies_survive_the_way(reply):
    assert decode_reply(encode(reply)) == reply


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"AT+OK",
        b'{"kind": "dance", "number": 1}',
        b'{"kind": "read"}',
        b'{"kind": "read", "number": 1, "more": 2}',
        b'{"kind": "send", "number": 1, "setpoints": [NaN]}',
        b'{"kind": "send", "number": 1, "setpoints": [1e999]}',
    ],
)
def test_what_is_no_request_is_refused(line):
    with pytest.raises(ProtocolError, match="is no message of protocol version 1"):
        decode_request(line)


@given(st.lists(st.integers(1, 9), max_size=20))
def test_lines_are_put_together_from_any_pieces(sizes):
    wire = b"".join(encode(Done(number=number)) for number in range(5))
    buffer, lines, start = LineBuffer(), [], 0
    for size in [*sizes, len(wire)]:
        lines += buffer.feed(wire[start : start + size])
        start += size
    assert [decode_reply(line).number for line in lines] == list(range(5))


def test_an_endless_line_is_refused():
    buffer = LineBuffer()
    assert not list(buffer.feed(b"x" * LARGEST_LINE))
    with pytest.raises(ProtocolError, match="a line of more than"):
        list(buffer.feed(b"x"))


@pytest.mark.fuzz
def test_damaged_messages_are_read_or_refused(fuzz):
    samples = [
        Hello(number=1, robot="finger", channels=["a"]),
        Order(kind="read", number=2),
        Send(number=3, setpoints=[0.25, -1.0]),
        State(number=4, position=[0.1], velocity=[0.0]),
        Applied(number=5, setpoints=[1.0]),
        Done(number=6),
        Refused(number=7, reason="no"),
    ]
    wires = [encode(sample) for sample in samples]
    buffer, read, refused = LineBuffer(), 0, 0
    for _ in range(fuzz.count(5_000)):
        for line in buffer.feed(fuzz.damaged(fuzz.random.choice(wires))):
            for decode in (decode_request, decode_reply):
                try:
                    message = decode(line)
                except ProtocolError:
                    refused += 1
                    continue
                read += 1
                values = [*getattr(message, "setpoints", []), *getattr(message, "position", [])]
                assert all(map(math.isfinite, values))
    assert read > 100 and refused > 100


@pytest.mark.fuzz
def test_a_stream_without_lines_does_not_fill_the_memory(fuzz):
    buffer = LineBuffer()
    with pytest.raises(ProtocolError, match="a line of more than"):
        for _ in range(LARGEST_LINE):
            list(buffer.feed(fuzz.random.randbytes(64).replace(b"\n", b"")))
