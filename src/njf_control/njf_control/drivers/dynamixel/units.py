"""What the numbers in a servo's registers mean: counts on one side, SI units here.

XL-320 and AX-12 count 0..1023 over 300 degrees and stand at 512 in their centre; signed values have
a sign bit. The X series counts 4096 per turn, over many turns, stands at 2048 in its centre, and
has two's complement. Angles are from the centre, counter-clockwise positive.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Units:
    """Conversions of one family of servos. Raw values are as `Register.decode` gives them."""

    center: int  # count where the angle is 0
    lowest: int  # of a position [count]
    highest: int
    rad_per_count: float
    rad_s_per_count: float
    full_load: float  # counts of the largest torque
    largest: int  # magnitude of a speed or load [count]
    sign_bit: int = 0  # set: clockwise, which is negative; 0: two's complement
    ampere_per_count: float = math.nan  # NaN: it measures no current

    @property
    def is_multi_turn(self) -> bool:
        """Whether a position may be several turns from the centre."""
        return (self.highest - self.lowest) * self.rad_per_count > 2.0 * math.pi

    def position_to_raw(self, position_rad: float) -> int:
        """Nearest position count; beyond the servo's span its end, as the servo has it.

        Raises:
            ValueError: the position is not finite.
        """
        if not math.isfinite(position_rad):
            raise ValueError(f"position {position_rad} rad is not finite; nothing was converted")
        raw = self.center + round(position_rad / self.rad_per_count)
        return min(max(raw, self.lowest), self.highest)

    def raw_to_position(self, raw: int) -> float:
        """Angle from the servo's centre [rad]."""
        return (raw - self.center) * self.rad_per_count

    def speed_to_raw(self, speed_rad_s: float) -> int:
        """Speed count; saturates."""
        return self._encode(speed_rad_s / self.rad_s_per_count)

    def raw_to_speed(self, raw: int) -> float:
        """Speed [rad/s]."""
        return self._decode(raw) * self.rad_s_per_count

    def load_to_raw(self, load: float) -> int:
        """Load count of a share of the largest torque, -1..1."""
        return self._encode(load * self.full_load)

    def raw_to_load(self, raw: int) -> float:
        """Share of the largest torque, about -1..1. No torque in Nm."""
        return self._decode(raw) / self.full_load

    @property
    def measures_current(self) -> bool:
        """Whether a servo of this kind knows its current."""
        return not math.isnan(self.ampere_per_count)

    def raw_to_current(self, raw: int) -> float:
        """Motor current [A], NaN where it is not measured."""
        return self._decode(raw) * self.ampere_per_count

    def voltage_to_raw(self, voltage_v: float) -> int:
        """Count of a supply voltage [V]."""
        return round(voltage_v * 10.0)

    def raw_to_voltage(self, raw: int) -> float:
        """Supply voltage [V]."""
        return raw / 10.0

    def _encode(self, counts: float) -> int:
        magnitude = min(round(abs(counts)), self.largest)
        if not self.sign_bit:
            return -magnitude if counts < 0 else magnitude
        return magnitude | (self.sign_bit if counts < 0 and magnitude else 0)

    def _decode(self, raw: int) -> int:
        if not self.sign_bit:
            return raw
        magnitude = raw & (self.sign_bit - 1)
        return -magnitude if raw & self.sign_bit else magnitude


def _rpm(value: float) -> float:
    return value * 2.0 * math.pi / 60.0


TEN_BIT = Units(
    center=512,
    lowest=0,
    highest=1023,
    rad_per_count=math.radians(300.0) / 1023,
    rad_s_per_count=_rpm(0.111),
    full_load=1000.0,  # a load counts 0.1 %
    largest=1023,
    sign_bit=1 << 10,
)
MULTI_TURN = Units(
    center=2048,
    lowest=-1_048_575,  # 256 turns
    highest=1_048_575,
    rad_per_count=2.0 * math.pi / 4096,
    rad_s_per_count=0.0239691227,  # the e-Manual rounds it to 0.229 rpm
    full_load=885.0,  # of the PWM
    largest=32_767,
)
