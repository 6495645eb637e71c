"""A robot made of Dynamixel servos, one per channel.

One cycle is one sync read of everything from the torque switch to the temperature in one block, and
one sync write of goal positions. (An AX-12 knows no sync read: it is asked servo by servo.) Goals
are rounded to the servo's counts, and inwards at the ends of the configured range; `send` returns
what was really sent.

Safe state: the goal becomes the measured position, then torque goes off. The X series has a **bus
watchdog**, armed while the robot is driven: when this process is killed outright (SIGKILL, power
loss of the computer, cable out) a servo stops by itself after `bus_watchdog_s` and holds. XL-320
and AX-12 have **none**: they move on to their last goal and hold it. Everything softer ends in
`deactivate`.

On activation every servo is told twice its channel's `max_rate` as its own largest speed: a second,
independent limit behind the safety gate. Alarms are the servo's own hardware errors, torque that
went off by itself, a tripped bus watchdog, and a multi-turn motor outside its turn limits.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import Notice, RobotDriver, RobotState
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.bus1 import Protocol1Bus
from njf_control.drivers.dynamixel.checks import beyond_turn_limit, check_motor
from njf_control.drivers.dynamixel.models import (
    WATCHDOG_TRIPPED,
    WATCHDOG_UNIT_S,
    control_table,
)
from njf_control.drivers.dynamixel.motor import Motor, motor_of
from njf_control.robot import DynamixelConfig, RobotConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_SPEED_MARGIN = 2.0


def bus_of(config: DynamixelConfig, port: str = "") -> DynamixelBus:
    """The bus that the configured servos speak on; a non-empty `port` replaces the configured."""
    kind = Protocol1Bus if control_table(config.model).protocol == 1 else DynamixelBus
    return kind(port or config.port, config.baud)


class DynamixelDriver(RobotDriver):
    """Drives the servos of one robot configuration. Positions in rad, see `Motor`."""

    def __init__(self, robot: RobotConfig, bus: DynamixelBus) -> None:
        """Take the channels of `robot`; nothing is opened yet.

        Raises:
            ConfigError: another kind of driver, unknown servo model, a channel not in rad or beyond
                the servo's span.
        """
        if not isinstance(robot.driver, DynamixelConfig):
            raise ConfigError(f"robot '{robot.name}' has driver.kind {robot.driver.kind}.")
        self._bus = bus
        self._config = robot.driver
        self._table = control_table(robot.driver.model)
        self._motors = [motor_of(channel, self._table.units) for channel in robot.channels]
        self._ids = [motor.motor_id for motor in self._motors]
        self._block = self._table.state
        self._is_driven = False
        self._notices: tuple[Notice, ...] = ()

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the bus, see `BusStatistics`."""
        return asdict(self._bus.statistics)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was mended at the servos, and whether they stop by themselves."""
        return self._notices

    @property
    def health_limits(self) -> Mapping[str, tuple[float, float]]:
        """Those of every driver, and the servo's supply voltage [V] where it is known."""
        supply_v = self._table.supply_v
        return {**super().health_limits, **({"voltage_v": supply_v} if supply_v else {})}

    def connect(self) -> None:
        """Open the port anew; check every servo's presence, model, settings and limits."""
        self._bus.close()  # it may be the stale handle of an adapter plugged out and in again
        self._bus.open()
        notices = [self._watchdog_notice()]
        try:
            for motor in self._motors:
                notices += check_motor(self._bus, self._table, motor)
        except NjfError:
            self._bus.close()
            raise
        self._notices = tuple(notices)

    def reopen(self) -> None:
        """Open the port anew; asks no motor."""
        self._bus.close()
        self._bus.open()

    def activate(self) -> RobotState:
        """Set the goals to the measured positions, then switch torque on and see that it is on."""
        self._is_driven = False
        state = self.read()
        if state.alarms:
            raise DeviceNotConnectedError(
                f"servo alarm, torque stays off: {'; '.join(state.alarms)}. "
                "Remove the cause, then switch the servo's power off and on."
            )
        try:
            for motor, position in zip(self._motors, state.position, strict=True):
                self._activate_motor(motor, float(position))
        except NjfError:
            self._torque_off_everywhere()
            raise
        self._is_driven = True
        return state

    def read(self) -> RobotState:
        """Measure every servo with one sync read."""
        blocks = self._bus.sync_read(self._block, self._ids)
        stamp_s = time.monotonic()

        def column(name: str, convert: Callable[[Motor, int], float]) -> Float[np.ndarray, " n"]:
            return np.array(
                [convert(m, self._extract(name, blocks[m.motor_id])) for m in self._motors]
            )

        roles, units = self._table.roles, self._table.units
        position = column("present_position", Motor.to_position)
        health = {
            "load": column(roles.load, Motor.to_load),
            "voltage_v": column(roles.voltage, lambda _, raw: units.raw_to_voltage(raw)),
            "temperature_c": column("present_temperature", lambda _, raw: float(raw)),
        }
        if units.measures_current:
            health["current_a"] = column("present_current", Motor.to_current)
        return RobotState(
            position=position,
            velocity=column(roles.speed, Motor.to_velocity),
            stamp_s=stamp_s,
            health=health,
            alarms=tuple(
                alarm
                for motor, where in zip(self._motors, position, strict=True)
                for alarm in self._alarms(motor, float(where), blocks[motor.motor_id])
            ),
        )

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send goal positions [rad]; return them as rounded to the servos' counts."""
        pairs = list(zip(self._motors, setpoints, strict=True))
        raws = {motor.motor_id: motor.to_raw(float(setpoint)) for motor, setpoint in pairs}
        self._bus.sync_write(self._table["goal_position"], raws)
        return np.array([motor.to_position(raws[motor.motor_id]) for motor in self._motors])

    def deactivate(self) -> None:
        """Hold the measured position, then switch torque off, servo by servo, and report."""
        self._is_driven = False
        with suppress(NjfError), self._bus.once():  # torque goes off all the same, and soon
            self.send(self.read().position)
        silent = self._torque_off_everywhere()
        if silent:
            raise DeviceNotConnectedError(
                f"torque may still be ON at {', '.join(silent)}: no confirmation. Cut the servo "
                f"power if the robot is not limp. {self._bus.describe_link()}".rstrip()
            )

    def close(self) -> None:
        """Close the port."""
        self._bus.close()

    def _watchdog_notice(self) -> Notice:
        name = "bus watchdog"
        if "bus_watchdog" in self._table:
            seconds = self._watchdog_counts * WATCHDOG_UNIT_S
            return Notice(name, f"a motor that hears nothing for {seconds:g} s stops by itself")
        text = f"{self._table.model} has none: when this program is killed, torque stays on"
        return Notice(name, text)

    @property
    def _watchdog_counts(self) -> int:
        return round(self._config.bus_watchdog_s / WATCHDOG_UNIT_S)

    def _activate_motor(self, motor: Motor, position_rad: float) -> None:
        roles, has_watchdog = self._table.roles, "bus_watchdog" in self._table
        if has_watchdog:
            self._clear_watchdog(motor)
        # An overload shutdown leaves the torque limit at 0, and with it a limp servo.
        largest = self._read(motor, roles.largest_effort)
        self._write(motor, roles.effort_limit, round(self._config.effort_limit * largest))
        self._write(motor, roles.speed_limit, self._speed_limit(motor))
        self._write(motor, "goal_position", motor.to_raw(position_rad))
        self._write(motor, "torque_enable", 1)
        if self._read(motor, "torque_enable") != 1:
            raise DeviceNotConnectedError(
                f"channel {motor.name} does not switch its torque on. Check its supply voltage, "
                "then switch its power off and on."
            )
        if has_watchdog:
            self._write(motor, "bus_watchdog", self._watchdog_counts)

    def _clear_watchdog(self, motor: Motor) -> None:
        """While it is tripped, goals are read-only. Limp first: no old goal comes back to life."""
        if self._read(motor, "bus_watchdog") == WATCHDOG_TRIPPED:
            self._write(motor, "torque_enable", 0)
        self._write(motor, "bus_watchdog", 0)

    def _speed_limit(self, motor: Motor) -> int:
        """Count of the largest speed; 0 would be no limit."""
        raw = self._table.units.speed_to_raw(_SPEED_MARGIN * motor.channel.max_rate)
        if "velocity_limit" in self._table:
            raw = min(raw, self._read(motor, "velocity_limit"))
        return max(1, raw)

    def _torque_off_everywhere(self) -> list[str]:
        """Switch torque off at every servo; name the channels that did not confirm."""
        silent = []
        try:
            self._bus.sync_write(self._table["torque_enable"], dict.fromkeys(self._ids, 0))
            if "bus_watchdog" in self._table:
                self._bus.sync_write(self._table["bus_watchdog"], dict.fromkeys(self._ids, 0))
        except DeviceNotConnectedError:
            return [motor.channel.name for motor in self._motors]
        for motor in self._motors:
            try:
                self._write(motor, "torque_enable", 0)
            except NjfError:
                silent.append(motor.channel.name)
        return silent

    def _alarms(self, motor: Motor, position_rad: float, block: bytes) -> Iterator[str]:
        """What is wrong with one motor, in words."""
        if error := self._table.describe_hardware_error(self._hardware_error(motor, block)):
            yield f"{motor.name}: {error}"
        elif not self._is_driven:
            return
        elif not self._extract("torque_enable", block):
            yield (
                f"{motor.name} switched its torque off by itself: its supply broke down for a "
                "moment, or somebody else talks to it"
            )
        elif "bus_watchdog" in self._table and self._tripped(block):
            yield (
                f"{motor.name} was stopped by its bus watchdog: it heard nothing for "
                f"{self._watchdog_counts * WATCHDOG_UNIT_S:g} s"
            )
        elif self._table.units.is_multi_turn:
            yield from filter(None, [beyond_turn_limit(motor, position_rad)])

    def _tripped(self, block: bytes) -> bool:
        return self._extract("bus_watchdog", block) == WATCHDOG_TRIPPED

    def _hardware_error(self, motor: Motor, block: bytes) -> int:
        """Bits of the alarms; an AX-12 tells them in every answer, and has no register of them."""
        if "hardware_error_status" in self._table:
            return self._extract("hardware_error_status", block)
        known = sum(1 << bit for bit in self._table.hardware_errors)
        return self._bus.errors.get(motor.motor_id, 0) & known

    def _extract(self, name: str, block: bytes) -> int:
        return self._table.extract(name, block, self._block.address)

    def _read(self, motor: Motor, name: str) -> int:
        return self._bus.read(motor.motor_id, self._table[name])

    def _write(self, motor: Motor, name: str, value: int) -> None:
        self._bus.write(motor.motor_id, self._table[name], value)
