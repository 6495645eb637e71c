"""What a simulated robot's driver and its simulator say to each other, over a local stream socket.

Every message is one line of JSON. The driver asks, the simulator answers each request once, with
the request's number:

    hello       -> done       who is asking for which robot; the first request on a connection
    read        -> state      measure
    activate    -> state      hold what is measured from now on
    send        -> applied    new set-points
    deactivate  -> done       the safe state: servos let go, pressures are vented

or `refused` with a reason. Values are in channel order and in the channels' SI units. A connection
that ends is a `deactivate`, so that a driver that was killed leaves nothing running.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from njf_perception.config import Config
from njf_perception.errors import NjfError

VERSION = 1
LARGEST_LINE = 65_536  # bytes


class ProtocolError(NjfError):
    """Bytes came that are no message of this protocol."""


class Hello(Config):
    """Request: who is asking."""

    kind: Literal["hello"] = "hello"
    number: int
    version: int = VERSION
    robot: str
    channels: list[str]


class Order(Config):
    """Request without values."""

    kind: Literal["read", "activate", "deactivate"]
    number: int


class Send(Config):
    """Request: new set-points [channel unit]."""

    kind: Literal["send"] = "send"
    number: int
    setpoints: list[float]


class State(Config):
    """Reply: the measured channels [channel unit, channel unit / s]."""

    kind: Literal["state"] = "state"
    number: int
    position: list[float]
    velocity: list[float]


class Applied(Config):
    """Reply: the set-points as they were taken [channel unit]."""

    kind: Literal["applied"] = "applied"
    number: int
    setpoints: list[float]


class Done(Config):
    """Reply: it was done and there is nothing to tell."""

    kind: Literal["done"] = "done"
    number: int


class Refused(Config):
    """Reply: it was not done."""

    kind: Literal["refused"] = "refused"
    number: int
    reason: str


Request = Hello | Order | Send
Reply = State | Applied | Done | Refused
_REQUESTS = pydantic.TypeAdapter(Annotated[Request, Field(discriminator="kind")])
_REPLIES = pydantic.TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def encode(message: Request | Reply) -> bytes:
    """One message as a line."""
    return message.model_dump_json().encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """Read a line of the driver.

    Raises:
        ProtocolError: it is no request, or one with a value that is not finite.
    """
    return _decode(_REQUESTS, line)


def decode_reply(line: bytes) -> Reply:
    """Read a line of the simulator.

    Raises:
        ProtocolError: it is no reply, or one with a value that is not finite.
    """
    return _decode(_REPLIES, line)


class LineBuffer:
    """Puts the lines of a stream together again."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield every line that they complete.

        Raises:
            ProtocolError: a line is longer than any message.
        """
        *lines, self._pending = (self._pending + data).split(b"\n")
        if max(map(len, (*lines, self._pending))) > LARGEST_LINE:
            raise ProtocolError(
                f"a line of more than {LARGEST_LINE} bytes; expected one JSON message per line. "
                "Is something else than a simulated robot's driver on this socket?"
            )
        yield from lines


def _decode(adapter: pydantic.TypeAdapter, line: bytes) -> Any:
    try:
        return adapter.validate_json(line)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        raise ProtocolError(
            f"{line[:80]!r} is no message of protocol version {VERSION}: {problem['msg']}. "
            "Run driver and simulator of the same version."
        ) from None
