"""A pneumatic robot: one regulated chamber per channel, in gauge pressure [Pa].

Activation holds what is measured: the regulators start with the measured pressures as set-points.
A channel that cannot be read before it regulates starts at what it then measures.

Safe state: every set-point to zero at once, up to `exhaust_s` for the air to leave, then the
outputs off, whether or not the air has left; each of the three is tried though another failed, and
a device that is too busy is asked again for as long.
Behind it stands the device's own communication time-out, where it has one, see `notices`.

Two things here do not trust the gate in front: no set-point above `max_pressure_pa` is sent, and
`PressureSupervision` turns a pressure that does not follow into an alarm.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import NoAnswerError, Notice, RobotDriver, RobotState
from njf_control.drivers.pressure.config import PressureConfig
from njf_control.drivers.pressure.device import PressureDevice, PressureReading
from njf_control.drivers.pressure.supervision import PressureSupervision
from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_POLL_S = 0.02


class PressureDriver(RobotDriver):
    """Drives the chambers of one robot through a `PressureDevice`."""

    def __init__(self, robot: RobotConfig, device: PressureDevice) -> None:
        """Take the channels of `robot`; nothing is opened yet.

        Raises:
            ConfigError: another kind of driver, a channel not in Pa, or one whose range the
                regulators must not or cannot reach.
        """
        if not isinstance(robot.driver, PressureConfig):
            raise ConfigError(f"robot '{robot.name}' has driver.kind {robot.driver.kind}.")
        check_channels(robot, robot.driver)
        self._config = robot.driver
        self._names = robot.channel_names
        self._device = device
        self._supervision = PressureSupervision(self._names, robot.driver)
        self._setpoint_pa: Float[np.ndarray, " n"] | None = None  # while driven
        self._previous: PressureReading | None = None

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the device's link."""
        return self._device.statistics

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the device has to say about itself."""
        return self._device.notices

    def connect(self) -> None:
        """Open the device anew; moves nothing."""
        self._device.close()
        self._previous = self._setpoint_pa = None
        self._device.open()

    def activate(self) -> RobotState:
        """Regulate at the measured pressures, and return them."""
        self._supervision.restart()
        try:
            self._device.enable(self._allowed(self._device.measure().pressure_gauge_pa))
            state = self._state(self._device.measure())
            self._setpoint_pa = self._device.apply(self._allowed(state.position))
        except NjfError as error:
            trouble = self._vent()
            raise type(error)(" ".join([str(error), *trouble])) from None
        return state

    def read(self) -> RobotState:
        """Measure every chamber; velocities are differences of successive measurements."""
        return self._state(self._device.measure())

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send set-points [Pa gauge]; return them as limited and quantised."""
        if not np.isfinite(setpoints).all():
            raise ValueError(f"set-points must be finite, got {setpoints.tolist()}")
        self._setpoint_pa = self._device.apply(self._allowed(setpoints))
        return self._setpoint_pa.copy()

    def deactivate(self) -> None:
        """Vent every chamber, switch the outputs off, and report what failed."""
        troubles = self._vent()
        if troubles:
            raise DeviceNotConnectedError(
                f"the hand may still be under pressure: {' '.join(troubles)} "
                "Shut the air supply and let it out by hand if so."
            )

    def close(self) -> None:
        """Release the device."""
        self._device.close()

    def _allowed(self, pressure_pa: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return np.clip(pressure_pa, 0.0, self._config.max_pressure_pa)

    def _vent(self) -> list[str]:
        """Zero, wait, off: all three are tried; what failed, in sentences."""
        self._setpoint_pa = None  # no chamber is expected to follow any more
        steps = (self._send_zero, self._await_exhausted, self._device.disable)
        troubles: dict[str, None] = {}  # a lost device says the same three times
        for step in steps:
            try:
                step()
            except NjfError as error:
                troubles[str(error)] = None
        return list(troubles)

    def _send_zero(self) -> None:
        deadline_s = time.monotonic() + self._config.exhaust_s
        while True:
            try:
                self._device.apply(np.zeros(len(self._names)))
                return
            except NoAnswerError:
                if time.monotonic() > deadline_s:
                    raise
            time.sleep(_POLL_S)

    def _await_exhausted(self) -> None:
        deadline_s = time.monotonic() + self._config.exhaust_s
        held = "no measurement"
        for attempt in count():
            with suppress(NoAnswerError):  # one that is missed is no reason to shut the air in
                held = self._under_pressure()
            if not held:
                return
            if time.monotonic() > deadline_s and attempt:
                break
            time.sleep(_POLL_S)
        raise DeviceNotConnectedError(
            f"the air has not left after {self._config.exhaust_s:g} s: {held}."
        )

    def _under_pressure(self) -> str:
        """Chambers that hold air, with their gauge pressures; empty when all are vented."""
        measured_pa = self._device.measure().pressure_gauge_pa
        full = np.flatnonzero(measured_pa > self._config.exhausted_pa)
        return ", ".join(f"{self._names[i]} {measured_pa[i] / 1000:.1f} kPa" for i in full)

    def _state(self, reading: PressureReading) -> RobotState:
        measured_pa, previous = reading.pressure_gauge_pa, self._previous
        self._previous = reading
        velocity = np.zeros(len(measured_pa))
        if previous is not None and reading.stamp_s > previous.stamp_s:
            elapsed_s = reading.stamp_s - previous.stamp_s
            velocity = (measured_pa - previous.pressure_gauge_pa) / elapsed_s
        alarms = reading.alarms
        if self._setpoint_pa is not None:
            alarms += self._supervision.alarms(self._setpoint_pa, measured_pa, reading.stamp_s)
        return RobotState(measured_pa, velocity, reading.stamp_s, alarms=alarms)


def check_channels(robot: RobotConfig, config: PressureConfig) -> None:
    """See that regulators can and may do what the channels ask.

    Raises:
        ConfigError: a channel not in Pa, below ambient or above `max_pressure_pa`.
    """
    for channel in robot.channels:
        if channel.unit != "Pa":
            raise ConfigError(
                f"channel {channel.name} is in {channel.unit}; a regulator needs unit: Pa."
            )
        if channel.lower < 0 or channel.upper > config.max_pressure_pa:
            raise ConfigError(
                f"channel {channel.name}: range {channel.lower:g}..{channel.upper:g} Pa is beyond "
                f"the 0..{config.max_pressure_pa:g} Pa gauge of driver.max_pressure_pa. Narrow the "
                "range, or raise the limit if the chamber bears it."
            )
