"""A bus of Dynamixel servos that speak protocol 1.0, such as the AX-12."""

from collections.abc import Sequence

from njf_control.drivers.dynamixel import protocol1
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.packets import Instruction, Wire
from njf_control.drivers.dynamixel.tables import Register

_MODEL_NUMBER = Register(0, 2, writable=False, eeprom=True)
_SCAN_S = 0.02  # for one servo's answer
_SCAN_IDS = range(protocol1.MAX_ID + 1)


class Protocol1Bus(DynamixelBus):
    """The same requests in protocol 1.0.

    It has no SYNC_READ, so `sync_read` asks one servo after the other; a cycle of six AX-12 at
    1 Mbit/s takes 7 round trips instead of 2. A ping does not tell the model, and the servos answer
    a broadcast ping all at once, which nobody understands.
    """

    wire: Wire = protocol1

    def ping(self, motor_id: int) -> int:
        """Model number of one servo.

        Raises:
            NoAnswerError: no answer.
        """
        self._request(motor_id, Instruction.PING, b"", {motor_id: 0})
        return self.read(motor_id, _MODEL_NUMBER)

    def scan(self) -> dict[int, int]:
        """Model number of every servo that answers, by id; takes several seconds."""
        found = {}
        for motor_id in _SCAN_IDS:
            self._send(motor_id, Instruction.PING, b"")
            if self._receive({motor_id: 0}, _SCAN_S):
                found[motor_id] = self.read(motor_id, _MODEL_NUMBER)
        return found

    def sync_read(self, register: Register, motor_ids: Sequence[int]) -> dict[int, bytes]:
        """Raw bytes of the same block of every servo, by id: one request and answer each.

        Raises:
            NoAnswerError: some servo did not answer; the message names it.
            ServoRefusedError: a servo reports an error.
        """
        return {motor_id: self.read_block(motor_id, register) for motor_id in motor_ids}
