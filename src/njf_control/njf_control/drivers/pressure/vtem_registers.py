"""The words of a Festo VTEM: pure conversions, the only place with its raw units.

Register map after tud-cor-sr/ros2-vtem-control (MIT), the only public driver; nobody has checked it
on hardware here. A slot with two valves has three words in each direction:

    input    status: bits 0-5 motion app, bits 6-7 valve state | measured 0 | measured 1
    output   command: bits 0-5 motion app, bits 6-7 control    | set-point 0 | set-point 1

Pressures are int16 in **millibar, gauge**: steps of 100 Pa, from -32768 to 32767 mbar. Control of
the regulation app: bit 1 switches valve 0 on, bit 0 valve 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from njf_control.drivers.pressure.config import VtemRegisters

SLOTS = 8
VALVES_PER_SLOT = 2
WORDS_PER_SLOT = 3
PA_PER_MBAR = 100.0
SHORTEST_TIMEOUT_MS = 100  # Festo's own library raises shorter ones to this
_LARGEST_MBAR = 32_767
_APP_BITS = 0x3F
_CONTROL_SHIFT = 6
_CONTROL_OF_VALVE = (0b10, 0b01)


@dataclass(frozen=True)
class SlotStatus:
    """What one slot reports."""

    app: int
    state: int
    pressure_gauge_pa: tuple[float, float]  # of its two valves


def command_word(app: int, control: int) -> int:
    """Word that asks a slot for a motion app with a control value 0..3."""
    return control << _CONTROL_SHIFT | app


def regulation_control(valves: Sequence[int]) -> int:
    """Control value that switches on these valves (0, 1) of a slot."""
    return sum(_CONTROL_OF_VALVE[valve] for valve in set(valves))


def pressure_word(pressure_gauge_pa: float, max_pressure_pa: float) -> int:
    """Nearest millibar, but never above `max_pressure_pa`; as an unsigned 16-bit word.

    Raises:
        ValueError: the pressure is not finite.
    """
    if not math.isfinite(pressure_gauge_pa):
        raise ValueError(f"pressure {pressure_gauge_pa} Pa is not finite; nothing was converted")
    highest = min(math.floor(max_pressure_pa / PA_PER_MBAR), _LARGEST_MBAR)
    mbar = min(max(round(pressure_gauge_pa / PA_PER_MBAR), -_LARGEST_MBAR), highest)
    return mbar & 0xFFFF


def word_pressure(word: int) -> float:
    """Gauge pressure [Pa] of a word."""
    return ((word & 0xFFFF) - ((word & 0x8000) << 1)) * PA_PER_MBAR


def slot_status(words: Sequence[int]) -> SlotStatus:
    """Take the three input words of a slot apart; any words mean something."""
    status, first, second = words
    pressures = (word_pressure(first), word_pressure(second))
    return SlotStatus(status & _APP_BITS, status >> _CONTROL_SHIFT & 0b11, pressures)


def input_address(registers: VtemRegisters, slot: int) -> int:
    """Register of a slot's status word."""
    return registers.input_base + registers.input_offset + WORDS_PER_SLOT * slot


def output_address(registers: VtemRegisters, slot: int) -> int:
    """Register of a slot's command word."""
    return registers.output_base + registers.output_offset + WORDS_PER_SLOT * slot
