"""What fresh servos have in their registers, and what may be written there.

From the ROBOTIS e-Manual's control tables. The id, 1 from the factory, is the fake's own, and so is
the speed: 1 Mbit/s, 4 Mbit/s in the X series, instead of 57 600.
"""

from collections.abc import Mapping

from njf_control.drivers.dynamixel.models import AX12, XL320
from njf_control.drivers.dynamixel.tables import ControlTable

Defaults = Mapping[str, int]
Ranges = Mapping[str, tuple[int, int]]  # smallest and largest value a write may have

XL320_DEFAULTS: Defaults = {
    "model_number": XL320.model_number,
    "firmware_version": 29,
    "baud_rate": 3,
    "return_delay_time": 250,
    "ccw_angle_limit": 1023,
    "control_mode": 2,
    "temperature_limit": 65,
    "min_voltage_limit": 60,
    "max_voltage_limit": 90,
    "max_torque": 1023,
    "status_return_level": 2,
    "shutdown": 3,
    "p_gain": 32,
    "torque_limit": 1023,
    "punch": 32,
}
XL320_RANGES: Ranges = {
    "id": (0, 252),
    "baud_rate": (0, 3),
    "return_delay_time": (0, 254),
    "cw_angle_limit": (0, 1023),
    "ccw_angle_limit": (0, 1023),
    "control_mode": (1, 2),
    "temperature_limit": (0, 150),
    "min_voltage_limit": (50, 250),
    "max_voltage_limit": (50, 250),
    "max_torque": (0, 1023),
    "status_return_level": (0, 2),
    "shutdown": (0, 7),
    "torque_enable": (0, 1),
    "led": (0, 7),
    "d_gain": (0, 254),
    "i_gain": (0, 254),
    "p_gain": (0, 254),
    "goal_position": (0, 1023),
    "moving_speed": (0, 2047),
    "torque_limit": (0, 1023),
    "punch": (0, 1023),
}

AX12_DEFAULTS: Defaults = {
    "model_number": AX12.model_number,
    "firmware_version": 24,
    "baud_rate": 1,
    "return_delay_time": 250,
    "ccw_angle_limit": 1023,
    "temperature_limit": 70,
    "min_voltage_limit": 60,
    "max_voltage_limit": 140,
    "max_torque": 1023,
    "status_return_level": 2,
    "alarm_led": 36,
    "shutdown": 36,
    "cw_compliance_margin": 1,
    "ccw_compliance_margin": 1,
    "cw_compliance_slope": 32,
    "ccw_compliance_slope": 32,
    "torque_limit": 1023,
    "punch": 32,
}
AX12_RANGES: Ranges = {
    **{name: XL320_RANGES[name] for name in XL320_RANGES if name in AX12},
    "id": (0, 253),
    "baud_rate": (0, 254),
    "alarm_led": (0, 127),
    "shutdown": (0, 127),
    "led": (0, 1),
    "moving_speed": (0, 1023),
    "cw_compliance_margin": (0, 255),
    "ccw_compliance_margin": (0, 255),
    "cw_compliance_slope": (2, 254),
    "ccw_compliance_slope": (2, 254),
    "lock": (0, 1),
}

_X_DEFAULTS: Defaults = {
    "firmware_version": 48,
    "baud_rate": 6,
    "return_delay_time": 250,
    "operating_mode": 4,
    "secondary(shadow)_id": 255,
    "protocol_type": 2,
    "moving_threshold": 10,
    "temperature_limit": 80,
    "max_voltage_limit": 160,
    "min_voltage_limit": 95,
    "pwm_limit": 885,
    "current_limit": 1193,
    "acceleration_limit": 32_767,
    "velocity_limit": 230,
    "max_position_limit": 4095,
    "shutdown": 52,
    "status_return_level": 2,
    "velocity_i_gain": 1920,
    "velocity_p_gain": 100,
    "position_p_gain": 800,
    "goal_pwm": 885,
    "goal_current": 1193,
}
_X_RANGES: Ranges = {
    "id": (0, 252),
    "baud_rate": (0, 7),
    "return_delay_time": (0, 254),
    "drive_mode": (0, 13),
    "operating_mode": (0, 16),
    "secondary(shadow)_id": (0, 255),
    "protocol_type": (1, 22),
    "homing_offset": (-1_044_479, 1_044_479),
    "moving_threshold": (0, 1023),
    "temperature_limit": (0, 100),
    "max_voltage_limit": (60, 160),
    "min_voltage_limit": (60, 160),
    "pwm_limit": (0, 885),
    "current_limit": (0, 1193),
    "acceleration_limit": (0, 32_767),
    "velocity_limit": (0, 1023),
    "max_position_limit": (0, 4095),
    "min_position_limit": (0, 4095),
    "pwm_slope": (0, 255),
    "shutdown": (0, 63),
    "torque_enable": (0, 1),
    "led": (0, 1),
    "status_return_level": (0, 2),
    "velocity_i_gain": (0, 16_383),
    "velocity_p_gain": (0, 16_383),
    "position_d_gain": (0, 16_383),
    "position_i_gain": (0, 16_383),
    "position_p_gain": (0, 16_383),
    "feedforward_2nd_gain": (0, 16_383),
    "feedforward_1st_gain": (0, 16_383),
    "bus_watchdog": (0, 127),
    "goal_pwm": (-885, 885),
    "goal_current": (-1193, 1193),
    "goal_velocity": (-1023, 1023),
    "profile_acceleration": (0, 32_767),
    "profile_velocity": (0, 32_767),
    "goal_position": (-1_048_575, 1_048_575),
}


def x_defaults(table: ControlTable) -> Defaults:
    """Of one model of the X series."""
    known = {name: value for name, value in _X_DEFAULTS.items() if name in table}
    return {**known, "model_number": table.model_number}


def x_ranges(table: ControlTable) -> Ranges:
    """Of one model of the X series."""
    return {name: limits for name, limits in _X_RANGES.items() if name in table}
