"""Does the pressure do what it is told? Finds what a regulator does not report itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from njf_control.drivers.pressure.config import PressureConfig

_VACUUM_PA = -101_325.0  # no gauge pressure is lower


class PressureSupervision:
    """Compares measured pressures with set-points over time. Pure: the caller owns the clock.

    Three alarms: a pressure that no air can have (a broken sensor), one well above the largest
    allowed, and one that stays far from its set-point: a stuck valve, a leak, a kinked tube or too
    little supply pressure look alike from here.
    """

    def __init__(self, names: Sequence[str], config: PressureConfig) -> None:
        """Watch the channels `names` with the thresholds of `config`."""
        self._names = list(names)
        self._config = config
        self._far_since_s = np.full(len(self._names), np.nan)

    def restart(self) -> None:
        """Forget what was seen; before set-points are sent again."""
        self._far_since_s[:] = np.nan

    def alarms(
        self,
        setpoint_pa: Float[np.ndarray, " n"],
        measured_pa: Float[np.ndarray, " n"],
        now_s: float,
    ) -> tuple[str, ...]:
        """One sentence per channel in trouble at monotonic time `now_s` [s]; gauge pressures."""
        far = np.abs(measured_pa - setpoint_pa) > self._config.following_error_pa
        begun = np.where(np.isnan(self._far_since_s), now_s, self._far_since_s)
        self._far_since_s = np.where(far, begun, np.nan)
        late = far & (now_s - begun > self._config.following_timeout_s)
        return tuple(
            f"{name} {trouble}"
            for name, goal, measured, is_late in zip(
                self._names, setpoint_pa, measured_pa, late, strict=True
            )
            if (trouble := self._trouble(float(goal), float(measured), bool(is_late)))
        )

    def _trouble(self, setpoint_pa: float, measured_pa: float, late: bool) -> str:
        if measured_pa < _VACUUM_PA:
            return f"measures {_kpa(measured_pa)}, less than a vacuum: its sensor is broken"
        highest_pa = self._config.max_pressure_pa + self._config.following_error_pa
        if measured_pa > highest_pa:
            return f"measures {_kpa(measured_pa)}, more than the {_kpa(highest_pa)} allowed"
        if late:
            return (
                f"measures {_kpa(measured_pa)} instead of {_kpa(setpoint_pa)} for more than "
                f"{self._config.following_timeout_s:g} s: look for too little supply pressure, a "
                "stuck valve, a leak or a kinked tube"
            )
        return ""


def _kpa(pressure_pa: float) -> str:
    return f"{pressure_pa / 1000.0:.1f} kPa"
