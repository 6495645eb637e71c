"""The control tables of the known servo models, as data: the only place with raw device units.

XL-320: addresses from the ROBOTIS e-Manual and the `xl320.model` file of the DynamixelSDK. That
file's *position unit* is wrong (4096 counts per turn and an offset of -pi are the X-series'
numbers): an XL-320 counts 0..1023 over 300 degrees and stands at 512 in its centre. With the
file's unit every angle would come out 3.3 times too small.

X series and MX-28(2.0): e-Manual and the SDK's files of the four models, which agree on all that is
used here. AX-12: e-Manual; the SDK has no file of it.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from njf_control.drivers.dynamixel.tables import ControlTable, Register, Roles, Setting
from njf_control.drivers.dynamixel.units import MULTI_TURN, TEN_BIT
from njf_perception.errors import ConfigError


def _eeprom(address: int, size: int, writable: bool = True, signed: bool = False) -> Register:
    return Register(address, size, writable, eeprom=True, signed=signed)


def _ram(address: int, size: int, writable: bool = True, signed: bool = False) -> Register:
    return Register(address, size, writable, eeprom=False, signed=signed)


def _measured(address: int, size: int, signed: bool = False) -> Register:
    return _ram(address, size, writable=False, signed=signed)


WATCHDOG_TRIPPED = -1  # in `bus_watchdog`; until 0 is written the goals are read-only
WATCHDOG_UNIT_S = 0.02
_ANSWER_ALL = Setting(2, "answer every request", mended=True)

XL320 = ControlTable(
    model="xl320",
    model_number=350,
    protocol=2,
    supply_v=(6.0, 8.4),
    units=TEN_BIT,
    baud_codes={0: 9_600, 1: 57_600, 2: 115_200, 3: 1_000_000},
    state_ends=("torque_enable", "hardware_error_status"),
    hardware_errors={0: "overload", 1: "overheating", 2: "input voltage"},
    settings={
        "control_mode": Setting(2, "joint", mended=False),
        "status_return_level": _ANSWER_ALL,
    },
    registers={
        "model_number": _eeprom(0, 2, writable=False),
        "firmware_version": _eeprom(2, 1, writable=False),
        "id": _eeprom(3, 1),
        "baud_rate": _eeprom(4, 1),
        "return_delay_time": _eeprom(5, 1),  # 2 us per count
        "cw_angle_limit": _eeprom(6, 2),
        "ccw_angle_limit": _eeprom(8, 2),
        "control_mode": _eeprom(11, 1),  # 1 wheel, 2 joint
        "temperature_limit": _eeprom(12, 1),
        "min_voltage_limit": _eeprom(13, 1),
        "max_voltage_limit": _eeprom(14, 1),
        "max_torque": _eeprom(15, 2),
        "status_return_level": _eeprom(17, 1),
        "shutdown": _eeprom(18, 1),
        "torque_enable": _ram(24, 1),
        "led": _ram(25, 1),
        "d_gain": _ram(27, 1),
        "i_gain": _ram(28, 1),
        "p_gain": _ram(29, 1),
        "goal_position": _ram(30, 2),
        "moving_speed": _ram(32, 2),  # in joint mode 0 means as fast as it can
        "torque_limit": _ram(35, 2),
        "present_position": _measured(37, 2),
        "present_speed": _measured(39, 2),
        "present_load": _measured(41, 2),
        "present_voltage": _measured(45, 1),
        "present_temperature": _measured(46, 1),  # degrees Celsius
        "registered_instruction": _measured(47, 1),
        "moving": _measured(49, 1),
        "hardware_error_status": _measured(50, 1),
        "punch": _ram(51, 2),
    },
)

AX12 = ControlTable(
    model="ax12",
    model_number=12,
    protocol=1,
    supply_v=(9.0, 12.0),
    units=TEN_BIT,
    baud_codes={  # 2 Mbit/s / (value + 1)
        207: 9_600,
        103: 19_200,
        34: 57_600,
        16: 115_200,
        9: 200_000,
        7: 250_000,
        4: 400_000,
        3: 500_000,
        1: 1_000_000,
    },
    state_ends=("torque_enable", "present_temperature"),
    hardware_errors={0: "input voltage", 2: "overheating", 5: "overload"},
    settings={"status_return_level": _ANSWER_ALL},
    registers={
        "model_number": _eeprom(0, 2, writable=False),
        "firmware_version": _eeprom(2, 1, writable=False),
        "id": _eeprom(3, 1),
        "baud_rate": _eeprom(4, 1),
        "return_delay_time": _eeprom(5, 1),  # 2 us per count
        "cw_angle_limit": _eeprom(6, 2),  # both limits 0: wheel mode
        "ccw_angle_limit": _eeprom(8, 2),
        "temperature_limit": _eeprom(11, 1),
        "min_voltage_limit": _eeprom(12, 1),
        "max_voltage_limit": _eeprom(13, 1),
        "max_torque": _eeprom(14, 2),
        "status_return_level": _eeprom(16, 1),
        "alarm_led": _eeprom(17, 1),
        "shutdown": _eeprom(18, 1),
        "torque_enable": _ram(24, 1),
        "led": _ram(25, 1),
        "cw_compliance_margin": _ram(26, 1),
        "ccw_compliance_margin": _ram(27, 1),
        "cw_compliance_slope": _ram(28, 1),
        "ccw_compliance_slope": _ram(29, 1),
        "goal_position": _ram(30, 2),
        "moving_speed": _ram(32, 2),  # in joint mode 0 means as fast as it can
        "torque_limit": _ram(34, 2),
        "present_position": _measured(36, 2),
        "present_speed": _measured(38, 2),
        "present_load": _measured(40, 2),
        "present_voltage": _measured(42, 1),
        "present_temperature": _measured(43, 1),  # degrees Celsius
        "registered_instruction": _measured(44, 1),
        "moving": _measured(46, 1),
        "lock": _ram(47, 1),
        "punch": _ram(48, 2),
    },
)

_X_COMMON: Mapping[str, Register] = {
    "model_number": _eeprom(0, 2, writable=False),
    "model_information": _eeprom(2, 4, writable=False),
    "firmware_version": _eeprom(6, 1, writable=False),
    "id": _eeprom(7, 1),
    "baud_rate": _eeprom(8, 1),
    "return_delay_time": _eeprom(9, 1),  # 2 us per count
    "drive_mode": _eeprom(10, 1),
    "operating_mode": _eeprom(11, 1),
    "secondary(shadow)_id": _eeprom(12, 1),
    "protocol_type": _eeprom(13, 1),
    "homing_offset": _eeprom(20, 4, signed=True),
    "moving_threshold": _eeprom(24, 4),
    "temperature_limit": _eeprom(31, 1),
    "max_voltage_limit": _eeprom(32, 2),
    "min_voltage_limit": _eeprom(34, 2),
    "pwm_limit": _eeprom(36, 2),
    "velocity_limit": _eeprom(44, 4),
    "max_position_limit": _eeprom(48, 4),  # without effect in extended position mode
    "min_position_limit": _eeprom(52, 4),
    "shutdown": _eeprom(63, 1),
    "torque_enable": _ram(64, 1),
    "led": _ram(65, 1),
    "status_return_level": _ram(68, 1),
    "registered_instruction": _measured(69, 1),
    "hardware_error_status": _measured(70, 1),
    "velocity_i_gain": _ram(76, 2),
    "velocity_p_gain": _ram(78, 2),
    "position_d_gain": _ram(80, 2),
    "position_i_gain": _ram(82, 2),
    "position_p_gain": _ram(84, 2),
    "feedforward_2nd_gain": _ram(88, 2),
    "feedforward_1st_gain": _ram(90, 2),
    "bus_watchdog": _ram(98, 1, signed=True),  # 20 ms per count, 0: off
    "goal_pwm": _ram(100, 2, signed=True),  # in the position modes the largest one
    "goal_velocity": _ram(104, 4, signed=True),
    "profile_acceleration": _ram(108, 4),
    "profile_velocity": _ram(112, 4),  # 0 means as fast as it can
    "goal_position": _ram(116, 4, signed=True),
    "realtime_tick": _measured(120, 2),
    "moving": _measured(122, 1),
    "moving_status": _measured(123, 1),
    "present_pwm": _measured(124, 2, signed=True),
    "present_velocity": _measured(128, 4, signed=True),
    "present_position": _measured(132, 4, signed=True),
    "velocity_trajectory": _measured(136, 4, signed=True),
    "position_trajectory": _measured(140, 4, signed=True),
    "present_input_voltage": _measured(144, 2),
    "present_temperature": _measured(146, 1),  # degrees Celsius
}
_X_CURRENT = {
    "current_limit": _eeprom(38, 2),
    "goal_current": _ram(102, 2, signed=True),
    "present_current": _measured(126, 2, signed=True),
}
_X_LOAD = {"present_load": _measured(126, 2, signed=True)}


def _x_series(
    model: str,
    model_number: int,
    more: Mapping[str, Register],
    supply_v: tuple[float, float] | None = None,
    ampere_per_count: float = math.nan,
) -> ControlTable:
    return ControlTable(
        model=model,
        model_number=model_number,
        protocol=2,
        units=replace(MULTI_TURN, ampere_per_count=ampere_per_count),
        baud_codes={
            0: 9_600,
            1: 57_600,
            2: 115_200,
            3: 1_000_000,
            4: 2_000_000,
            5: 3_000_000,
            6: 4_000_000,
        },
        state_ends=("torque_enable", "present_temperature"),
        hardware_errors={
            0: "input voltage",
            2: "overheating",
            3: "encoder",
            4: "electrical shock",
            5: "overload",
        },
        settings={
            "operating_mode": Setting(4, "extended position", mended=True),
            # Another one may reverse the direction, count speeds as times, or switch torque on
            # with every goal.
            "drive_mode": Setting(0, "normal direction, speed profile", mended=True),
            "status_return_level": _ANSWER_ALL,
        },
        roles=Roles(
            speed="present_velocity",
            load="present_pwm",
            voltage="present_input_voltage",
            speed_limit="profile_velocity",
            effort_limit="goal_pwm",
            largest_effort="pwm_limit",
        ),
        supply_v=supply_v,
        registers={**_X_COMMON, **more},
    )


_14_V = (10.0, 14.8)
MX28 = _x_series("mx28", 30, {"acceleration_limit": _eeprom(40, 4), **_X_LOAD}, _14_V)
XL430_W250 = _x_series("xl430_w250", 1060, _X_LOAD, (6.5, 12.0))
XM430_W350 = _x_series("xm430_w350", 1020, _X_CURRENT, _14_V, ampere_per_count=2.69e-3)
XC330_T288 = _x_series(
    "xc330_t288", 1220, {"pwm_slope": _eeprom(62, 1), **_X_CURRENT}, ampere_per_count=1e-3
)

CONTROL_TABLES = {
    table.model: table for table in (XL320, AX12, MX28, XL430_W250, XM430_W350, XC330_T288)
}


def control_table(model: str) -> ControlTable:
    """The table of a servo model by its configuration name.

    Raises:
        ConfigError: no such model; the message lists the known ones.
    """
    if model not in CONTROL_TABLES:
        raise ConfigError(f"no control table for '{model}'; known models: {sorted(CONTROL_TABLES)}")
    return CONTROL_TABLES[model]


def model_name(model_number: int) -> str:
    """What a servo says it is, in words."""
    known = {table.model_number: table.model for table in CONTROL_TABLES.values()}
    return known.get(model_number, f"unknown model number {model_number}")
