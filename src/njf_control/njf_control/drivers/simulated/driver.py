"""The driver of a robot that only the simulator has.

It stands where a hardware driver would, behind the same gate, watchdog and node. Safe state: servos
let go and pressures are vented; the simulator does so by itself when this process dies.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import NoAnswerError, RobotDriver, RobotState
from njf_control.drivers.simulated import protocol
from njf_control.drivers.simulated.protocol import (
    Applied,
    Done,
    Hello,
    LineBuffer,
    Order,
    Refused,
    Reply,
    Request,
    Send,
    State,
)
from njf_control.robot import RobotConfig
from njf_perception.errors import (
    CommandRejectedError,
    ConfigError,
    DeviceNotConnectedError,
    NjfError,
)

_CYCLE_PATIENCE_S = 0.5  # a cycle that takes longer is skipped
_PATIENCE_S = 2.0
_READ_SIZE = 65_536
_ReplyT = TypeVar("_ReplyT", State, Applied, Done)


@dataclass
class LinkStatistics:
    """Counts since the driver was made."""

    requests: int = 0
    timeouts: int = 0


class SimulatedDriver(RobotDriver):
    """Drives the simulated robot behind a local socket."""

    def __init__(self, robot: RobotConfig, path: str) -> None:
        """Take the channels of `robot`; `path` is the socket, or a symbolic link to it.

        Nothing is opened yet.
        """
        self._robot = robot
        self._path = path
        self._link = LinkStatistics()
        self._socket: socket.socket | None = None
        self._lines = LineBuffer()

    @property
    def statistics(self) -> Mapping[str, int]:
        """See `LinkStatistics`."""
        return asdict(self._link)

    def connect(self) -> None:
        """Join the simulator anew and have it check that it simulates this robot."""
        self.close()
        self._open()
        hello = Hello(
            number=self._next(), robot=self._robot.name, channels=self._robot.channel_names
        )
        try:
            self._ask(hello, Done, _PATIENCE_S)
        except CommandRejectedError as error:
            self.close()
            raise ConfigError(str(error)) from None
        except NjfError:
            self.close()
            raise

    def activate(self) -> RobotState:
        """Hold the measured state and return it."""
        return self._state(self._ask(self._order("activate"), State, _PATIENCE_S))

    def read(self) -> RobotState:
        """Measure now."""
        return self._state(self._ask(self._order("read"), State, _CYCLE_PATIENCE_S))

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send set-points [channel unit]; the simulator takes them unquantised."""
        if not np.isfinite(setpoints).all():
            raise ValueError(f"set-points must be finite, got {setpoints.tolist()}")
        request = Send(number=self._next(), setpoints=setpoints.tolist())
        return self._checked(self._ask(request, Applied, _CYCLE_PATIENCE_S).setpoints)

    def deactivate(self) -> None:
        """Have the simulator reach the safe state."""
        if self._socket is None:
            raise DeviceNotConnectedError(
                "The safe state is not confirmed; a simulator that still runs takes it by itself."
            )
        self._ask(self._order("deactivate"), Done, _PATIENCE_S)

    def close(self) -> None:
        """Leave the simulator; it reaches the safe state if it has not yet."""
        link, self._socket = self._socket, None
        self._lines = LineBuffer()
        if link is not None:
            with suppress(OSError):
                link.close()

    def _open(self) -> None:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The path of a socket is at most 107 bytes long; that of a link to it may be longer.
            link.connect(os.path.realpath(self._path))
        except OSError as error:
            link.close()
            raise DeviceNotConnectedError(
                f"no simulator at {self._path}: {error.strerror or error}. Start it first, as "
                "`njf up` does, with this path as its parameter `port_link`."
            ) from None
        self._socket = link

    def _order(self, kind: Literal["read", "activate", "deactivate"]) -> Order:
        return Order(kind=kind, number=self._next())

    def _next(self) -> int:
        self._link.requests += 1
        return self._link.requests

    def _ask(self, request: Request, expected: type[_ReplyT], patience_s: float) -> _ReplyT:
        """Send one request and wait for its answer; answers to earlier ones are passed over.

        Raises:
            NoAnswerError: none came in time.
            DeviceNotConnectedError: the connection is lost.
            CommandRejectedError: the simulator refuses.
        """
        deadline_s = time.monotonic() + patience_s
        self._write(protocol.encode(request), patience_s)
        while (left_s := deadline_s - time.monotonic()) > 0:
            for reply in self._replies(left_s):
                if reply.number != request.number:
                    continue
                if isinstance(reply, Refused):
                    raise CommandRejectedError(reply.reason)
                if isinstance(reply, expected):
                    return reply
        self._link.timeouts += 1
        raise NoAnswerError(
            f"the simulator at {self._path} did not answer within {patience_s:g} s. "
            "Is this computer too busy for it?"
        )

    def _write(self, data: bytes, patience_s: float) -> None:
        link = self._connected()
        try:
            link.settimeout(patience_s)
            link.sendall(data)
        except OSError:
            raise self._lost() from None

    def _replies(self, patience_s: float) -> list[Reply]:
        """The replies that are there or come within the time; none when none came."""
        link = self._connected()
        try:
            link.settimeout(max(patience_s, 1e-3))
            data = link.recv(_READ_SIZE)
        except TimeoutError:
            return []
        except OSError:
            raise self._lost() from None
        if not data:
            raise self._lost()
        return [protocol.decode_reply(line) for line in self._lines.feed(data)]

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise DeviceNotConnectedError(
                f"there is no connection to the simulator at {self._path}. Activate again."
            )
        return self._socket

    def _lost(self) -> DeviceNotConnectedError:
        self.close()
        return DeviceNotConnectedError(
            f"the connection to the simulator at {self._path} was lost: it ended. Look at its log, "
            "start it again, then activate."
        )

    def _state(self, reply: State) -> RobotState:
        return RobotState(
            position=self._checked(reply.position),
            velocity=self._checked(reply.velocity),
            stamp_s=time.monotonic(),
        )

    def _checked(self, values: list[float]) -> Float[np.ndarray, " n"]:
        expected = len(self._robot.channels)
        if len(values) != expected:
            raise protocol.ProtocolError(
                f"the simulator answered with {len(values)} values for {expected} channels. "
                "Start driver and simulator with the same robot file."
            )
        return np.array(values)
