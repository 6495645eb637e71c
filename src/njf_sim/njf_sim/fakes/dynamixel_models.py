"""Fake servos of other models than the XL-320, and which one a robot has."""

import math
from dataclasses import dataclass
from typing import ClassVar

from njf_control.drivers.dynamixel.models import (
    AX12,
    MX28,
    WATCHDOG_TRIPPED,
    WATCHDOG_UNIT_S,
    XC330_T288,
    XL430_W250,
    XM430_W350,
)
from njf_control.drivers.dynamixel.protocol import StatusError
from njf_control.drivers.dynamixel.tables import ControlTable, Register
from njf_sim.fakes.dynamixel_memory import (
    AX12_DEFAULTS,
    AX12_RANGES,
    Defaults,
    Ranges,
    x_defaults,
    x_ranges,
)
from njf_sim.fakes.dynamixel_servo import FakeServo
from njf_sim.plant import Plant

_COUNTS_PER_TURN = 4096
_GOALS = ("goal_position", "goal_velocity", "goal_pwm", "goal_current")


class FakeAx12(FakeServo):
    """An AX-12: its alarms have no register, they are bits of every answer's error byte."""

    table: ClassVar[ControlTable] = AX12
    defaults: ClassVar[Defaults] = AX12_DEFAULTS
    ranges: ClassVar[Ranges] = AX12_RANGES
    supply_v: ClassVar[float] = 11.1

    @property
    def alert(self) -> int:
        """The alarms themselves."""
        return self.hardware_error


@dataclass
class FakeXServo(FakeServo):
    """A servo of the X series in extended position mode: many turns, and a bus watchdog.

    The watchdog counts while torque is on. When it trips the servo stops where it is, and its goals
    are read-only until somebody writes 0 there. Without power it forgets how many turns it has
    made: after a reboot it stands within the first.
    """

    table: ClassVar[ControlTable] = XM430_W350
    defaults: ClassVar[Defaults] = x_defaults(XM430_W350)
    ranges: ClassVar[Ranges] = x_ranges(XM430_W350)
    supply_v: ClassVar[float] = 12.0

    def __post_init__(self) -> None:
        self._forgotten = 0  # whole turns, in counts
        self._heard_s = math.inf
        super().__post_init__()

    def heard(self, now_s: float) -> None:
        """Some request was on the bus: the watchdog begins anew."""
        self._heard_s = now_s

    def reboot(self) -> None:
        """Power off and on: turns are forgotten, too."""
        raw = self.table.units.position_to_raw(self.plant.position(self._axis))
        self._forgotten = raw - raw % _COUNTS_PER_TURN
        super().reboot()

    def update(self, now_s: float) -> None:
        """Move on to the time `now_s` [s] of the clock of `heard`."""
        allowed_s = self.get("bus_watchdog") * WATCHDOG_UNIT_S
        if self._has_torque and 0.0 < allowed_s < now_s - self._heard_s:
            self._set("bus_watchdog", WATCHDOG_TRIPPED)
            self._goal_rad = self._shaft_rad
            self._pending.clear()
        super().update(now_s)

    @property
    def _speed_limit_rad_s(self) -> float:
        raw = self.get("profile_velocity") or self.get("velocity_limit")
        return self.table.units.raw_to_speed(raw)

    def _count(self, position_rad: float) -> int:
        return super()._count(position_rad) - self._forgotten

    def _angle(self, count: int) -> float:
        return super()._angle(count + self._forgotten)

    def _may_go_to(self, count: int) -> bool:
        """One turn in position mode, any in extended position mode."""
        if self.get("operating_mode") != 3:
            return True
        return self.get("min_position_limit") <= count <= self.get("max_position_limit")

    def _refusal(self, name: str, register: Register, value: int) -> int:
        if name in _GOALS and self.get("bus_watchdog") == WATCHDOG_TRIPPED:
            return StatusError.DATA_RANGE
        return super()._refusal(name, register, value)


class FakeMx28(FakeXServo):
    """An MX-28 with the firmware of protocol 2.0."""

    table: ClassVar[ControlTable] = MX28
    defaults: ClassVar[Defaults] = x_defaults(MX28)
    ranges: ClassVar[Ranges] = x_ranges(MX28)


class FakeXl430(FakeXServo):
    """An XL430-W250."""

    table: ClassVar[ControlTable] = XL430_W250
    defaults: ClassVar[Defaults] = x_defaults(XL430_W250)
    ranges: ClassVar[Ranges] = x_ranges(XL430_W250)


class FakeXc330(FakeXServo):
    """An XC330-T288."""

    table: ClassVar[ControlTable] = XC330_T288
    defaults: ClassVar[Defaults] = x_defaults(XC330_T288)
    ranges: ClassVar[Ranges] = x_ranges(XC330_T288)


FAKES: dict[str, type[FakeServo]] = {
    kind.table.model: kind
    for kind in (FakeServo, FakeAx12, FakeMx28, FakeXl430, FakeXServo, FakeXc330)
}


class Mounting:
    """A plant of motors instead of channels: turned about, and with another zero."""

    def __init__(self, plant: Plant, direction: dict[int, int], zero_rad: dict[int, float]) -> None:
        """Both are by motor id, see `ChannelConfig`."""
        self._plant, self._direction, self._zero_rad = plant, direction, zero_rad

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        """See `Plant`; the goal is the motor's angle from its centre [rad]."""
        if goal is not None:
            goal = self._direction[channel_id] * (goal - self._zero_rad[channel_id])
        self._plant.set_goal(channel_id, goal)

    def position(self, channel_id: int) -> float:
        """Angle of the motor from its centre [rad]."""
        turned = self._direction[channel_id] * self._plant.position(channel_id)
        return turned + self._zero_rad[channel_id]

    def speed(self, channel_id: int) -> float:
        """Speed of the motor [rad/s]."""
        return self._direction[channel_id] * self._plant.speed(channel_id)
