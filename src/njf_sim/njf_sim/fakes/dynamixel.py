"""A bus of fake Dynamixel servos on a pseudo-terminal: protocol 2.0 or 1.0, byte by byte.

A driver opens `port` as it would open /dev/ttyUSB0. A servo hears only a client that has set the
servo's own serial speed, or none: a pseudo-terminal has 38 400 bit/s until somebody sets another,
and no Dynamixel has that. Servos answer ping, read, write, reboot, sync read and sync write; every
other instruction is refused with the instruction error, as by a servo that does not know it.
"""

import os
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence

from njf_control.drivers.dynamixel import protocol, protocol1
from njf_control.drivers.dynamixel.packets import BROADCAST_ID, Instruction, Packet, Wire
from njf_control.drivers.dynamixel.protocol import StatusError
from njf_sim.fakes.dynamixel_servo import FakeServo

_PERIOD_MS = 4  # servos move on this often; answers do not wait for it
_READ_SIZE = 4096
_NEVER_SET = 38_400
_SPEEDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit()
}


class FakeDynamixelBus:
    """Servos on one pseudo-terminal, served by a thread. `start` it, and `close` it at the end.

    Attributes:
        port: path of the pseudo-terminal's slave side.
        servos: the servos; their `faults` may be changed while the bus runs.
        answer_delay_s: how late every answer is; may be changed while the bus runs [s].
    """

    wire: Wire = protocol

    def __init__(
        self, servos: Sequence[FakeServo], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.servos = list(servos)
        self.answer_delay_s = 0.0
        self._clock = clock
        self._master, self._slave = os.openpty()
        # Raw from the first byte on, before any client has configured its side.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._parser = self.wire.instruction_parser()
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
                answer = self.respond(os.read(self._master, _READ_SIZE))
                self._stop.wait(self.answer_delay_s if answer else 0.0)
                self._send(answer)
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
        for servo in self.servos:
            servo.heard(self._clock())
        if packet.instruction == Instruction.SYNC_WRITE:
            self._sync_write(packet.parameters)
        elif packet.instruction == Instruction.SYNC_READ:
            yield from self._sync_read(packet.parameters)
        else:
            for servo in self._addressed(packet.motor_id):
                error, data = self._carry_out(servo, packet)
                if self._may_answer(servo, packet):
                    yield self._status(servo, error, data)

    def _addressed(self, motor_id: int) -> list[FakeServo]:
        """Who hears a packet to an id, in the order of answering."""
        everybody = motor_id == BROADCAST_ID
        speed = _SPEEDS.get(termios.tcgetattr(self._slave)[5], 0)
        found = [
            servo
            for servo in self.servos
            if (everybody or servo.motor_id == motor_id) and speed in (_NEVER_SET, servo.baud)
        ]
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
                yield self._status(servo, *servo.read(address, size))

    def _sync_write(self, parameters: bytes) -> None:
        if len(parameters) < 5:
            return
        address, size = struct.unpack_from("<HH", parameters)
        for start in range(4, len(parameters) - size, size + 1):
            for servo in self._addressed(parameters[start]):
                servo.write(address, parameters[start + 1 : start + 1 + size])

    def _crc_complaint(self, data: bytes) -> list[bytes]:
        """The CRC error answer of the servo that a broken packet was probably meant for."""
        start = data.find(self._parser.header) + len(self._parser.header)
        if start < len(self._parser.header) or start >= len(data):
            return []
        own = [servo for servo in self._addressed(data[start]) if data[start] != BROADCAST_ID]
        return [self._status(servo, StatusError.CRC, b"") for servo in own]

    def _carry_out(self, servo: FakeServo, packet: Packet) -> tuple[int, bytes]:
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

    def _error_byte(self, error: int) -> int:
        """A status error of protocol 2.0 as the servo says it."""
        return error

    def _status(self, servo: FakeServo, error: int, data: bytes) -> bytes:
        """A servo's status packet, damaged as its faults demand."""
        faults = servo.faults
        if faults.mute:
            return b""
        sender = servo.motor_id if faults.answers_as is None else faults.answers_as
        wire = self.wire.encode_status(sender, self._error_byte(error) | servo.alert, data)
        if faults.corrupt_crc:
            wire = wire[:-1] + bytes([wire[-1] ^ 0xFF])
        return wire[: len(wire) // 2] if faults.truncate else wire


class FakeProtocol1Bus(FakeDynamixelBus):
    """The same in protocol 1.0, for AX-12: no sync read, no reboot, and nobody answers broadcasts.

    (Real servos all answer a broadcast ping at once, and nobody understands a word.)
    """

    wire: Wire = protocol1
    _errors = {
        StatusError.NONE: protocol1.StatusError.NONE,
        StatusError.CRC: protocol1.StatusError.CHECKSUM,
        StatusError.INSTRUCTION: protocol1.StatusError.INSTRUCTION,
        StatusError.DATA_LIMIT: protocol1.StatusError.ANGLE_LIMIT,
        StatusError.RESULT_FAIL: protocol1.StatusError.OVERLOAD,
    }

    def _error_byte(self, error: int) -> int:
        return self._errors.get(StatusError(error), protocol1.StatusError.RANGE)

    def _may_answer(self, servo: FakeServo, packet: Packet) -> bool:
        return packet.motor_id != BROADCAST_ID and super()._may_answer(servo, packet)

    def _sync_read(self, parameters: bytes) -> Iterator[bytes]:
        return iter(())

    def _sync_write(self, parameters: bytes) -> None:
        if len(parameters) < 2:
            return
        address, size = parameters[:2]
        for start in range(2, len(parameters) - size, size + 1):
            for servo in self._addressed(parameters[start]):
                servo.write(address, parameters[start + 1 : start + 1 + size])

    def _carry_out(self, servo: FakeServo, packet: Packet) -> tuple[int, bytes]:
        parameters = packet.parameters
        if packet.instruction == Instruction.PING:
            return StatusError.NONE, b""
        if packet.instruction == Instruction.READ and len(parameters) == 2:
            return servo.read(*parameters)
        if packet.instruction == Instruction.WRITE and len(parameters) >= 2:
            return servo.write(parameters[0], parameters[1:]), b""
        return StatusError.INSTRUCTION, b""
