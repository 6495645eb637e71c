"""What a control table is: where a servo keeps what, and what the driver wants there.

The tables themselves, with the raw device units, are in `models.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from njf_control.drivers.dynamixel.units import Units


@dataclass(frozen=True)
class Register:
    """One entry of a control table; `size` in bytes, values little-endian."""

    address: int
    size: int
    writable: bool
    eeprom: bool
    signed: bool = False  # two's complement

    def encode(self, value: int) -> bytes:
        """Bytes of a value. Raises OverflowError when it does not fit."""
        return value.to_bytes(self.size, "little", signed=self.signed)

    def decode(self, data: bytes) -> int:
        """Value of the register's bytes."""
        return int.from_bytes(data, "little", signed=self.signed)


@dataclass(frozen=True)
class Setting:
    """What a register must hold before the driver moves the servo."""

    value: int
    words: str  # what the value means
    mended: bool  # the driver may write it, with torque off; else a person has to


@dataclass(frozen=True)
class Roles:
    """Which register does what, where the models differ."""

    speed: str = "present_speed"
    load: str = "present_load"
    voltage: str = "present_voltage"
    speed_limit: str = "moving_speed"
    effort_limit: str = "torque_limit"
    largest_effort: str = "max_torque"


@dataclass(frozen=True)
class ControlTable:
    """One servo model: its registers by name, and what to know about them."""

    model: str
    model_number: int
    protocol: int  # 1 or 2
    registers: Mapping[str, Register]
    units: Units
    baud_codes: Mapping[int, int]  # register value -> bit/s
    state_ends: tuple[str, str]  # first and last register of what is read in every cycle
    hardware_errors: Mapping[int, str]  # bit -> name; of the error byte where it has no register
    settings: Mapping[str, Setting] = field(default_factory=dict)
    roles: Roles = Roles()
    supply_v: tuple[float, float] | None = None  # least and greatest voltage; None: not known here

    def __getitem__(self, name: str) -> Register:
        """The register called `name`."""
        return self.registers[name]

    def __contains__(self, name: str) -> bool:
        """Whether the servo has a register called `name`."""
        return name in self.registers

    @property
    def state(self) -> Register:
        """The block that is read in every cycle, from the torque switch to the last measurement."""
        return self.span(*self.state_ends)

    def span(self, first: str, last: str) -> Register:
        """The contiguous block from one register to another, as one read-only register."""
        start, end = self[first], self[last]
        return Register(start.address, end.address + end.size - start.address, False, False)

    def extract(self, name: str, block: bytes, block_address: int) -> int:
        """Value of a register inside `block`, which was read from `block_address`."""
        register = self[name]
        offset = register.address - block_address
        return register.decode(block[offset : offset + register.size])

    def describe_hardware_error(self, status: int) -> str:
        """Name the alarms in a hardware error status byte; empty when there is none."""
        named = [text for bit, text in self.hardware_errors.items() if status & 1 << bit]
        unknown = status & ~sum(1 << bit for bit in self.hardware_errors)
        return ", ".join(named + ([f"unknown bits {unknown:#04x}"] if unknown else []))
