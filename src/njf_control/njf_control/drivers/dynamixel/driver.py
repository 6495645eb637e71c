"""A robot made of Dynamixel servos, one per channel.

One cycle is one sync read (position, speed, load, voltage, temperature and alarms in one block) and
one sync write of goal positions. Goals are rounded to the servo's counts, and inwards at the ends
of the configured range; `send` returns what was really sent.

Safe state: the goal becomes the measured position, then torque goes off. An XL-320 has **no bus
watchdog**: when this process is killed outright (SIGKILL, power loss of the computer) the servos go
on holding their last goal. Everything softer than that ends in `deactivate`.

On activation every servo is told twice its channel's `max_rate` as its own moving speed: a second,
independent limit behind the safety gate.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import NoAnswerError, RobotDriver, RobotState
from njf_control.drivers.dynamixel import tables
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.robot import ChannelConfig, DynamixelConfig, RobotConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_SPEED_MARGIN = 2.0


class DynamixelDriver(RobotDriver):
    """Drives the servos of one robot configuration. Positions in rad from the servo's centre."""

    def __init__(self, robot: RobotConfig, bus: DynamixelBus) -> None:
        """Take the channels of `robot`; nothing is opened yet.

        Raises:
            ConfigError: another kind of driver, unknown servo model, a channel not in rad or beyond
                the servo's span.
        """
        if not isinstance(robot.driver, DynamixelConfig):
            raise ConfigError(f"robot '{robot.name}' has driver.kind {robot.driver.kind}.")
        self._bus = bus
        self._channels = robot.channels
        self._table = tables.control_table(robot.driver.model)
        self._block = self._table.span("present_position", "hardware_error_status")
        self._ids = [_motor_id(channel) for channel in robot.channels]
        self._raw_limits = [_raw_limits(channel) for channel in robot.channels]

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the bus, see `BusStatistics`."""
        return asdict(self._bus.statistics)

    def connect(self) -> None:
        """Open the port anew; check every servo's presence, model, mode and angle limits."""
        self._bus.close()  # it may be the stale handle of an adapter plugged out and in again
        self._bus.open()
        try:
            for channel, limits in zip(self._channels, self._raw_limits, strict=True):
                self._check_servo(channel, limits)
        except NjfError:
            self._bus.close()
            raise

    def activate(self) -> RobotState:
        """Set the goals to the measured positions, then switch torque on and see that it is on."""
        state = self.read()
        if state.alarms:
            raise DeviceNotConnectedError(
                f"servo alarm, torque stays off: {'; '.join(state.alarms)}. "
                "Remove the cause, then switch the servo's power off and on."
            )
        try:
            for channel, position in zip(self._channels, state.position, strict=True):
                self._activate_servo(channel, float(position))
        except NjfError:
            self._torque_off_everywhere()
            raise
        return state

    def read(self) -> RobotState:
        """Measure every servo with one sync read."""
        answers = self._bus.sync_read(self._block, self._ids)
        stamp_s = time.monotonic()

        def column(name: str, convert: Callable[[int], float]) -> Float[np.ndarray, " n"]:
            return np.array([convert(self._extract(name, answers[i])) for i in self._ids])

        return RobotState(
            position=column("present_position", tables.raw_to_position),
            velocity=column("present_speed", tables.raw_to_speed),
            stamp_s=stamp_s,
            health={
                "load": column("present_load", tables.raw_to_load),
                "voltage_v": column("present_voltage", tables.raw_to_voltage),
                "temperature_c": column("present_temperature", float),
            },
            alarms=tuple(self._alarms(answers)),
        )

    def send(self, setpoints: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Send goal positions [rad]; return them as rounded to the servos' counts."""
        raws = [
            _to_raw(float(setpoint), channel, limits)
            for setpoint, channel, limits in zip(
                setpoints, self._channels, self._raw_limits, strict=True
            )
        ]
        self._bus.sync_write(self._table["goal_position"], dict(zip(self._ids, raws, strict=True)))
        return np.array([tables.raw_to_position(raw) for raw in raws])

    def deactivate(self) -> None:
        """Hold the measured position, then switch torque off, servo by servo, and report."""
        self._hold_measured()
        silent = self._torque_off_everywhere()
        if silent:
            raise DeviceNotConnectedError(
                f"torque may still be ON at {', '.join(silent)}: no confirmation. Cut the servo "
                f"power if the robot is not limp. {self._bus.describe_link()}".rstrip()
            )

    def close(self) -> None:
        """Close the port."""
        self._bus.close()

    def _check_servo(self, channel: ChannelConfig, limits: tuple[int, int]) -> None:
        servo = f"channel {channel.name} (motor id {channel.motor_id})"
        model = self._find_model(channel, servo)
        if model != self._table.model_number:
            raise ConfigError(
                f"{servo} is model number {model}, expected {self._table.model_number} "
                f"({self._table.model}). Correct driver.model or motor_id in the robot's file."
            )
        mode = self._read(channel, "control_mode")
        if mode != tables.CONTROL_MODE_JOINT:
            raise ConfigError(
                f"{servo} is in control mode {mode}, expected {tables.CONTROL_MODE_JOINT} (joint). "
                "Write it to register 11 while torque is off."
            )
        span = self._read(channel, "cw_angle_limit"), self._read(channel, "ccw_angle_limit")
        if span[0] > limits[0] or span[1] < limits[1]:
            raise ConfigError(
                f"{servo} allows counts {span[0]}..{span[1]}, but its channel's range needs "
                f"{limits[0]}..{limits[1]}. Narrow lower/upper or write registers 6 and 8."
            )

    def _find_model(self, channel: ChannelConfig, servo: str) -> int:
        """Model number of a channel's servo; a slow starter gets a second chance by the scan."""
        try:
            return self._bus.ping(_motor_id(channel))
        except NoAnswerError:
            found = self._bus.scan()
        if channel.motor_id in found:
            return found[channel.motor_id]
        raise DeviceNotConnectedError(
            f"{servo} does not answer on {self._bus.port}. Motor ids that answer: "
            f"{', '.join(map(str, found)) or 'none'}. Check power, wiring, baud rate and motor_id "
            f"in the robot's file. {self._bus.describe_link()}".rstrip()
        )

    def _activate_servo(self, channel: ChannelConfig, position_rad: float) -> None:
        speed = max(1, tables.speed_to_raw(_SPEED_MARGIN * channel.max_rate))  # 0 is no limit
        # An overload shutdown leaves the torque limit at 0, and with it a limp servo.
        self._write(channel, "torque_limit", self._read(channel, "max_torque"))
        self._write(channel, "moving_speed", speed)
        self._write(channel, "goal_position", tables.position_to_raw(position_rad))
        self._write(channel, "torque_enable", 1)
        if self._read(channel, "torque_enable") != 1:
            raise DeviceNotConnectedError(
                f"channel {channel.name} (motor id {channel.motor_id}) does not switch its torque "
                "on. Check its supply voltage, then switch its power off and on."
            )

    def _hold_measured(self) -> None:
        """Set the goals to the measured positions where that can still be done."""
        with suppress(NjfError):  # torque goes off all the same, and that reports who is silent
            self.send(self.read().position)

    def _torque_off_everywhere(self) -> list[str]:
        """Switch torque off at every servo; name the channels that did not confirm."""
        register = self._table["torque_enable"]
        silent = []
        try:
            self._bus.sync_write(register, dict.fromkeys(self._ids, 0))
        except DeviceNotConnectedError:
            return [channel.name for channel in self._channels]
        for channel in self._channels:
            try:
                self._write(channel, "torque_enable", 0)
            except NjfError:
                silent.append(channel.name)
        return silent

    def _alarms(self, answers: Mapping[int, bytes]) -> list[str]:
        alarms = []
        for channel in self._channels:
            status = self._extract("hardware_error_status", answers[_motor_id(channel)])
            if status:
                text = tables.describe_hardware_error(status)
                alarms.append(f"{channel.name} (motor id {channel.motor_id}): {text}")
        return alarms

    def _extract(self, name: str, block: bytes) -> int:
        return self._table.extract(name, block, self._block.address)

    def _read(self, channel: ChannelConfig, name: str) -> int:
        return self._bus.read(_motor_id(channel), self._table[name])

    def _write(self, channel: ChannelConfig, name: str, value: int) -> None:
        self._bus.write(_motor_id(channel), self._table[name], value)


def _motor_id(channel: ChannelConfig) -> int:
    if channel.motor_id is None:
        raise ConfigError(f"channel {channel.name} has no motor_id. Set it in the robot's file.")
    return channel.motor_id


def _raw_limits(channel: ChannelConfig) -> tuple[int, int]:
    """Counts inside the channel's range: the lower end rounded up, the upper end down."""
    if channel.unit != "rad":
        raise ConfigError(f"channel {channel.name} is in {channel.unit}; a servo needs unit: rad.")
    lower = tables.POSITION_CENTER + math.ceil(channel.lower / tables.RAD_PER_COUNT)
    upper = tables.POSITION_CENTER + math.floor(channel.upper / tables.RAD_PER_COUNT)
    if lower < 0 or upper > tables.POSITION_MAX:
        span = tables.raw_to_position(0), tables.raw_to_position(tables.POSITION_MAX)
        raise ConfigError(
            f"channel {channel.name}: range {channel.lower:g}..{channel.upper:g} rad is beyond the "
            f"servo's {span[0]:.3f}..{span[1]:.3f} rad. Narrow it in the robot's file."
        )
    return lower, upper


def _to_raw(setpoint_rad: float, channel: ChannelConfig, limits: tuple[int, int]) -> int:
    """Nearest count; a set-point inside the range is not rounded to a count outside."""
    raw = tables.position_to_raw(setpoint_rad)
    if channel.lower <= setpoint_rad <= channel.upper:
        return min(max(raw, limits[0]), limits[1])
    return raw
