"""Is it the configured robot? What is looked at, and mended, before any torque goes on.

Nothing here moves a motor. Registers that a model's `settings` name are written where that is
allowed and torque is off; each such change is told.
"""

import math
from collections.abc import Iterator
from contextlib import suppress

from njf_control.drivers.base import NoAnswerError, Notice
from njf_control.drivers.dynamixel.bus import DynamixelBus, SpeedRefusedError
from njf_control.drivers.dynamixel.models import WATCHDOG_TRIPPED, model_name
from njf_control.drivers.dynamixel.motor import Motor
from njf_control.drivers.dynamixel.tables import ControlTable, Setting
from njf_perception.errors import ConfigError, DeviceNotConnectedError

TURN_SLACK_RAD = 0.25  # a soft rod under load, or a coarse hand, may push a motor this far


def check_motor(bus: DynamixelBus, table: ControlTable, motor: Motor) -> list[Notice]:
    """See that a motor is there and fit to be driven; tells what was mended.

    Raises:
        DeviceNotConnectedError: it does not answer.
        ConfigError: it is another one, or set in a way that the driver must not or cannot mend.
    """
    _check_model(bus, table, motor)
    notices = [
        notice
        for name, setting in table.settings.items()
        for notice in _check_setting(bus, table, motor, name, setting)
    ]
    if table.units.is_multi_turn:
        _check_turns(bus, table, motor)
    else:
        _check_angle_limits(bus, table, motor)
    if "bus_watchdog" in table:
        notices += _check_watchdog(bus, table, motor)
    notices += _check_torque(bus, table, motor)
    return notices


def beyond_turn_limit(motor: Motor, position_rad: float) -> str:
    """What is wrong with where a multi-turn motor stands [rad]; empty when it is in its range."""
    beyond_rad = motor.beyond_range(position_rad)
    if not math.isnan(beyond_rad) and beyond_rad <= TURN_SLACK_RAD:
        return ""
    lower, upper = motor.channel.lower, motor.channel.upper
    turns = round(beyond_rad / (2.0 * math.pi))
    about = f", about {turns} turn{'s' if turns > 1 else ''} off" if turns else ""
    return (
        f"{motor.name} stands at {position_rad:.2f} rad, outside its turn limits "
        f"{lower:g}..{upper:g} rad{about}. Torque is off: turn it back by hand, or correct "
        "motor_zero_rad or the range in the robot's file if it stands right."
    )


def _check_model(bus: DynamixelBus, table: ControlTable, motor: Motor) -> None:
    model = _find_model(bus, table, motor)
    if model != table.model_number:
        raise ConfigError(
            f"channel {motor.name} is model number {model}, expected {table.model_number} "
            f"({table.model}; this one is {model_name(model)}). Correct driver.model or motor_id "
            "in the robot's file."
        )


def _find_model(bus: DynamixelBus, table: ControlTable, motor: Motor) -> int:
    """Model number of a channel's servo; a slow starter gets a second chance by the scan."""
    try:
        return bus.ping(motor.motor_id)
    except NoAnswerError:
        found = bus.scan()
    if motor.motor_id in found:
        return found[motor.motor_id]
    if other := _baud_where_it_answers(bus, table, motor):
        raise DeviceNotConnectedError(
            f"channel {motor.name} answers at {other} bit/s, not at {bus.baud}. Set driver.baud to "
            f"{other}, or change the motor: `{_tool(bus, table)} --baud {other} "
            f"--motor-id {motor.motor_id} --new-baud {bus.baud}`."
        )
    raise DeviceNotConnectedError(
        f"channel {motor.name} does not answer on {bus.port}. Motor ids that answer: "
        f"{', '.join(map(str, found)) or 'none'}. Check power, wiring, baud rate and motor_id "
        f"in the robot's file; `{_tool(bus, table)}` lists who is there. "
        f"{bus.describe_link()}".rstrip()
    )


def _tool(bus: DynamixelBus, table: ControlTable) -> str:
    return f"njf motors --port {bus.port}" + (" --protocol 1" if table.protocol == 1 else "")


def _baud_where_it_answers(bus: DynamixelBus, table: ControlTable, motor: Motor) -> int:
    """Another serial speed at which the motor answers [bit/s]; 0: at none."""
    for baud in sorted(table.baud_codes.values(), reverse=True):
        if baud != bus.baud:
            with suppress(NoAnswerError, SpeedRefusedError), bus.at_baud(baud):
                bus.ping(motor.motor_id)
                return baud
    return 0


def _check_setting(
    bus: DynamixelBus, table: ControlTable, motor: Motor, name: str, setting: Setting
) -> Iterator[Notice]:
    register, found = table[name], bus.read(motor.motor_id, table[name])
    if found == setting.value:
        return
    what = name.replace("_", " ")
    expected = f"expected {setting.value} ({setting.words})"
    wrong = f"channel {motor.name} is in {what} {found}, {expected}."
    if not setting.mended:
        raise ConfigError(f"{wrong} Write it to register {register.address} while torque is off.")
    if bus.read(motor.motor_id, table["torque_enable"]):
        raise ConfigError(
            f"{wrong} Its torque is on, so it cannot be changed: switch its power off and on, and "
            "see that no other program drives it."
        )
    # Nobody has to confirm this one: a servo may be set not to.
    bus.sync_write(register, {motor.motor_id: setting.value})
    if bus.read(motor.motor_id, register) != setting.value:
        raise ConfigError(f"{wrong} It does not take that: set it with Dynamixel Wizard.")
    text = f"{motor.name} was in {what} {found}, now {setting.value} ({setting.words})"
    yield Notice(f"{motor.channel.name} {what}", text)


def _check_angle_limits(bus: DynamixelBus, table: ControlTable, motor: Motor) -> None:
    limits = [
        bus.read(motor.motor_id, table[name]) for name in ("cw_angle_limit", "ccw_angle_limit")
    ]
    if limits[0] > motor.lowest or limits[1] < motor.highest:
        raise ConfigError(
            f"channel {motor.name} allows counts {limits[0]}..{limits[1]}, but its channel's range "
            f"needs {motor.lowest}..{motor.highest}. Narrow lower/upper or write registers 6 and 8."
        )


def _check_turns(bus: DynamixelBus, table: ControlTable, motor: Motor) -> None:
    """Only the file knows how far a rod may be turned: the servo itself knows no end."""
    raw = bus.read(motor.motor_id, table["present_position"])
    if trouble := beyond_turn_limit(motor, motor.to_position(raw)):
        raise ConfigError(f"channel {trouble}")


def _check_torque(bus: DynamixelBus, table: ControlTable, motor: Motor) -> Iterator[Notice]:
    """Tell of torque that is on before anybody asked for it. It stays: an arm would fall."""
    if bus.read(motor.motor_id, table["torque_enable"]):
        yield Notice(
            f"{motor.channel.name} torque",
            f"{motor.name} has its torque ON already, from a program that was killed or before its "
            "cable was out. Activation takes it over where it stands; deactivation then lets go",
            is_warning=True,
            passes=True,
        )


def _check_watchdog(bus: DynamixelBus, table: ControlTable, motor: Motor) -> Iterator[Notice]:
    """Tell that a servo was left alone; activation clears it."""
    if bus.read(motor.motor_id, table["bus_watchdog"]) == WATCHDOG_TRIPPED:
        yield Notice(
            f"{motor.channel.name} bus watchdog",
            f"{motor.name} had stopped by its bus watchdog, because nobody talked to it any more; "
            "activation clears that",
        )
