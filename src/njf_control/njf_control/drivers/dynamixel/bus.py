"""A bus of Dynamixel servos on a serial port: requests out, checked answers back.

Waiting is done in `select`, so a waiting bus costs no processor time. A request without a complete
answer within `reply_timeout_s` is repeated `retries` times. Three things can go wrong, and each is
an exception of its own: the port is gone (`DeviceNotConnectedError`), a servo is silent
(`NoAnswerError`, a kind of the former) or a servo refuses a request (`ServoRefusedError`).
"""

import os
import select
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import serial

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dynamixel import protocol
from njf_control.drivers.dynamixel.link import describe_link
from njf_control.drivers.dynamixel.packets import BROADCAST_ID, Instruction, Packet, Wire
from njf_control.drivers.dynamixel.tables import Register
from njf_perception.errors import DeviceNotConnectedError, NjfError

_SCAN_S = 0.9  # a servo delays its answer to a broadcast ping by up to 3 ms per id
_READ_SIZE = 4096
_RETRIES_ELSEWHERE = 2  # at speeds where probably nobody listens


class ServoRefusedError(NjfError):
    """A servo answered that it will not do what was asked."""


class SpeedRefusedError(DeviceNotConnectedError):
    """The adapter cannot be set to this speed."""


@dataclass
class BusStatistics:
    """Counts since the bus object was made."""

    requests: int = 0
    retries: int = 0
    timeouts: int = 0  # requests given up
    crc_errors: int = 0
    alerts: int = 0  # answers with the hardware alert bit


class DynamixelBus:
    """Requests to the servos of one serial port, in protocol 2.0. Not thread-safe: one owner.

    Attributes:
        port: serial device, or a symbolic link to one.
        statistics: counts of requests and errors.
        errors: error byte of each servo's newest answer, by id.
    """

    wire: Wire = protocol

    def __init__(
        self, port: str, baud: int, reply_timeout_s: float = 0.1, retries: int = 4
    ) -> None:
        """Remember the port; `open` opens it.

        Args:
            port: serial device, or a symbolic link to one.
            baud: serial speed [bit/s].
            reply_timeout_s: longest wait for a complete answer, per attempt [s].
            retries: further attempts after an incomplete answer.
        """
        self.port = port
        self.statistics = BusStatistics()
        self.errors: dict[int, int] = {}
        self._baud = baud
        self._reply_timeout_s = reply_timeout_s
        self._retries = retries
        self._serial: serial.Serial | None = None
        self._parser = self.wire.status_parser()

    @property
    def is_open(self) -> bool:
        """Whether the port is open (it may be unplugged all the same)."""
        return self._serial is not None

    def open(self) -> None:
        """Open the port for this process alone.

        Raises:
            DeviceNotConnectedError: it cannot be opened; the message says how to repair it.
        """
        if self._serial is not None:
            return
        try:
            self._serial = serial.Serial(
                self.port, self._baud, timeout=0, write_timeout=1.0, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            advice = self.describe_link() or "Is another program using it? Close it first."
            raise DeviceNotConnectedError(f"cannot open {self.port}: {error}. {advice}") from None

    def close(self) -> None:
        """Close the port; harmless when it is closed or unplugged."""
        port, self._serial = self._serial, None
        if port is not None:
            port.close()

    def describe_link(self) -> str:
        """What is wrong with the port on this computer, and the fix; empty when nothing is."""
        return describe_link(self.port)

    def ping(self, motor_id: int) -> int:
        """Model number of one servo.

        Raises:
            NoAnswerError: no answer.
        """
        reply = self._request(motor_id, Instruction.PING, b"", {motor_id: 3})[motor_id]
        return int.from_bytes(reply[:2], "little")

    @property
    def baud(self) -> int:
        """Serial speed [bit/s]."""
        return self._baud

    @contextmanager
    def at_baud(self, baud: int) -> Iterator[None]:
        """Talk at another speed for a while, with few attempts per request.

        Raises:
            DeviceNotConnectedError: the port is gone.
            SpeedRefusedError: it cannot be that fast.
        """
        with self._attempts(1 + _RETRIES_ELSEWHERE):
            try:
                self._set_baud(baud)
                yield
            finally:
                self._set_baud(self._baud)

    @contextmanager
    def once(self) -> Iterator[None]:
        """Ask only once for a while, where an answer would be welcome and time matters more."""
        with self._attempts(1):
            yield

    @contextmanager
    def _attempts(self, count: int) -> Iterator[None]:
        retries, self._retries = self._retries, count - 1
        try:
            yield
        finally:
            self._retries = retries

    def _set_baud(self, baud: int) -> None:
        with self._guarded_port() as port:
            port.flush()  # what is still being sent is for the old speed
            try:
                port.baudrate = baud
            except ValueError as error:  # how pyserial says that the adapter cannot
                raise SpeedRefusedError(
                    f"{self.port} cannot do {baud} bit/s ({error}). Use another adapter or speed."
                ) from None

    def scan(self) -> dict[int, int]:
        """Model number of every servo that answers a broadcast ping, by id; takes a second."""
        self._send(BROADCAST_ID, Instruction.PING, b"")
        replies = self._receive(dict.fromkeys(range(protocol.MAX_ID + 1), 3), _SCAN_S)
        return {
            motor_id: int.from_bytes(packet.parameters[:2], "little")
            for motor_id, packet in sorted(replies.items())
        }

    def read(self, motor_id: int, register: Register) -> int:
        """Unsigned value of one register.

        Raises:
            NoAnswerError: no answer.
            ServoRefusedError: the servo reports an error.
        """
        return register.decode(self.read_block(motor_id, register))

    def read_block(self, motor_id: int, register: Register) -> bytes:
        """Raw bytes of a register or of a block of them.

        Raises:
            NoAnswerError: no answer.
            ServoRefusedError: the servo reports an error.
        """
        parameters = self.wire.read_parameters(register.address, register.size)
        expected = {motor_id: register.size}
        return self._request(motor_id, Instruction.READ, parameters, expected)[motor_id]

    def write(self, motor_id: int, register: Register, value: int) -> None:
        """Write one register and wait until the servo confirms it.

        Raises:
            NoAnswerError: no confirmation.
            ServoRefusedError: the servo reports an error.
        """
        parameters = self.wire.write_parameters(register.address, register.encode(value))
        self._request(motor_id, Instruction.WRITE, parameters, {motor_id: 0})

    def sync_read(self, register: Register, motor_ids: Sequence[int]) -> dict[int, bytes]:
        """Raw bytes of the same block of every servo, by id: one request, one answer each.

        Raises:
            NoAnswerError: some servo did not answer; the message names it.
            ServoRefusedError: a servo reports an error.
        """
        parameters = protocol.sync_read_parameters(register.address, register.size, motor_ids)
        expected = dict.fromkeys(motor_ids, register.size)
        return self._request(BROADCAST_ID, Instruction.SYNC_READ, parameters, expected)

    def sync_write(self, register: Register, values: Mapping[int, int]) -> None:
        """Write the same register of many servos in one packet. Nobody confirms it.

        Raises:
            DeviceNotConnectedError: the port is gone.
        """
        data = {motor_id: register.encode(value) for motor_id, value in values.items()}
        parameters = self.wire.sync_write_parameters(register.address, register.size, data)
        self._send(BROADCAST_ID, Instruction.SYNC_WRITE, parameters)

    def _request(
        self, to: int, instruction: Instruction, parameters: bytes, expected: Mapping[int, int]
    ) -> dict[int, bytes]:
        """Ask until every id of `expected` (id -> parameter bytes) has answered in full."""
        missing: list[int] = []
        for attempt in range(self._retries + 1):
            self.statistics.retries += attempt > 0
            self._send(to, instruction, parameters)
            replies = self._receive(expected, self._reply_timeout_s)
            self._raise_refusal(replies, instruction)
            missing = [i for i in expected if i not in replies or self._refuses(replies[i])]
            if not missing:
                return {motor_id: packet.parameters for motor_id, packet in replies.items()}
        self.statistics.timeouts += 1
        raise NoAnswerError(
            f"{self.port}: no complete answer to {instruction.name} from motor id(s) "
            f"{', '.join(map(str, missing))} within {self._reply_timeout_s:g} s "
            f"({self._retries + 1} attempts). Check power, wiring, id and baud rate. "
            f"{self.describe_link()}".rstrip()
        )

    def _send(self, to: int, instruction: Instruction, parameters: bytes) -> None:
        packet = self.wire.encode_instruction(to, instruction, parameters)
        self.statistics.requests += 1
        with self._guarded_port() as port:
            port.reset_input_buffer()  # a late answer must not be taken for this one's
            self._parser.reset()
            port.write(packet)

    def _receive(self, expected: Mapping[int, int], timeout_s: float) -> dict[int, Packet]:
        """Collect a status packet per id of `expected` until all came or the time is over.

        An answer without error but of another length belongs to an earlier request.
        """
        replies: dict[int, Packet] = {}
        deadline = time.monotonic() + timeout_s
        while len(replies) < len(expected) and (left_s := deadline - time.monotonic()) > 0:
            for packet in self._parser.feed(self._read_some(left_s)):
                if self._answers(packet, expected):
                    self.errors[packet.motor_id] = packet.error or 0
                    self.statistics.alerts += self.wire.has_alert(packet.error or 0)
                    replies[packet.motor_id] = packet
        self.statistics.crc_errors = self._parser.crc_errors
        return replies

    def _read_some(self, timeout_s: float) -> bytes:
        """Bytes that are there or come within the time; empty when none came."""
        with self._guarded_port() as port:
            readable, _, _ = select.select([port.fileno()], [], [], timeout_s)
            if not readable:
                return b""
            data = os.read(port.fileno(), _READ_SIZE)
            if not data:  # readable without data: the other end hung up
                raise OSError("hung up")
            return data

    @contextmanager
    def _guarded_port(self) -> Iterator[serial.Serial]:
        if self._serial is None:
            raise DeviceNotConnectedError(f"{self.port} is not open. Call open() first.")
        try:
            yield self._serial
        except (serial.SerialException, OSError, termios.error) as error:
            raise DeviceNotConnectedError(
                f"{self.port} was lost ({error}). Plug the adapter in again, then activate the "
                "driver."
            ) from None

    def _refuses(self, packet: Packet) -> bool:
        return bool(self.wire.refusal(packet.error or 0))

    def _answers(self, packet: Packet, expected: Mapping[int, int]) -> bool:
        if packet.error is None or packet.motor_id not in expected:
            return False
        return self._refuses(packet) or len(packet.parameters) == expected[packet.motor_id]

    def _raise_refusal(self, replies: Mapping[int, Packet], instruction: Instruction) -> None:
        """Raise what repeating cannot cure; a servo that saw a damaged request is asked again."""
        for motor_id, packet in replies.items():
            error = packet.error or 0
            if self._refuses(packet) and not self.wire.is_damaged(error):
                raise ServoRefusedError(
                    f"motor id {motor_id} refused {instruction.name}: {self.wire.refusal(error)}. "
                    "Check the servo's limits and that driver.model fits it."
                )
