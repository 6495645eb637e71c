"""Analogue pressure regulators behind a microcontroller with DAC and ADC, on a serial port.

The board knows counts only; zero and scale of both directions are configured. It has a host
watchdog of its own: without a request in time it sets every output to zero and switches it off,
which the next measurement reports as an alarm.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import NoAnswerError, Notice
from njf_control.drivers.pressure import board_protocol as protocol
from njf_control.drivers.pressure.board_link import BoardLink
from njf_control.drivers.pressure.config import PressureBoardConfig
from njf_control.drivers.pressure.device import PressureDevice, PressureReading, left_on
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_TIMEOUT = "communication time-out"
_FIRST_ANSWER_S = 3.0  # an Arduino restarts when its port is opened


class PressureBoard(PressureDevice):
    """Outputs of one board, one per channel."""

    def __init__(
        self,
        config: PressureBoardConfig,
        names: Sequence[str],
        outputs: Sequence[int],
        link: BoardLink,
    ) -> None:
        """Use the board's `outputs` for the channels `names`."""
        self._config = config
        self._names = list(names)
        self._outputs = list(outputs)
        self._link = link
        self._size = 0  # outputs that the board has
        self._regulates = False
        self._notices: tuple[Notice, ...] = ()

    @property
    def statistics(self) -> Mapping[str, int]:
        """See `BoardStatistics`."""
        return asdict(self._link.statistics)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What became of the board's watchdog, and whether its outputs were on already."""
        return self._notices

    def open(self) -> None:
        """Open the port, check firmware and size of the board, set its watchdog.

        Raises:
            ConfigError: the board has another protocol, fewer outputs or another full scale.
        """
        self._link.open()
        self._regulates = False
        self._size = self._identify()
        wanted_ms = math.ceil(self._config.communication_timeout_s * 1000.0)
        granted_ms = self._numbers("WDT", wanted_ms, size=1)[0]
        flags = self._numbers("GET", size=1 + self._size)[0]
        found = (left_on("the board"),) if flags & protocol.FLAG_ON else ()
        self._notices = (_watchdog_notice(wanted_ms, granted_ms), *found)

    def measure(self) -> PressureReading:
        """Ask for flags and measured counts."""
        flags, *measured = self._numbers("GET", size=1 + self._size)
        used = np.array([measured[output] for output in self._outputs])
        config = self._config
        pressure = (used - config.measured_zero_count) * config.measured_pa_per_count
        alarms = tuple(_alarms(flags)) if self._regulates else ()
        return PressureReading(pressure, time.monotonic(), alarms)

    def enable(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> None:
        """Set the first set-points, switch the outputs on."""
        self.apply(pressure_gauge_pa)
        self._link.ask("ON")
        self._regulates = True
        alarms = self.measure().alarms
        if alarms:
            raise DeviceNotConnectedError(f"the board does not regulate: {'; '.join(alarms)}.")

    def apply(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send set-points, rounded to the board's counts."""
        wanted = [0] * self._size
        for output, pressure in zip(self._outputs, pressure_gauge_pa, strict=True):
            wanted[output] = self._count(float(pressure))
        taken = self._numbers("SET", *wanted, size=self._size)
        used = np.array([taken[output] for output in self._outputs])
        return (used - self._config.setpoint_zero_count) * self._config.setpoint_pa_per_count

    def disable(self) -> None:
        """Switch the outputs off and see that they are."""
        self._link.ask("OFF")
        self._regulates = False
        flags = self._numbers("GET", size=1 + self._size)[0]
        if flags & protocol.FLAG_ON:
            raise DeviceNotConnectedError("the board says that its outputs are still on.")

    def close(self) -> None:
        """Close the port."""
        self._link.close()

    def _count(self, pressure_pa: float) -> int:
        """Nearest count, but never one above `max_pressure_pa` or the full scale."""
        config = self._config
        zero, scale = config.setpoint_zero_count, config.setpoint_pa_per_count
        highest = zero + math.floor(config.max_pressure_pa / scale)
        return max(0, min(zero + round(pressure_pa / scale), highest, config.largest_count))

    def _identify(self) -> int:
        """Number of outputs of the board, which must be one of ours."""
        deadline_s = time.monotonic() + _FIRST_ANSWER_S
        while True:
            try:
                answer = self._link.ask("ID")
                break
            except NoAnswerError:
                if time.monotonic() > deadline_s:
                    raise
        figures = protocol.counts(answer[1:])
        if answer[:1] != (protocol.NAME,) or not figures or figures[0] != protocol.VERSION:
            raise ConfigError(
                f"{self._link.port}: '{' '.join(answer)}' answers, expected {protocol.NAME} "
                f"{protocol.VERSION}. Flash the firmware of docs/hardware/pneumatic.md."
            )
        _, size, largest = figures if len(figures) == 3 else (0, 0, 0)
        if size <= max(self._outputs) or largest != self._config.largest_count:
            raise ConfigError(
                f"{self._link.port}: the board has {size} outputs of full scale {largest}; the "
                f"robot's file needs outputs {self._outputs} and driver.largest_count "
                f"{self._config.largest_count}. Correct the file or the firmware."
            )
        return size

    def _numbers(self, verb: str, *arguments: int, size: int) -> list[int]:
        """Ask for something whose answer is `size` counts."""
        answer = self._link.ask(verb, *arguments)
        values = protocol.counts(answer)
        if values is None or len(values) != size:
            raise NoAnswerError(
                f"{self._link.port}: the board answered {verb} with '{' '.join(answer)}', expected "
                f"{size} counts. Flash the firmware of docs/hardware/pneumatic.md."
            )
        return values


def _alarms(flags: int) -> Iterator[str]:
    if flags & protocol.FLAG_WATCHDOG:
        yield "the board heard nothing for too long and vented (its watchdog)"
    elif not flags & protocol.FLAG_ON:
        yield "the board's outputs are off: it restarted"
    if flags & protocol.FLAG_SUPPLY_LOW:
        yield "the board reports too little supply pressure"


def _watchdog_notice(wanted_ms: int, granted_ms: int) -> Notice:
    if not granted_ms:
        return Notice(_TIMEOUT, "off: pressures stay when the link dies", is_warning=True)
    if granted_ms != wanted_ms:
        text = f"{granted_ms} ms granted by the board instead of {wanted_ms} ms"
        return Notice(_TIMEOUT, text, is_warning=True)
    return Notice(_TIMEOUT, f"{granted_ms} ms, confirmed by the board")
