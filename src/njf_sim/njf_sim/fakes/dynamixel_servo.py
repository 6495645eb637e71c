"""One fake XL-320: its registers, the rules for writing them, and the motion they cause.

Rules from the ROBOTIS e-Manual (XL-320 control table, protocol 2.0 status errors). Like the real
one it moves to its stored goal position when torque is switched on, so a driver that forgets to
set the goal first is caught here and not on the robot.
"""

from collections import deque
from dataclasses import dataclass, field

from njf_control.drivers.dynamixel.protocol import HARDWARE_ALERT, StatusError
from njf_control.drivers.dynamixel.tables import (
    CONTROL_MODE_JOINT,
    POSITION_MAX,
    RAD_S_PER_COUNT,
    XL320,
    Register,
    load_to_raw,
    position_to_raw,
    raw_to_position,
    speed_to_raw,
    voltage_to_raw,
)
from njf_sim.plant import Plant

_TABLE_SIZE = 53
_FIRMWARE = 29
_SUPPLY_V = 7.4
_NORMAL_TEMPERATURE_C, _HOT_TEMPERATURE_C = 35, 80
_OVERHEATING = 1 << 1  # bit of `hardware_error_status` and `shutdown`
_LOAD_PER_RAD = 4.0  # full torque at a quarter radian of lag, about what p_gain = 32 gives
_MOVING_RAD_S = 0.02

_DEFAULTS = {
    "model_number": XL320.model_number,
    "firmware_version": _FIRMWARE,
    "baud_rate": 3,
    "return_delay_time": 250,
    "ccw_angle_limit": POSITION_MAX,
    "control_mode": CONTROL_MODE_JOINT,
    "temperature_limit": 65,
    "min_voltage_limit": 60,
    "max_voltage_limit": 90,
    "max_torque": 1023,
    "status_return_level": 2,
    "shutdown": 3,
    "p_gain": 32,
    "torque_limit": 1023,
    "present_temperature": _NORMAL_TEMPERATURE_C,
    "present_voltage": voltage_to_raw(_SUPPLY_V),
    "punch": 32,
}
# Smallest and largest value a write may have.
_RANGES = {
    "id": (0, 252),
    "baud_rate": (0, 3),
    "return_delay_time": (0, 254),
    "cw_angle_limit": (0, 1023),
    "ccw_angle_limit": (0, 1023),
    "control_mode": (1, 2),
    "temperature_limit": (0, 150),
    "min_voltage_limit": (50, 250),
    "max_voltage_limit": (50, 250),
    "max_torque": (0, 1023),
    "status_return_level": (0, 2),
    "shutdown": (0, 7),
    "torque_enable": (0, 1),
    "led": (0, 7),
    "d_gain": (0, 254),
    "i_gain": (0, 254),
    "p_gain": (0, 254),
    "goal_position": (0, 1023),
    "moving_speed": (0, 2047),
    "torque_limit": (0, 1023),
    "punch": (0, 1023),
}
_BY_ADDRESS = {register.address: name for name, register in XL320.registers.items()}


@dataclass
class ServoFaults:
    """What is wrong with a servo. Tests and demonstrations set these while it runs."""

    mute: bool = False  # hears, obeys, does not answer
    corrupt_crc: bool = False  # answers with a wrong checksum
    truncate: bool = False  # sends only the first half of an answer
    overheat: bool = False
    stuck: bool = False  # something holds the joint


@dataclass
class FakeServo:
    """One servo. `read` and `write` are what the bus does to it; `update` lets time pass.

    Args:
        motor_id: id on the bus at the start.
        plant: the joint it moves.
        backlash_rad: play between the position sensor and the joint [rad].
        delay_s: from a new goal position to the beginning of motion [s].
    """

    motor_id: int
    plant: Plant
    backlash_rad: float = 0.0
    delay_s: float = 0.0
    faults: ServoFaults = field(default_factory=ServoFaults)

    def __post_init__(self) -> None:
        self._axis = self.motor_id  # the joint stays the same when the bus id is changed
        self._memory = bytearray(_TABLE_SIZE)
        for name, value in _DEFAULTS.items():
            self._set(name, value)
        self._set("id", self.motor_id)
        # The shaft carries the position sensor; the joint follows it with backlash.
        self._goal_rad = self._shaft_rad = self._joint_rad = self.plant.position(self._axis)
        self._set("goal_position", position_to_raw(self._shaft_rad))
        self._last_seen_goal = self.get("goal_position")
        self._pending: deque[tuple[float, float]] = deque()  # when a goal takes effect, and which
        self._updated_s: float | None = None
        self._refresh()

    @property
    def alert(self) -> int:
        """The hardware alert bit of a status packet's error byte."""
        return HARDWARE_ALERT if self.get("hardware_error_status") else 0

    def get(self, name: str) -> int:
        """Value of a register."""
        register = XL320[name]
        data = self._memory[register.address : register.address + register.size]
        return int.from_bytes(data, "little")

    def read(self, address: int, size: int) -> tuple[int, bytes]:
        """Status error and the bytes of a block; gaps between registers read as zero."""
        if size == 0 or address + size > _TABLE_SIZE:
            return StatusError.ACCESS, b""
        self._refresh()
        return StatusError.NONE, bytes(self._memory[address : address + size])

    def write(self, address: int, data: bytes) -> int:
        """Write registers, all or none. Returns the status error."""
        written: dict[str, int] = {}
        while data:
            name = _BY_ADDRESS.get(address)
            if name is None:
                return StatusError.ACCESS
            register = XL320[name]
            if len(data) < register.size:
                return StatusError.DATA_LENGTH
            value = int.from_bytes(data[: register.size], "little")
            if error := self._refusal(name, register, value):
                return error
            written[name] = value
            address, data = address + register.size, data[register.size :]
        for name, value in written.items():
            self._set(name, value)
        if "id" in written:
            self.motor_id = written["id"]
        return StatusError.NONE if written else StatusError.DATA_LENGTH

    def reboot(self) -> None:
        """Power off and on: volatile registers back to their defaults, alarms cleared."""
        for name, register in XL320.registers.items():
            if not register.eeprom:
                self._set(name, _DEFAULTS.get(name, 0))
        self._goal_rad = self.plant.position(self._axis)
        self._pending.clear()
        self._last_seen_goal = position_to_raw(self._goal_rad)
        self._set("goal_position", self._last_seen_goal)

    def update(self, now_s: float) -> None:
        """Move on to the time `now_s` [s] of any steady clock."""
        elapsed_s = 0.0 if self._updated_s is None else now_s - self._updated_s
        self._updated_s = now_s
        self._check_temperature()
        self._take_goals(now_s)
        if not (self.get("torque_enable") and self.get("torque_limit")):
            self.plant.set_goal(self._axis, None)
            self._shaft_rad = self._joint_rad = self.plant.position(self._axis)
            return
        if not self.faults.stuck:
            step_rad = elapsed_s * (self.get("moving_speed") or 1023) * RAD_S_PER_COUNT
            self._shaft_rad += _clip(self._goal_rad - self._shaft_rad, step_rad)
        self._joint_rad += self._pull_of_the_play()
        self.plant.set_goal(self._axis, self._joint_rad)

    def _take_goals(self, now_s: float) -> None:
        raw = self.get("goal_position")
        if raw != self._last_seen_goal:
            self._last_seen_goal = raw
            self._pending.append((now_s + self.delay_s, raw_to_position(raw)))
        while self._pending and self._pending[0][0] <= now_s:
            self._goal_rad = self._pending.popleft()[1]

    def _pull_of_the_play(self) -> float:
        """How far the shaft takes the joint along: nothing while it moves inside the play."""
        gap_rad = self._shaft_rad - self._joint_rad
        return gap_rad - _clip(gap_rad, 0.5 * self.backlash_rad)

    def _check_temperature(self) -> None:
        hot = self.faults.overheat
        self._set("present_temperature", _HOT_TEMPERATURE_C if hot else _NORMAL_TEMPERATURE_C)
        if hot:
            self._set("hardware_error_status", self.get("hardware_error_status") | _OVERHEATING)
        if self._is_shut_down:
            self._set("torque_enable", 0)

    @property
    def _is_shut_down(self) -> bool:
        return bool(self.get("hardware_error_status") & self.get("shutdown"))

    def _refusal(self, name: str, register: Register, value: int) -> int:
        """Why a register may not become `value`; 0 when it may."""
        if not register.writable or (register.eeprom and self.get("torque_enable")):
            return StatusError.ACCESS
        low, high = _RANGES[name]
        if not low <= value <= high:
            return StatusError.DATA_RANGE
        limits = self.get("cw_angle_limit"), self.get("ccw_angle_limit")
        if name == "goal_position" and not limits[0] <= value <= limits[1]:
            return StatusError.DATA_LIMIT
        if name == "torque_enable" and value and self._is_shut_down:
            return StatusError.RESULT_FAIL
        return StatusError.NONE

    def _refresh(self) -> None:
        """Bring the present-state registers up to date."""
        position = self.plant.position(self._axis) + self._shaft_rad - self._joint_rad
        speed = self.plant.speed(self._axis)
        load = _clip((self._goal_rad - position) * _LOAD_PER_RAD, 1.0)
        self._set("present_position", position_to_raw(position))
        self._set("present_speed", speed_to_raw(speed))
        self._set("present_load", load_to_raw(load if self.get("torque_enable") else 0.0))
        self._set("moving", int(abs(speed) > _MOVING_RAD_S))

    def _set(self, name: str, value: int) -> None:
        register = XL320[name]
        span = slice(register.address, register.address + register.size)
        self._memory[span] = register.encode(value)


def _clip(value: float, bound: float) -> float:
    return min(max(value, -bound), bound)
