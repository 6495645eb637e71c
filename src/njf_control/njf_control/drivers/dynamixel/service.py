"""What is done to a motor before it becomes part of a robot: find it, give it an id and a speed.

Nothing here switches torque on. A motor whose torque is on does not take an id or a speed.
"""

import time
from dataclasses import dataclass

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dynamixel.bus import DynamixelBus
from njf_control.drivers.dynamixel.models import CONTROL_TABLES
from njf_control.drivers.dynamixel.tables import ControlTable
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_SETTLE_S = 0.1  # for the last bytes at the old speed, and the motor's EEPROM


@dataclass(frozen=True)
class FoundMotor:
    """A motor that answered."""

    motor_id: int
    model_number: int
    baud: int  # [bit/s]


def bauds(protocol: int) -> list[int]:
    """Every serial speed that a model of a protocol has, fastest first [bit/s]."""
    tables = [table for table in CONTROL_TABLES.values() if table.protocol == protocol]
    return sorted({baud for table in tables for baud in table.baud_codes.values()}, reverse=True)


def find_motors(bus: DynamixelBus, baud: int) -> list[FoundMotor]:
    """Ask at a speed [bit/s] who is there; takes seconds.

    Raises:
        DeviceNotConnectedError: the port is gone, or cannot be that fast.
    """
    with bus.at_baud(baud):
        return [FoundMotor(motor_id, number, baud) for motor_id, number in bus.scan().items()]


def set_up_motor(
    bus: DynamixelBus, motor_id: int, new_id: int | None = None, new_baud: int | None = None
) -> FoundMotor:
    """Give a motor another id, another speed [bit/s], or both, and see that it answers there.

    Raises:
        DeviceNotConnectedError: it does not answer, before or afterwards.
        ConfigError: unknown model or speed, the id is taken, or torque is on.
    """
    model_number = bus.ping(motor_id)
    table = _table_of(model_number, motor_id)
    new_id = motor_id if new_id is None else new_id
    new_baud = bus.baud if new_baud is None else new_baud
    codes = {baud: code for code, baud in table.baud_codes.items()}
    if new_baud not in codes:
        known = ", ".join(map(str, sorted(codes)))
        raise ConfigError(f"a {table.model} cannot talk at {new_baud} bit/s, only at {known}.")
    if bus.read(motor_id, table["torque_enable"]):
        raise ConfigError(
            f"motor id {motor_id} has its torque on and takes no settings. Switch its power off "
            "and on, and stop whatever drives it."
        )
    _check_free(bus, motor_id, new_id, new_baud)
    # Without confirmation: the answer may come from the new id, or at the new speed.
    if new_id != motor_id:
        bus.sync_write(table["id"], {motor_id: new_id})
        _confirmed(bus, new_id, bus.baud)
    bus.sync_write(table["baud_rate"], {new_id: codes[new_baud]})
    time.sleep(_SETTLE_S)
    with bus.at_baud(new_baud):
        return FoundMotor(new_id, _confirmed(bus, new_id, new_baud), new_baud)


def _table_of(model_number: int, motor_id: int) -> ControlTable:
    for table in CONTROL_TABLES.values():
        if table.model_number == model_number:
            return table
    raise ConfigError(
        f"motor id {motor_id} is model number {model_number}, which has no control table here; "
        f"known models: {sorted(CONTROL_TABLES)}. Use Dynamixel Wizard."
    )


def _check_free(bus: DynamixelBus, motor_id: int, new_id: int, new_baud: int) -> None:
    if (new_id, new_baud) == (motor_id, bus.baud):
        return
    try:
        with bus.at_baud(new_baud):
            bus.ping(new_id)
    except NoAnswerError:
        return
    raise ConfigError(
        f"a motor with id {new_id} answers at {new_baud} bit/s already. Two of one id disturb each "
        "other: connect the new motor alone, or choose another id."
    )


def _confirmed(bus: DynamixelBus, motor_id: int, baud: int) -> int:
    try:
        return bus.ping(motor_id)
    except NoAnswerError:
        raise DeviceNotConnectedError(
            f"the motor was told, but does not answer as id {motor_id} at {baud} bit/s. Switch its "
            "power off and on, then list the motors."
        ) from None
