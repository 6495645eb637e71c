"""Control table against the SDK's own file; units with the numbers written out."""

import math
from pathlib import Path

import dynamixel_easy_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njf_control.drivers.dynamixel import tables
from njf_perception.errors import ConfigError


def test_addresses_and_sizes_are_those_of_the_sdks_file():
    path = Path(dynamixel_easy_sdk.__file__).parent / "control_table" / "xl320.model"
    rows = path.read_text().partition("[control table]")[2].splitlines()[2:]
    vendor = {
        name.lower().replace(" ", "_"): (int(address), int(size))
        for address, size, name in (row.split("\t") for row in rows if row.strip())
    }
    ours = {name: (r.address, r.size) for name, r in tables.XL320.registers.items()}
    assert ours == vendor


def test_position_unit_is_not_the_vendors():
    """300 degrees in 1023 counts about 512, not 4096 counts per turn about 2048."""
    assert abs(tables.RAD_PER_COUNT - 0.0051183) < 1e-7
    assert tables.raw_to_position(512) == 0.0
    assert tables.raw_to_position(1023) == pytest.approx(math.radians(149.853), abs=1e-4)
    assert tables.raw_to_position(0) == pytest.approx(math.radians(-150.147), abs=1e-4)
    assert tables.position_to_raw(math.radians(90.0)) == 819
    assert tables.position_to_raw(math.radians(-90.0)) == 205


def test_speed_load_and_voltage_units():
    assert tables.raw_to_speed(100) == pytest.approx(11.1 / 60.0 * 2.0 * math.pi)
    assert tables.raw_to_speed(1024 + 100) == -tables.raw_to_speed(100)
    assert tables.raw_to_load(512) == pytest.approx(0.512)
    assert tables.raw_to_load(1024 + 512) == pytest.approx(-0.512)
    assert tables.raw_to_voltage(74) == pytest.approx(7.4)
    assert tables.voltage_to_raw(7.4) == 74


@given(st.integers(0, 1023))
def test_positions_survive_the_round_trip(raw):
    assert tables.position_to_raw(tables.raw_to_position(raw)) == raw


@given(st.integers(0, 2047).filter(lambda raw: raw != 1024))
def test_signed_values_survive_the_round_trip(raw):
    assert tables.speed_to_raw(tables.raw_to_speed(raw)) == raw
    assert tables.load_to_raw(tables.raw_to_load(raw)) == raw


@given(st.floats(-2.62, 2.61))
def test_rounding_costs_at_most_half_a_count(position_rad):
    error = tables.raw_to_position(tables.position_to_raw(position_rad)) - position_rad
    assert abs(error) <= 0.5001 * tables.RAD_PER_COUNT


def test_positions_saturate_and_must_be_finite():
    assert tables.position_to_raw(9.0) == 1023
    assert tables.position_to_raw(-9.0) == 0
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not finite"):
            tables.position_to_raw(value)


def test_the_state_block_is_contiguous_and_extracts():
    block = tables.XL320.span("present_position", "hardware_error_status")
    assert (block.address, block.size) == (37, 14)
    data = bytes(range(14))
    assert tables.XL320.extract("present_position", data, block.address) == 0x0100
    assert tables.XL320.extract("hardware_error_status", data, block.address) == 13


def test_hardware_errors_are_named():
    assert tables.describe_hardware_error(0) == ""
    assert tables.describe_hardware_error(0b011) == "overload, overheating"
    assert "0x08" in tables.describe_hardware_error(0x08)


def test_unknown_model_lists_the_known():
    with pytest.raises(ConfigError, match="xl320"):
        tables.control_table("xl999")
