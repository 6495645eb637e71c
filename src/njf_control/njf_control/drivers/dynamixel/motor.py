"""One motor as its channel sees it: id, direction, zero, and the counts it may go to."""

import math
from dataclasses import dataclass

from njf_control.drivers.dynamixel.units import Units
from njf_control.robot import ChannelConfig
from njf_perception.errors import ConfigError


@dataclass(frozen=True)
class Motor:
    """Converts between the channel [rad] and the motor's counts.

    A channel is `motor_direction` times the motor's angle from `motor_zero_rad`.

    Attributes:
        lowest, highest: counts that lie inside the channel's range, rounded inwards.
    """

    channel: ChannelConfig
    motor_id: int
    units: Units
    lowest: int
    highest: int

    @property
    def name(self) -> str:
        """Name for messages. Begins with the channel's, by which diagnostics find alarms."""
        return f"{self.channel.name} (motor id {self.motor_id})"

    def to_raw(self, setpoint_rad: float) -> int:
        """Nearest count; a set-point inside the range is not rounded to a count outside.

        Raises:
            ValueError: the set-point is not finite.
        """
        raw = self.units.position_to_raw(_angle(self.channel, setpoint_rad))
        if self.channel.lower <= setpoint_rad <= self.channel.upper:
            return min(max(raw, self.lowest), self.highest)
        return raw

    def to_position(self, raw: int) -> float:
        """Position of the channel [rad]."""
        angle_rad = self.units.raw_to_position(raw) - self.channel.motor_zero_rad
        return self.channel.motor_direction * angle_rad

    def to_velocity(self, raw: int) -> float:
        """Velocity of the channel [rad/s]."""
        return self.channel.motor_direction * self.units.raw_to_speed(raw)

    def to_load(self, raw: int) -> float:
        """Share of the largest effort, positive where it pushes the channel up."""
        return self.channel.motor_direction * self.units.raw_to_load(raw)

    def to_current(self, raw: int) -> float:
        """Motor current [A], positive where it pushes the channel up."""
        return self.channel.motor_direction * self.units.raw_to_current(raw)

    def beyond_range(self, position_rad: float) -> float:
        """How far a position is outside the channel's range [rad]; negative inside."""
        return max(self.channel.lower - position_rad, position_rad - self.channel.upper)


def motor_of(channel: ChannelConfig, units: Units) -> Motor:
    """The motor of a channel.

    Raises:
        ConfigError: no id, another unit than rad, or a range beyond the motor's span.
    """
    if channel.motor_id is None:
        raise ConfigError(f"channel {channel.name} has no motor_id. Set it in the robot's file.")
    if channel.unit != "rad":
        raise ConfigError(f"channel {channel.name} is in {channel.unit}; a servo needs unit: rad.")
    ends = sorted(
        units.center + _angle(channel, end) / units.rad_per_count
        for end in (channel.lower, channel.upper)
    )
    lowest, highest = math.ceil(ends[0]), math.floor(ends[1])
    if lowest < units.lowest or highest > units.highest:
        span = units.raw_to_position(units.lowest), units.raw_to_position(units.highest)
        raise ConfigError(
            f"channel {channel.name}: range {channel.lower:g}..{channel.upper:g} rad is beyond the "
            f"servo's {span[0]:.3f}..{span[1]:.3f} rad. Narrow it in the robot's file."
        )
    return Motor(channel, channel.motor_id, units, lowest, highest)


def _angle(channel: ChannelConfig, position_rad: float) -> float:
    """Where the motor stands when its channel is at `position_rad`, from its own centre [rad]."""
    return channel.motor_zero_rad + channel.motor_direction * position_rad
