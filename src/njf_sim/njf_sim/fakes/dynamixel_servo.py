"""One fake servo: its registers, the rules for writing them, and the motion they cause.

Rules from the ROBOTIS e-Manual (control tables, protocol 2.0 status errors). `FakeServo` is an
XL-320; other models differ in their tables, see `dynamixel_models`. Like the real ones it moves to
its stored goal position when torque is switched on, so a driver that forgets to set the goal first
is caught here and not on the robot.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from njf_control.drivers.dynamixel.models import XL320
from njf_control.drivers.dynamixel.protocol import HARDWARE_ALERT, StatusError
from njf_control.drivers.dynamixel.tables import ControlTable, Register
from njf_sim.fakes.dynamixel_memory import XL320_DEFAULTS, XL320_RANGES, Defaults, Ranges
from njf_sim.plant import Plant

_NORMAL_TEMPERATURE_C, _HOT_TEMPERATURE_C = 35, 80
_BROKEN_DOWN_V = 5.0
_LOAD_PER_RAD = 4.0  # full torque at a quarter radian of lag, about what p_gain = 32 gives
_OVERLOAD_S = 1.0  # at full torque without any motion, until the servo gives up
_MOVING_RAD_S = 0.02


@dataclass
class ServoFaults:
    """What is wrong with a servo. Tests and demonstrations set these while it runs."""

    mute: bool = False  # hears, obeys, does not answer
    corrupt_crc: bool = False  # answers with a wrong checksum
    truncate: bool = False  # sends only the first half of an answer
    answers_as: int | None = None  # puts another id into its answers
    overheat: bool = False
    low_voltage: bool = False
    stuck: bool = False  # something holds the joint
    alarms: set[str] = field(default_factory=set)  # hardware errors, by their names in the table
    forgetful: bool = False  # confirms writes of its EEPROM and keeps the old value


@dataclass
class FakeServo:
    """One servo. `read` and `write` are what the bus does to it; `update` lets time pass.

    Args:
        motor_id: id on the bus at the start.
        plant: the joint it moves.
        backlash_rad: play between the position sensor and the joint [rad].
        delay_s: from a new goal position to the beginning of motion [s].

    Attributes:
        let_go_s: when it last went limp, on the clock of `update` [s].
    """

    table: ClassVar[ControlTable] = XL320
    defaults: ClassVar[Defaults] = XL320_DEFAULTS
    ranges: ClassVar[Ranges] = XL320_RANGES
    supply_v: ClassVar[float] = 7.4

    motor_id: int
    plant: Plant
    backlash_rad: float = 0.0
    delay_s: float = 0.0
    faults: ServoFaults = field(default_factory=ServoFaults)

    def __post_init__(self) -> None:
        self._axis = self.motor_id  # the joint stays the same when the bus id is changed
        registers = self.table.registers.values()
        self._memory = bytearray(max(r.address + r.size for r in registers))
        self._names = {register.address: name for name, register in self.table.registers.items()}
        for name, value in self.defaults.items():
            self._set(name, value)
        self._set("id", self.motor_id)
        self.hardware_error = 0  # bits of the alarms
        # The shaft carries the position sensor; the joint follows it with backlash.
        self._goal_rad = self._shaft_rad = self._joint_rad = self.plant.position(self._axis)
        self._set("goal_position", self._count(self._shaft_rad))
        self._last_seen_goal = self.get("goal_position")
        self._pending: deque[tuple[float, float]] = deque()  # when a goal takes effect, and which
        self._updated_s: float | None = None
        self._overloaded_s = 0.0
        self.let_go_s: float | None = None
        self._is_limp = False
        self._stands_still = True
        self._refresh()

    @property
    def alert(self) -> int:
        """What the servo's alarms add to a status packet's error byte."""
        return HARDWARE_ALERT if self.hardware_error else 0

    @property
    def baud(self) -> int:
        """Its serial speed [bit/s]; 0 for a code that the driver does not know."""
        return self.table.baud_codes.get(self.get("baud_rate"), 0)

    def get(self, name: str) -> int:
        """Value of a register."""
        register = self.table[name]
        end = register.address + register.size
        return register.decode(bytes(self._memory[register.address : end]))

    def read(self, address: int, size: int) -> tuple[int, bytes]:
        """Status error and the bytes of a block; gaps between registers read as zero."""
        if size == 0 or address + size > len(self._memory):
            return StatusError.ACCESS, b""
        self._refresh()
        return StatusError.NONE, bytes(self._memory[address : address + size])

    def write(self, address: int, data: bytes) -> int:
        """Write registers, all or none. Returns the status error."""
        written: dict[str, int] = {}
        while data:
            name = self._names.get(address)
            if name is None:
                return StatusError.ACCESS
            register = self.table[name]
            if len(data) < register.size:
                return StatusError.DATA_LENGTH
            value = register.decode(data[: register.size])
            if error := self._refusal(name, register, value):
                return error
            written[name] = value
            address, data = address + register.size, data[register.size :]
        for name, value in written.items():
            if not (self.faults.forgetful and self.table[name].eeprom):
                self._set(name, value)
        self.motor_id = self.get("id")
        return StatusError.NONE if written else StatusError.DATA_LENGTH

    def heard(self, now_s: float) -> None:
        """Some request was on the bus."""

    def reboot(self) -> None:
        """Power off and on: volatile registers back to their defaults, alarms cleared."""
        for name, register in self.table.registers.items():
            if not register.eeprom:
                self._set(name, self.defaults.get(name, 0))
        self.hardware_error, self._overloaded_s = 0, 0.0
        self._goal_rad = self.plant.position(self._axis)
        self._pending.clear()
        self._last_seen_goal = self._count(self._goal_rad)
        self._set("goal_position", self._last_seen_goal)

    def update(self, now_s: float) -> None:
        """Move on to the time `now_s` [s] of any steady clock."""
        elapsed_s = 0.0 if self._updated_s is None else now_s - self._updated_s
        self._updated_s = now_s
        self._check_hardware(elapsed_s)
        self._take_goals(now_s)
        was_limp, self._is_limp = self._is_limp, not self._has_torque
        if self._is_limp:
            self.let_go_s = self.let_go_s if was_limp else now_s
            self.plant.set_goal(self._axis, None)
            self._shaft_rad = self._joint_rad = self.plant.position(self._axis)
            return
        step_rad = 0.0 if self.faults.stuck else elapsed_s * self._speed_limit_rad_s
        moved_rad = _clip(self._goal_rad - self._shaft_rad, step_rad)
        self._shaft_rad += moved_rad
        self._stands_still = not moved_rad
        self._joint_rad += self._pull_of_the_play()
        self.plant.set_goal(self._axis, self._joint_rad)

    @property
    def _has_torque(self) -> bool:
        return bool(self.get("torque_enable") and self.get(self.table.roles.effort_limit))

    @property
    def _speed_limit_rad_s(self) -> float:
        return self.table.units.raw_to_speed(self.get("moving_speed") or 1023)

    def _count(self, position_rad: float) -> int:
        """What the servo counts where its shaft stands at an angle [rad]."""
        return self.table.units.position_to_raw(position_rad)

    def _angle(self, count: int) -> float:
        """Where the shaft stands at a count [rad]."""
        return self.table.units.raw_to_position(count)

    def _take_goals(self, now_s: float) -> None:
        raw = self.get("goal_position")
        if raw != self._last_seen_goal:
            self._last_seen_goal = raw
            self._pending.append((now_s + self.delay_s, self._angle(raw)))
        while self._pending and self._pending[0][0] <= now_s:
            self._goal_rad = self._pending.popleft()[1]

    def _pull_of_the_play(self) -> float:
        """How far the shaft takes the joint along: nothing while it moves inside the play."""
        gap_rad = self._shaft_rad - self._joint_rad
        return gap_rad - _clip(gap_rad, 0.5 * self.backlash_rad)

    def _check_hardware(self, elapsed_s: float) -> None:
        """Let alarms come up; they stay until a reboot."""
        bits = {name: 1 << bit for bit, name in self.table.hardware_errors.items()}
        full = self._stands_still and self._has_torque and abs(self._load()) >= 1.0
        self._overloaded_s = self._overloaded_s + elapsed_s if full else 0.0
        alarms = set(self.faults.alarms)
        alarms |= {"overheating"} if self.faults.overheat else set()
        alarms |= {"input voltage"} if self.faults.low_voltage else set()
        alarms |= {"overload"} if self._overloaded_s > _OVERLOAD_S else set()
        for name in alarms:
            self.hardware_error |= bits[name]
        if "hardware_error_status" in self.table:
            self._set("hardware_error_status", self.hardware_error)
        if self._is_shut_down:
            self._set("torque_enable", 0)

    @property
    def _is_shut_down(self) -> bool:
        return bool(self.hardware_error & self.get("shutdown"))

    def _refusal(self, name: str, register: Register, value: int) -> int:
        """Why a register may not become `value`; 0 when it may."""
        if not register.writable or (register.eeprom and self.get("torque_enable")):
            return StatusError.ACCESS
        low, high = self.ranges[name]
        if not low <= value <= high:
            return StatusError.DATA_RANGE
        if name == "goal_position" and not self._may_go_to(value):
            return StatusError.DATA_LIMIT
        if name == "torque_enable" and value and self._is_shut_down:
            return StatusError.RESULT_FAIL
        return StatusError.NONE

    def _may_go_to(self, count: int) -> bool:
        return self.get("cw_angle_limit") <= count <= self.get("ccw_angle_limit")

    def _position(self) -> float:
        """Where the sensor sees the shaft [rad]."""
        return self.plant.position(self._axis) + self._shaft_rad - self._joint_rad

    def _load(self) -> float:
        return _clip((self._goal_rad - self._position()) * _LOAD_PER_RAD, 1.0)

    def _refresh(self) -> None:
        """Bring the present-state registers up to date."""
        units, roles = self.table.units, self.table.roles
        speed = self.plant.speed(self._axis)
        hot = self.faults.overheat
        self._set("present_position", self._count(self._position()))
        self._set(roles.speed, units.speed_to_raw(speed))
        load = self._load() if self.get("torque_enable") else 0.0
        self._set(roles.load, units.load_to_raw(load))
        if units.measures_current:
            self._set("present_current", round(load * self.get("current_limit")))
        supply_v = _BROKEN_DOWN_V if self.faults.low_voltage else self.supply_v
        self._set(roles.voltage, units.voltage_to_raw(supply_v))
        self._set("present_temperature", _HOT_TEMPERATURE_C if hot else _NORMAL_TEMPERATURE_C)
        self._set("moving", int(abs(speed) > _MOVING_RAD_S))

    def _set(self, name: str, value: int) -> None:
        register = self.table[name]
        span = slice(register.address, register.address + register.size)
        self._memory[span] = register.encode(value)


def _clip(value: float, bound: float) -> float:
    return min(max(value, -bound), bound)
