"""The inside of a fake VTEM: words, motion apps, time-out and air. No network.

Written from the same published facts as the driver (docs/hardware/pneumatic.md), without using its
code. Beyond them, and therefore guesses: a slot takes `START_S` to change its app, reports state 0
meanwhile and state 3 with a latched error; a communication time-out latches an error in every slot
and empties all outputs, after which only the acknowledge app brings a slot back.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from njf_sim.fakes.chambers import Chambers

INPUTS, OUTPUTS, TIMEOUT = 45_392, 40_001, 46_100
INPUT_OFFSET, OUTPUT_OFFSET = 3, 2
SLOTS, WORDS_PER_SLOT = 8, 3
START_S = 0.1
_REGULATION, _OFF, _ACKNOWLEDGE = 3, 61, 62
_CHANGING, _IDLE, _RUNNING, _ERROR = 0, 1, 2, 3
_SHORTEST_TIMEOUT_MS = 100


@dataclass
class TerminalFaults:
    """What is wrong with the terminal. Tests and demonstrations set these while it runs."""

    answer_delay_s: float = 0.0
    exception: int = 0  # answer every request with this Modbus exception code
    busy_writes: int = 0  # refuse so many writes, as one who is busy, then take them again
    off_holds_air: bool = False  # a slot that is off shuts the air in, instead of letting it out
    refused: set[int] = field(default_factory=set)  # addresses from which it takes no write
    never_running: set[int] = field(default_factory=set)  # slots whose app does not start
    never_off: bool = False
    timeout_register: str = "works"  # or "missing", or "ignored": reads back what it was
    dropped: set[int] = field(default_factory=set)  # slots that fell out of regulation


@dataclass
class _Slot:
    app: int = _OFF
    control: int = 0
    changed_s: float = -1e9
    error: bool = False


class Terminal:
    """Eight slots with two valves each; `outputs` says which valves feed the chambers."""

    def __init__(self, chambers: Chambers, outputs: Sequence[int]) -> None:
        self.faults = TerminalFaults()
        self.chambers = chambers
        self._outputs = list(outputs)
        self._slots = [_Slot() for _ in range(SLOTS)]
        self._output_words = [0] * (OUTPUT_OFFSET + SLOTS * WORDS_PER_SLOT)
        self._heard_s: float | None = None  # last request, once something was written
        self._now_s = 0.0
        self.timeout_ms = 0

    def words(self) -> tuple[list[int], list[int]]:
        """Output and input process data, whole."""
        inputs = [0] * (INPUT_OFFSET + SLOTS * WORDS_PER_SLOT)
        for index, slot in enumerate(self._slots):
            start = INPUT_OFFSET + index * WORDS_PER_SLOT
            inputs[start] = self._state(index) << 6 | slot.app
        for channel, output in enumerate(self._outputs):
            index, valve = divmod(output, 2)
            millibar = round(self.chambers.pressure_pa[channel] / 100.0)
            inputs[INPUT_OFFSET + index * WORDS_PER_SLOT + 1 + valve] = _to_word(millibar)
        return list(self._output_words), inputs

    def heard(self, now_s: float) -> None:
        """A request came: the time-out begins anew."""
        if self._heard_s is not None:
            self._heard_s = now_s

    def write(self, address: int, values: Sequence[int], now_s: float) -> None:
        """Take registers that a client writes to the outputs or to the time-out."""
        self._heard_s = now_s
        for register, value in enumerate(values, address):
            if register == TIMEOUT:
                self.timeout_ms = max(value, _SHORTEST_TIMEOUT_MS) if value else 0
            else:
                self._output_words[register - OUTPUTS] = value
        if address < TIMEOUT:
            self._obey(now_s)

    def update(self, now_s: float) -> None:
        """Move on to the time `now_s` [s]."""
        self._now_s = now_s
        silent = self._heard_s is not None and self.timeout_ms
        if silent and now_s - (self._heard_s or 0.0) > self.timeout_ms / 1000.0:
            self._give_up()
        setpoints = [self._setpoint(output) for output in self._outputs]
        if self.faults.off_holds_air:
            held = zip(setpoints, self.chambers.pressure_pa, strict=True)
            setpoints = [now if setpoint is None else setpoint for setpoint, now in held]
        self.chambers.update(now_s, setpoints)

    def _give_up(self) -> None:
        self._heard_s = None
        self._output_words = [0] * len(self._output_words)
        for slot in self._slots:
            slot.error = slot.error or slot.app == _REGULATION
            slot.app, slot.control = _OFF, 0

    def _obey(self, now_s: float) -> None:
        """Let every slot begin what its command word asks for."""
        for index, slot in enumerate(self._slots):
            command = self._output_words[OUTPUT_OFFSET + index * WORDS_PER_SLOT]
            app, control = command & 0x3F, command >> 6 & 3
            if app == _ACKNOWLEDGE and control == 1:
                slot.error = False
                self.faults.dropped.discard(index)
            known = app in (_REGULATION, _OFF, _ACKNOWLEDGE)
            if known and not slot.error and (app, control) != (slot.app, slot.control):
                slot.app, slot.control, slot.changed_s = app, control, now_s

    def _state(self, index: int) -> int:
        slot = self._slots[index]
        if slot.error or index in self.faults.dropped:
            return _ERROR
        never = self.faults.never_off if slot.app == _OFF else index in self.faults.never_running
        if never or self._now_s - slot.changed_s < START_S:
            return _CHANGING
        return _RUNNING if slot.app == _REGULATION and slot.control else _IDLE

    def _setpoint(self, output: int) -> float | None:
        """What a valve regulates to [Pa gauge]; None when it is off."""
        index, valve = divmod(output, 2)
        slot = self._slots[index]
        switched_on = slot.control & (2 >> valve)
        if self._state(index) != _RUNNING or not switched_on:
            return None
        word = self._output_words[OUTPUT_OFFSET + index * WORDS_PER_SLOT + 1 + valve]
        return 100.0 * struct.unpack(">h", struct.pack(">H", word))[0]


def _to_word(value: int) -> int:
    return struct.unpack(">H", struct.pack(">h", min(max(value, -32_768), 32_767)))[0]
