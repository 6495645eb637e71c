"""Control tables and units of Dynamixel servos as data: the only place with raw device units.

XL-320: addresses from the ROBOTIS e-Manual and the `xl320.model` file of the DynamixelSDK. That
file's *position unit* is wrong (4096 counts per turn and an offset of -pi are the X-series'
numbers): an XL-320 counts 0..1023 over 300 degrees and stands at 512 in its centre. With the
file's unit every angle would come out 3.3 times too small.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from njf_perception.errors import ConfigError


@dataclass(frozen=True)
class Register:
    """One entry of a control table; `size` in bytes, values little-endian."""

    address: int
    size: int
    writable: bool
    eeprom: bool

    def encode(self, value: int) -> bytes:
        """Bytes of an unsigned value. Raises OverflowError when it does not fit."""
        return value.to_bytes(self.size, "little")


@dataclass(frozen=True)
class ControlTable:
    """Registers of one servo model by name."""

    model: str
    model_number: int
    registers: Mapping[str, Register]

    def __getitem__(self, name: str) -> Register:
        """The register called `name`."""
        return self.registers[name]

    def span(self, first: str, last: str) -> Register:
        """The contiguous block from one register to another, as one read-only register."""
        start, end = self[first], self[last]
        return Register(start.address, end.address + end.size - start.address, False, False)

    def extract(self, name: str, block: bytes, block_address: int) -> int:
        """Unsigned value of a register inside `block`, which was read from `block_address`."""
        register = self[name]
        offset = register.address - block_address
        return int.from_bytes(block[offset : offset + register.size], "little")


def _eeprom(address: int, size: int, writable: bool = True) -> Register:
    return Register(address, size, writable, eeprom=True)


def _ram(address: int, size: int, writable: bool = True) -> Register:
    return Register(address, size, writable, eeprom=False)


XL320 = ControlTable(
    model="xl320",
    model_number=350,
    registers={
        "model_number": _eeprom(0, 2, writable=False),
        "firmware_version": _eeprom(2, 1, writable=False),
        "id": _eeprom(3, 1),
        "baud_rate": _eeprom(4, 1),
        "return_delay_time": _eeprom(5, 1),  # 2 us per count
        "cw_angle_limit": _eeprom(6, 2),
        "ccw_angle_limit": _eeprom(8, 2),
        "control_mode": _eeprom(11, 1),  # see CONTROL_MODE_*
        "temperature_limit": _eeprom(12, 1),
        "min_voltage_limit": _eeprom(13, 1),
        "max_voltage_limit": _eeprom(14, 1),
        "max_torque": _eeprom(15, 2),
        "status_return_level": _eeprom(17, 1),
        "shutdown": _eeprom(18, 1),
        "torque_enable": _ram(24, 1),
        "led": _ram(25, 1),
        "d_gain": _ram(27, 1),
        "i_gain": _ram(28, 1),
        "p_gain": _ram(29, 1),
        "goal_position": _ram(30, 2),
        "moving_speed": _ram(32, 2),  # in joint mode 0 means as fast as it can
        "torque_limit": _ram(35, 2),
        "present_position": _ram(37, 2, writable=False),
        "present_speed": _ram(39, 2, writable=False),
        "present_load": _ram(41, 2, writable=False),
        "present_voltage": _ram(45, 1, writable=False),
        "present_temperature": _ram(46, 1, writable=False),  # degrees Celsius
        "registered_instruction": _ram(47, 1, writable=False),
        "moving": _ram(49, 1, writable=False),
        "hardware_error_status": _ram(50, 1, writable=False),
        "punch": _ram(51, 2),
    },
)
CONTROL_TABLES = {XL320.model: XL320}

CONTROL_MODE_WHEEL = 1
CONTROL_MODE_JOINT = 2
BAUD_CODES = {0: 9_600, 1: 57_600, 2: 115_200, 3: 1_000_000}  # register value -> bit/s
POSITION_CENTER = 512
POSITION_MAX = 1023
RAD_PER_COUNT = math.radians(300.0) / POSITION_MAX
RAD_S_PER_COUNT = 0.111 * 2.0 * math.pi / 60.0
_SIGN_BIT = 1 << 10  # set: clockwise, which is negative
_HARDWARE_ERRORS = ("overload", "overheating", "input voltage")  # bits 0, 1, 2


def control_table(model: str) -> ControlTable:
    """The table of a servo model by its configuration name.

    Raises:
        ConfigError: no such model; the message lists the known ones.
    """
    if model not in CONTROL_TABLES:
        raise ConfigError(f"no control table for '{model}'; known models: {sorted(CONTROL_TABLES)}")
    return CONTROL_TABLES[model]


def position_to_raw(position_rad: float) -> int:
    """Nearest position count, 0..1023; beyond the servo's span its end, as the servo has it.

    Raises:
        ValueError: the position is not finite.
    """
    if not math.isfinite(position_rad):
        raise ValueError(f"position {position_rad} rad is not finite; nothing was converted")
    return min(max(POSITION_CENTER + round(position_rad / RAD_PER_COUNT), 0), POSITION_MAX)


def raw_to_position(raw: int) -> float:
    """Angle from the servo's centre [rad], counter-clockwise positive."""
    return (raw - POSITION_CENTER) * RAD_PER_COUNT


def speed_to_raw(speed_rad_s: float) -> int:
    """Present-speed count with its sign bit; saturates at 1023 counts (11.9 rad/s)."""
    return _to_sign_magnitude(speed_rad_s / RAD_S_PER_COUNT)


def raw_to_speed(raw: int) -> float:
    """Speed [rad/s], counter-clockwise positive."""
    return _from_sign_magnitude(raw) * RAD_S_PER_COUNT


def load_to_raw(load: float) -> int:
    """Present-load count of a share of the largest torque, -1..1 (0.1 % per count)."""
    return _to_sign_magnitude(load * 1000.0)


def raw_to_load(raw: int) -> float:
    """Share of the largest torque, about -1..1, counter-clockwise positive. No torque in Nm."""
    return _from_sign_magnitude(raw) / 1000.0


def voltage_to_raw(voltage_v: float) -> int:
    """Present-voltage count of a supply voltage [V]."""
    return round(voltage_v * 10.0)


def raw_to_voltage(raw: int) -> float:
    """Supply voltage [V]."""
    return raw / 10.0


def describe_hardware_error(status: int) -> str:
    """Name the alarms in a hardware error status byte; empty when there is none."""
    named = [text for bit, text in enumerate(_HARDWARE_ERRORS) if status & 1 << bit]
    unknown = status >> len(_HARDWARE_ERRORS)
    return ", ".join(named + ([f"unknown bits {status:#04x}"] if unknown else []))


def _to_sign_magnitude(counts: float) -> int:
    magnitude = min(round(abs(counts)), _SIGN_BIT - 1)
    return magnitude | (_SIGN_BIT if counts < 0 and magnitude else 0)


def _from_sign_magnitude(raw: int) -> int:
    magnitude = raw & (_SIGN_BIT - 1)
    return -magnitude if raw & _SIGN_BIT else magnitude
