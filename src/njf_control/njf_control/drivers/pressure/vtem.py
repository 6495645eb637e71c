"""A Festo VTEM (Motion Terminal) over Modbus TCP as pressure regulators.

Enabling: acknowledge errors, write the set-points, start the regulation app in every slot, wait
until each reports it running. Every cycle then is one read of all slots and one write of commands
and set-points together, as a PLC exchanges its process image. A slot that stops regulating is an
alarm. Disabling: the off app everywhere, and wait until each slot reports it; where one does not,
errors are acknowledged and it is asked again.

The terminal's communication time-out makes it let go when this computer falls silent. Its register
is Festo's for terminals with the same register bases; whether a VTEM's bus node has it too is not
confirmed anywhere, so it is written, read back, and the result told. Where it does not hold, **the
pressures stay when the computer or the network dies**: then only the terminal's own fail-safe
setting, or a hand on the supply valve, lets the air out.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

import numpy as np
from jaxtyping import Float

from njf_control.drivers.base import NoAnswerError, Notice
from njf_control.drivers.pressure import vtem_registers as words
from njf_control.drivers.pressure.config import VtemConfig
from njf_control.drivers.pressure.device import PressureDevice, PressureReading, left_on
from njf_control.drivers.pressure.modbus import ModbusLink, ModbusRefusedError
from njf_control.drivers.pressure.vtem_registers import VALVES_PER_SLOT, WORDS_PER_SLOT, SlotStatus
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

_POLL_S = 0.02
_TIMEOUT = "communication time-out"
_UNSAFE = "pressures may stay when the link dies"


class VtemTerminal(PressureDevice):
    """Valves of one terminal, one per channel."""

    def __init__(
        self, config: VtemConfig, names: Sequence[str], outputs: Sequence[int], link: ModbusLink
    ) -> None:
        """Use the valves `outputs` (2 slot + valve) for the channels `names`.

        Raises:
            ConfigError: the terminal has no such valve.
        """
        largest = words.SLOTS * VALVES_PER_SLOT - 1
        if not all(0 <= output <= largest for output in outputs):
            raise ConfigError(
                f"valves {list(outputs)} were asked for; a VTEM has 0..{largest}, two per slot. "
                "Correct driver.outputs."
            )
        self._config = config
        self._names = list(names)
        self._places = [divmod(output, VALVES_PER_SLOT) for output in outputs]
        self._slots = sorted({slot for slot, _ in self._places})
        self._link = link
        self._regulates = False
        self._left_on: set[int] = set()  # slots that regulated before we asked
        self._notices: tuple[Notice, ...] = ()

    @property
    def statistics(self) -> Mapping[str, int]:
        """See `ModbusStatistics`."""
        return asdict(self._link.statistics)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Whether the communication time-out was set, and what regulates already."""
        return self._notices

    def open(self) -> None:
        """Connect, see that the slots' registers exist, set the communication time-out."""
        self._link.open()
        self._regulates = False
        self._left_on = self._regulating(self._statuses())
        fed = ", ".join(f"slot {slot} ({self._fed_by(slot)})" for slot in sorted(self._left_on))
        found = (left_on(fed),) if self._left_on else ()
        self._notices = (self._set_timeout(), *found)

    def measure(self) -> PressureReading:
        """Read all slots in one request."""
        statuses = self._statuses()
        pressures = [statuses[slot].pressure_gauge_pa[valve] for slot, valve in self._places]
        alarms = tuple(self._alarms(statuses)) if self._regulates else ()
        return PressureReading(np.array(pressures), time.monotonic(), alarms)

    def enable(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> None:
        """Acknowledge errors, set first set-points, start to regulate."""
        config = self._config
        self._acknowledge()
        self._regulates = True  # from here on zero set-points must vent, not just stop regulating
        self._write(self._regulation(), pressure_gauge_pa)
        self._await(config.regulation_app, config.running_state, config.activation_timeout_s)

    def apply(self, pressure_gauge_pa: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Write set-points, rounded to 100 Pa. No slot starts or ceases to regulate by that.

        One that was switched off would not bring its chambers to the set-point any more.
        """
        off = words.command_word(self._config.off_app, 0)
        on = set(self._slots) if self._regulates else self._left_on
        commands = {slot: w if slot in on else off for slot, w in self._regulation().items()}
        return self._write(commands, pressure_gauge_pa)

    def disable(self) -> None:
        """Start the off app in every slot; an error that keeps one from it is acknowledged."""
        self._regulates, self._left_on = False, set()
        try:
            self._switch_off()
        except DeviceNotConnectedError:
            self._acknowledge()
            self._switch_off()

    def close(self) -> None:
        """Disconnect."""
        self._link.close()

    def _acknowledge(self) -> None:
        command = words.command_word(self._config.acknowledge_app, 1)
        self._write(dict.fromkeys(self._slots, command), np.zeros(len(self._names)))
        time.sleep(self._config.acknowledge_s)

    def _switch_off(self) -> None:
        config = self._config
        self.apply(np.zeros(len(self._names)))
        self._await(config.off_app, config.off_state, config.deactivation_timeout_s / 2)

    def _regulation(self) -> dict[int, int]:
        """Command word per slot that makes the valves in use regulate."""
        valves = {slot: [v for s, v in self._places if s == slot] for slot in self._slots}
        app = self._config.regulation_app
        return {s: words.command_word(app, words.regulation_control(v)) for s, v in valves.items()}

    def _write(
        self, commands: Mapping[int, int], pressure_gauge_pa: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Write commands and set-points, one request per run of slots; the pressures as sent.

        Every run is tried, whatever became of the others: zero set-points are on their way, too.
        """
        image = {slot: [command] + [0] * VALVES_PER_SLOT for slot, command in commands.items()}
        applied = []
        for (slot, valve), pressure in zip(self._places, pressure_gauge_pa, strict=True):
            word = words.pressure_word(float(pressure), self._config.max_pressure_pa)
            image[slot][1 + valve] = word
            applied.append(words.word_pressure(word))
        troubles = []
        for run in _runs(self._slots):
            values = [word for slot in run for word in image[slot]]
            try:
                self._link.write(words.output_address(self._config.registers, run[0]), values)
            except NjfError as error:
                troubles.append(error)
        if troubles:
            raise troubles[0]
        return np.array(applied)

    def _statuses(self) -> dict[int, SlotStatus]:
        """Status of every slot in use, from one read."""
        first, last = self._slots[0], self._slots[-1]
        address = words.input_address(self._config.registers, first)
        raw = self._link.read(address, WORDS_PER_SLOT * (last - first + 1))
        starts = {slot: WORDS_PER_SLOT * (slot - first) for slot in self._slots}
        return {slot: words.slot_status(raw[i : i + WORDS_PER_SLOT]) for slot, i in starts.items()}

    def _await(self, app: int, state: int, timeout_s: float) -> None:
        """Wait until every slot runs `app` in `state`; a missed answer is no reason to give up."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                wrong = self._slots_unlike(self._statuses(), app, state)
            except NoAnswerError:
                wrong = ["no answer"]
            if not wrong:
                return
            if time.monotonic() > deadline_s:
                raise DeviceNotConnectedError(
                    f"{self._link.address}: {'; '.join(wrong)} after {timeout_s:g} s, expected app "
                    f"{app} in state {state}. Look at the terminal's lamps and supply pressure."
                )
            time.sleep(_POLL_S)

    def _regulating(self, statuses: Mapping[int, SlotStatus]) -> set[int]:
        running = self._config.regulation_app, self._config.running_state
        return {slot for slot, status in statuses.items() if (status.app, status.state) == running}

    def _alarms(self, statuses: Mapping[int, SlotStatus]) -> Iterator[str]:
        config = self._config
        for text in self._slots_unlike(statuses, config.regulation_app, config.running_state):
            yield (
                f"{text} and does not regulate any more (app {config.regulation_app}, state "
                f"{config.running_state}): the terminal restarted, timed out or has an error"
            )

    def _slots_unlike(self, statuses: Mapping[int, SlotStatus], app: int, state: int) -> list[str]:
        """In words, each slot that does not run `app` in `state`."""
        return [
            f"slot {slot} ({self._fed_by(slot)}) runs app {status.app} in state {status.state}"
            for slot, status in statuses.items()
            if (status.app, status.state) != (app, state)
        ]

    def _fed_by(self, slot: int) -> str:
        pairs = zip(self._names, self._places, strict=True)
        return ", ".join(name for name, place in pairs if place[0] == slot)

    def _set_timeout(self) -> Notice:
        """Write the communication time-out, read it back, and say what came of it."""
        wanted_ms = math.ceil(self._config.communication_timeout_s * 1000.0)
        if not wanted_ms:
            text = (
                "not set (driver.communication_timeout_s is 0): pressures stay when the link dies"
            )
            return Notice(_TIMEOUT, text, is_warning=True)
        wanted_ms = max(wanted_ms, words.SHORTEST_TIMEOUT_MS)
        register = self._config.registers.timeout
        try:
            self._link.write(register, [wanted_ms])
            found_ms = self._link.read(register, 1)[0]
        except (ModbusRefusedError, NoAnswerError) as error:
            return Notice(_TIMEOUT, f"{_UNSAFE}, it could not be set: {error}", is_warning=True)
        if found_ms != wanted_ms:
            text = (
                f"register {register} holds {found_ms} ms after {wanted_ms} ms were written: "
                f"{_UNSAFE}"
            )
            return Notice(_TIMEOUT, text, is_warning=True)
        return Notice(_TIMEOUT, f"{found_ms} ms, read back from the terminal")


def _runs(slots: Sequence[int]) -> Iterator[list[int]]:
    """Neighbouring slots together; slots that are not ours are never written."""
    for _, run in groupby(enumerate(slots), lambda pair: pair[1] - pair[0]):
        yield [slot for _, slot in run]
