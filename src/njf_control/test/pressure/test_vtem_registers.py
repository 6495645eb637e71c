"""Words of the terminal, against numbers written out by hand."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from njf_control.drivers.pressure import vtem_registers as words
from njf_control.drivers.pressure.config import VtemRegisters

WORD = st.integers(0, 0xFFFF)


@pytest.mark.parametrize(
    ("pressure_pa", "word"),
    [(0.0, 0), (100.0, 1), (30_000.0, 300), (12_349.0, 123), (12_351.0, 124), (-500.0, 0xFFFB)],
)
def test_pressures_are_millibar_in_twos_complement(pressure_pa: float, word: int) -> None:
    assert words.pressure_word(pressure_pa, 100_000.0) == word
    assert words.word_pressure(word) == pytest.approx(pressure_pa, abs=50.0)


def test_ends_of_the_wire() -> None:
    assert words.word_pressure(0x7FFF) == 3_276_700.0
    assert words.word_pressure(0x8000) == -3_276_800.0
    assert words.pressure_word(1e9, 1e9) == 0x7FFF
    assert words.pressure_word(-1e9, 1e9) == 0x8001


def test_rounding_never_leaves_the_limit() -> None:
    assert words.pressure_word(30_099.0, 30_099.0) == 300
    assert words.pressure_word(50_000.0, 30_000.0) == 300


@pytest.mark.parametrize("pressure_pa", [math.nan, math.inf, -math.inf])
def test_a_pressure_that_is_not_finite_is_no_word(pressure_pa: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        words.pressure_word(pressure_pa, 1e5)


def test_commands_as_the_published_driver_packs_them() -> None:
    assert words.command_word(3, words.regulation_control([0, 1])) == 0b1100_0011
    assert words.command_word(3, words.regulation_control([0])) == 0b1000_0011
    assert words.command_word(3, words.regulation_control([1])) == 0b0100_0011
    assert words.command_word(62, 1) == 0b0111_1110
    assert words.command_word(61, 0) == 0b0011_1101


def test_a_status_is_taken_apart() -> None:
    status = words.slot_status([0b1000_0011, 300, 0xFFFF])
    assert (status.app, status.state) == (3, 2)
    assert status.pressure_gauge_pa == (30_000.0, -100.0)
    assert words.slot_status([0xAB00 | 0b0111_1101, 0, 0]).state == 1, "the high byte is not ours"


def test_addresses_of_the_notes() -> None:
    registers = VtemRegisters()
    assert [words.input_address(registers, slot) for slot in (0, 7)] == [45_395, 45_416]
    assert [words.output_address(registers, slot) for slot in (0, 7)] == [40_003, 40_024]
    assert registers.timeout == 46_100


@pytest.mark.fuzz
@settings(max_examples=300, deadline=None)
@given(st.tuples(WORD, WORD, WORD))
@example((0xFFFF, 0x8000, 0x7FFF))
def test_any_words_are_a_status(raw: tuple[int, int, int]) -> None:
    status = words.slot_status(raw)
    assert 0 <= status.app <= 63 and 0 <= status.state <= 3
    assert all(-3_276_800.0 <= p <= 3_276_700.0 for p in status.pressure_gauge_pa)
    for word, pressure in zip(raw[1:], status.pressure_gauge_pa, strict=True):
        if word != 0x8000:
            assert words.pressure_word(pressure, 1e9) == word


@pytest.mark.fuzz
def test_every_word_of_a_slot_is_understood(fuzz) -> None:
    for _ in range(fuzz.count(20_000)):
        raw = [fuzz.random.randrange(65_536) for _ in range(3)]
        status = words.slot_status(raw)
        assert 0 <= status.app <= 63 and 0 <= status.state <= 3
        assert status.pressure_gauge_pa[0] == 100.0 * (raw[1] - 65_536 * (raw[1] > 32_767))
