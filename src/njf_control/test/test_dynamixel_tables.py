"""Control table against the SDK's own file; units with the numbers written out."""

import math
from dataclasses import asdict
from pathlib import Path

import dynamixel_easy_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njf_control.drivers.dynamixel import models
from njf_control.drivers.dynamixel.models import AX12, XL320
from njf_control.drivers.dynamixel.units import MULTI_TURN, TEN_BIT
from njf_perception.errors import ConfigError

SDK_TABLES = Path(dynamixel_easy_sdk.__file__).parent / "control_table"


def sdk_registers(model: str) -> dict[str, tuple[int, int]]:
    rows = (SDK_TABLES / f"{model}.model").read_text().partition("[control table]")[2]
    return {
        name.lower().replace(" ", "_"): (int(address), int(size))
        for address, size, name in (row.split("\t") for row in rows.splitlines()[2:] if row.strip())
        if "Indirect" not in name
    }


@pytest.mark.parametrize(
    ("table", "file"),
    [
        (models.XL320, "xl320"),
        (models.MX28, "mx_28"),
        (models.XL430_W250, "xl430_w250"),
        (models.XM430_W350, "xm430_w350"),
        (models.XC330_T288, "xc330_t288"),
    ],
)
def test_addresses_and_sizes_are_those_of_the_sdks_file(table, file):
    ours = {name: (r.address, r.size) for name, r in table.registers.items()}
    assert ours == sdk_registers(file)
    numbers = (SDK_TABLES / "dynamixel.model").read_text()
    assert f"{table.model_number}\t{file}.model" in numbers


def test_ax12_addresses_written_out():
    """The SDK has no file of it; from the e-Manual's table."""
    expected = {
        **{"model_number": (0, 2), "id": (3, 1), "baud_rate": (4, 1), "return_delay_time": (5, 1)},
        **{"cw_angle_limit": (6, 2), "ccw_angle_limit": (8, 2), "max_torque": (14, 2)},
        **{"status_return_level": (16, 1), "shutdown": (18, 1), "torque_enable": (24, 1)},
        **{"goal_position": (30, 2), "moving_speed": (32, 2), "torque_limit": (34, 2)},
        **{"present_position": (36, 2), "present_speed": (38, 2), "present_load": (40, 2)},
        **{"present_voltage": (42, 1), "present_temperature": (43, 1), "moving": (46, 1)},
        **{"lock": (47, 1), "punch": (48, 2)},
    }
    ours = {name: (AX12[name].address, AX12[name].size) for name in expected}
    assert ours == expected
    assert (AX12.model_number, AX12.protocol, AX12.baud_codes[1]) == (12, 1, 1_000_000)


@pytest.mark.parametrize("table", models.CONTROL_TABLES.values(), ids=lambda t: t.model)
def test_no_registers_overlap_and_the_roles_exist(table):
    taken = [a for r in table.registers.values() for a in range(r.address, r.address + r.size)]
    assert len(taken) == len(set(taken))
    assert set(asdict(table.roles).values()) <= set(table.registers)
    assert set(table.settings) <= set(table.registers)


@pytest.mark.parametrize("table", models.CONTROL_TABLES.values(), ids=lambda t: t.model)
def test_a_current_has_a_unit_where_there_is_one(table):
    assert table.units.measures_current == ("present_current" in table)


def test_x_series_units_written_out():
    """4096 counts per turn about 2048, 0.229 rpm, two's complement over many turns."""
    assert MULTI_TURN.raw_to_position(2048) == 0.0
    assert MULTI_TURN.raw_to_position(2048 + 4096) == pytest.approx(2.0 * math.pi)
    assert MULTI_TURN.position_to_raw(-3.0 * math.pi) == 2048 - 6144
    assert abs(MULTI_TURN.rad_per_count - 0.0015340) < 1e-7
    assert MULTI_TURN.raw_to_speed(-100) == pytest.approx(-2.39691, abs=1e-5)
    assert MULTI_TURN.raw_to_load(885) == 1.0
    assert MULTI_TURN.raw_to_voltage(120) == pytest.approx(12.0)
    assert MULTI_TURN.is_multi_turn and not TEN_BIT.is_multi_turn
    assert models.XM430_W350.units.raw_to_current(-1000) == pytest.approx(-2.69)
    assert models.XC330_T288.units.raw_to_current(1000) == pytest.approx(1.0)
    goal = models.XM430_W350["goal_position"]
    assert goal.encode(-4096) == bytes.fromhex("00 F0 FF FF")
    assert goal.decode(bytes.fromhex("00 F0 FF FF")) == -4096


def test_the_x_series_state_is_one_block():
    block = models.XM430_W350.state
    assert (block.address, block.size) == (64, 83)
    data = bytes(68) + (-5000).to_bytes(4, "little", signed=True) + bytes(11)
    assert models.XM430_W350.extract("present_position", data, block.address) == -5000


def test_x_series_and_ax12_errors_are_named():
    named = models.XM430_W350.describe_hardware_error(0b111101)
    assert named == "input voltage, overheating, encoder, electrical shock, overload"
    assert AX12.describe_hardware_error(0b100101) == "input voltage, overheating, overload"
    assert "0x02" in models.XM430_W350.describe_hardware_error(0x02)


def test_a_foreign_model_is_named():
    assert models.model_name(1020) == "xm430_w350"
    assert "4711" in models.model_name(4711)


def test_position_unit_is_not_the_vendors():
    """300 degrees in 1023 counts about 512, not 4096 counts per turn about 2048."""
    assert abs(TEN_BIT.rad_per_count - 0.0051183) < 1e-7
    assert TEN_BIT.raw_to_position(512) == 0.0
    assert TEN_BIT.raw_to_position(1023) == pytest.approx(math.radians(149.853), abs=1e-4)
    assert TEN_BIT.raw_to_position(0) == pytest.approx(math.radians(-150.147), abs=1e-4)
    assert TEN_BIT.position_to_raw(math.radians(90.0)) == 819
    assert TEN_BIT.position_to_raw(math.radians(-90.0)) == 205


def test_speed_load_and_voltage_units():
    assert TEN_BIT.raw_to_speed(100) == pytest.approx(11.1 / 60.0 * 2.0 * math.pi)
    assert TEN_BIT.raw_to_speed(1024 + 100) == -TEN_BIT.raw_to_speed(100)
    assert TEN_BIT.raw_to_load(512) == pytest.approx(0.512)
    assert TEN_BIT.raw_to_load(1024 + 512) == pytest.approx(-0.512)
    assert TEN_BIT.raw_to_voltage(74) == pytest.approx(7.4)
    assert TEN_BIT.voltage_to_raw(7.4) == 74


@given(st.integers(0, 1023))
def test_positions_survive_the_round_trip(raw):
    assert TEN_BIT.position_to_raw(TEN_BIT.raw_to_position(raw)) == raw


@given(st.integers(0, 2047).filter(lambda raw: raw != 1024))
def test_signed_values_survive_the_round_trip(raw):
    assert TEN_BIT.speed_to_raw(TEN_BIT.raw_to_speed(raw)) == raw
    assert TEN_BIT.load_to_raw(TEN_BIT.raw_to_load(raw)) == raw


@given(st.floats(-2.62, 2.61))
def test_rounding_costs_at_most_half_a_count(position_rad):
    error = TEN_BIT.raw_to_position(TEN_BIT.position_to_raw(position_rad)) - position_rad
    assert abs(error) <= 0.5001 * TEN_BIT.rad_per_count


def test_positions_saturate_and_must_be_finite():
    assert TEN_BIT.position_to_raw(9.0) == 1023
    assert TEN_BIT.position_to_raw(-9.0) == 0
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not finite"):
            TEN_BIT.position_to_raw(value)


def test_the_state_block_is_contiguous_and_extracts():
    block = XL320.span("present_position", "hardware_error_status")
    assert (block.address, block.size) == (37, 14)
    data = bytes(range(14))
    assert XL320.extract("present_position", data, block.address) == 0x0100
    assert XL320.extract("hardware_error_status", data, block.address) == 13


def test_hardware_errors_are_named():
    assert XL320.describe_hardware_error(0) == ""
    assert XL320.describe_hardware_error(0b011) == "overload, overheating"
    assert "0x08" in XL320.describe_hardware_error(0x08)


def test_unknown_model_lists_the_known():
    with pytest.raises(ConfigError, match="xl320"):
        models.control_table("xl999")
