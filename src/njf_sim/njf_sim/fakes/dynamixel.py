"""A bus of fake XL-320 servos on a pseudo-terminal: Dynamixel protocol 2.0, byte by byte.

A driver opens `port` as it would open /dev/ttyUSB0. The baud rate has no meaning on a
pseudo-terminal. Servos answer ping, read, write, reboot, sync read and sync write; every other
instruction is refused with the instruction error, as by a servo that does not know it.
"""

import os
import select
import struct
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence

from njf_control.drivers.dynamixel.protocol import (
    BROADCAST_ID,
    HEADER,
    Instruction,
    Packet,
    PacketParser,
    StatusError,
    encode_status,
)
from njf_sim.fakes.dynamixel_servo import FakeServo

_PERIOD_MS = 4  # servos move on this often; answers do not wait for it
_READ_SIZE = 4096


class FakeDynamixelBus:
    """Servos on one pseudo-terminal, served by a thread. `start` it, and `close` it at the end.

    Attributes:
        port: path of the pseudo-terminal's slave side.
        servos: the servos; their `faults` may be changed while the bus runs.
    """

    def __init__(
        self, servos: Sequence[FakeServo], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.servos = list(servos)
        self._clock = clock
        self._master, self._slave = os.openpty()
        # Raw from the first byte on, before any client has configured its side.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._parser = PacketParser()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake_dynamixel", daemon=True)

    def start(self) -> None:
        """Power the servos."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving and remove the pseudo-terminal; a connected client sees a hang-up."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1

    # Pulling the USB adapter looks the same from the client's side.
    unplug = close

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while not self._stop.is_set():
            if poll.poll(_PERIOD_MS):
                self._send(self.respond(os.read(self._master, _READ_SIZE)))
            now_s = self._clock()
            for servo in self.servos:
                servo.update(now_s)

    def respond(self, data: bytes) -> bytes:
        """What the servos answer to the next bytes on the bus."""
        broken = self._parser.crc_errors
        answers = [answer for packet in self._parser.feed(data) for answer in self._handle(packet)]
        if self._parser.crc_errors > broken:
            answers += self._crc_complaint(data)
        return b"".join(answers)

    def _send(self, answer: bytes) -> None:
        try:
            while answer:
                answer = answer[os.write(self._master, answer) :]
        except BlockingIOError:
            return  # nobody reads: on a wire the bytes would be lost as well

    def _handle(self, packet: Packet) -> Iterator[bytes]:
        """Carry out one packet; yield the status packets it causes."""
        if packet.instruction == Instruction.STATUS:
            return
        if packet.instruction == Instruction.SYNC_WRITE:
            self._sync_write(packet.parameters)
        elif packet.instruction == Instruction.SYNC_READ:
            yield from self._sync_read(packet.parameters)
        else:
            for servo in self._addressed(packet.motor_id):
                error, data = _carry_out(servo, packet)
                if self._may_answer(servo, packet):
                    yield _status(servo, error, data)

    def _addressed(self, motor_id: int) -> list[FakeServo]:
        everybody = motor_id == BROADCAST_ID
        found = [servo for servo in self.servos if everybody or servo.motor_id == motor_id]
        return sorted(found, key=lambda servo: servo.motor_id)

    def _may_answer(self, servo: FakeServo, packet: Packet) -> bool:
        """Only pings are answered when broadcast; the rest depends on the return level."""
        if packet.instruction == Instruction.PING:
            return True
        least = 1 if packet.instruction == Instruction.READ else 2
        return packet.motor_id != BROADCAST_ID and servo.get("status_return_level") >= least

    def _sync_read(self, parameters: bytes) -> Iterator[bytes]:
        if len(parameters) < 5:
            return
        address, size = struct.unpack_from("<HH", parameters)
        for motor_id in parameters[4:]:
            for servo in self._addressed(motor_id):
                yield _status(servo, *servo.read(address, size))

    def _sync_write(self, parameters: bytes) -> None:
        if len(parameters) < 5:
            return
        address, size = struct.unpack_from("<HH", parameters)
        for start in range(4, len(parameters) - size, size + 1):
            for servo in self._addressed(parameters[start]):
                servo.write(address, parameters[start + 1 : start + 1 + size])

    def _crc_complaint(self, data: bytes) -> list[bytes]:
        """The CRC error answer of the servo that a broken packet was probably meant for."""
        start = data.find(HEADER) + len(HEADER)
        if start < len(HEADER) or start >= len(data):
            return []
        own = [servo for servo in self.servos if servo.motor_id == data[start]]
        return [_status(servo, StatusError.CRC, b"") for servo in own]


def _carry_out(servo: FakeServo, packet: Packet) -> tuple[int, bytes]:
    """Let one servo obey one packet. Returns its status error and answer parameters."""
    parameters = packet.parameters
    if packet.instruction == Instruction.PING:
        return servo.read(0, 3)  # model number and firmware version
    if packet.instruction == Instruction.REBOOT:
        servo.reboot()
        return StatusError.NONE, b""
    if packet.instruction == Instruction.READ:
        if len(parameters) != 4:
            return StatusError.DATA_LENGTH, b""
        return servo.read(*struct.unpack("<HH", parameters))
    if packet.instruction == Instruction.WRITE:
        if len(parameters) < 3:
            return StatusError.DATA_LENGTH, b""
        return servo.write(int.from_bytes(parameters[:2], "little"), parameters[2:]), b""
    return StatusError.INSTRUCTION, b""


def _status(servo: FakeServo, error: int, data: bytes) -> bytes:
    """A servo's status packet, damaged as its faults demand."""
    if servo.faults.mute:
        return b""
    wire = encode_status(servo.motor_id, error | servo.alert, data)
    if servo.faults.corrupt_crc:
        wire = wire[:-1] + bytes([wire[-1] ^ 0xFF])
    return wire[: len(wire) // 2] if servo.faults.truncate else wire
