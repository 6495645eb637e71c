"""Robot and gate as one: the cycle read, gate, send, and what happens when the hardware fails."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from njf_control.cycle_times import CycleTimes
from njf_control.drivers.base import NoAnswerError, Notice, RobotDriver, RobotState
from njf_control.safety import GateOutput, SafetyGate, Verdict
from njf_control.writers import WriterGuard
from njf_perception.errors import NjfError

SILENCE_IS_FAULT_S = 1.0
_SHORTEST_CYCLE = 0.25  # of a period


class RobotFaultError(NjfError):
    """The hardware failed while the robot was driven; the safe state was asked for."""


@dataclass(frozen=True)
class Cycle:
    """What one cycle measured, decided and sent."""

    state: RobotState
    output: GateOutput
    applied: Float[np.ndarray, " n"]  # as the device took it, quantised [channel unit]


class ControlLoop:
    """Drives one robot through its gate; the caller owns clock and pace.

    A single missed answer is no fault: the cycle is skipped and the device holds its set-points.
    One that it did not confirm counts as not applied, so the next is no further away than from one
    cycle to the next. `SILENCE_IS_FAULT_S` without a whole cycle, be it that nothing can be read or
    that nothing can be sent, is a fault, and so are a lost port, an alarm and a measurement that is
    not finite.

    A lock keeps the device to one thread at a time: the safe state may be asked for from another
    thread than the one that cycles, and two talkers on a bus understand nobody.
    """

    def __init__(
        self,
        driver: RobotDriver,
        gate: SafetyGate,
        period_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join a driver, not yet connected, and its gate.

        Args:
            driver: of the robot.
            gate: between commands and driver.
            period_s: the nominal cycle [s].
            clock: measures how long the device kept a cycle waiting [s].
        """
        self.gate = gate
        self.period_s = period_s
        self.state: RobotState | None = None  # newest measurement
        self.times = CycleTimes(period_s)
        self.writers = WriterGuard(gate.watchdog_timeout_s)
        self._driver = driver
        self._clock = clock
        self._active = False
        self._unconfirmed = ""  # what may still be on, though the safe state was asked for
        self._is_taken_over = False  # driven, or made safe, since the device was connected
        self._lock = threading.RLock()
        self._last_cycle_s = self._last_answer_s = 0.0

    @property
    def active(self) -> bool:
        """Whether the robot is driven."""
        return self._active

    @property
    def statistics(self) -> Mapping[str, int]:
        """Counts of the driver's requests and errors."""
        return self._driver.statistics

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the driver has to say about its hardware."""
        return tuple(n for n in self._driver.notices if not (n.passes and self._is_taken_over))

    @property
    def health_limits(self) -> Mapping[str, tuple[float, float]]:
        """Least and greatest healthy values, see `RobotDriver.health_limits`."""
        return self._driver.health_limits

    def connect(self) -> None:
        """Open and check the device.

        Raises:
            NjfError: see `RobotDriver.connect`.
        """
        self._is_taken_over = False
        self._driver.connect()

    def activate(self) -> None:
        """Switch the actuators on, holding the measured state; reopens a device that was lost.

        Raises:
            NjfError: it could not be done; the actuators are off, or the gate is in FAULT and the
                message says which may still be on.
        """
        with self._lock:
            self._driver.connect()
            self.gate.check_start(self._driver.read().position)
            self._active = True  # from here on a failure must reach the safe state
            try:
                self.state = self._driver.activate()
                self.gate.activate(self.state.position)
            except NjfError as error:
                trouble = self.make_safe()
                if trouble:
                    raise RobotFaultError(f"{error} {trouble}") from error
                raise
            self._unconfirmed, self._is_taken_over = "", True
            self.writers.release()
            self.times.pause()
            self._last_cycle_s = self._last_answer_s = self.state.stamp_s

    def submit(
        self, names: Sequence[str], values: Sequence[float], now_s: float, writer: str = ""
    ) -> Verdict:
        """Offer a command to the gate, see `SafetyGate.submit`; only one `writer` is heard."""
        with self._lock:
            if refusal := self.writers.refuse(writer, now_s):
                return self.gate.refuse_rival(refusal)
            takes_over = self.writers.is_new(writer)
            verdict = self.gate.submit(names, values, now_s, takes_over)
            if verdict.accepted:
                self.writers.accept(writer, now_s)
            return verdict

    def may_cycle_early(self, now_s: float) -> bool:
        """Whether a cycle outside the rhythm leaves the device time enough since the last one."""
        return self._active and now_s - self._last_cycle_s >= _SHORTEST_CYCLE * self.period_s

    def cycle(self, now_s: float) -> Cycle | None:
        """Run one cycle at monotonic `now_s` [s].

        None when the robot is not driven or the device missed an answer.

        Raises:
            RobotFaultError: the hardware failed. The gate is in FAULT, the robot no longer driven.
        """
        with self._lock:
            if not self._active:
                return None
            dt_s, self._last_cycle_s = now_s - self._last_cycle_s, now_s
            self.times.add(now_s)
            begin_s = self._clock()
            try:
                return self._cycle(now_s, dt_s)
            except NoAnswerError as error:
                waited_s = self._clock() - begin_s
                if now_s + waited_s - self._last_answer_s < SILENCE_IS_FAULT_S:
                    return None
                raise self._fault(str(error)) from None
            except NjfError as error:
                raise self._fault(str(error)) from None

    def make_safe(self) -> str:
        """Reach the safe state if the robot is driven; says what went wrong.

        Without the device's confirmation the gate is in FAULT, not INACTIVE: nobody may read that
        the torque is off when it may be on.
        """
        with self._lock:
            if not self._active:
                return ""
            self._active = False
            self.times.pause()
            self.gate.deactivate()
            self._unconfirmed = "The actuators may still be on."
            try:
                self._driver.deactivate()
            except NjfError as error:
                self._unconfirmed = str(error)
                self.gate.fault(str(error))
                return str(error)
            self._unconfirmed, self._is_taken_over = "", True
            return ""

    def close(self) -> str:
        """Reach the safe state and release the device; says what went wrong.

        Where an earlier attempt was not confirmed it is made once more: the cable may be back.
        """
        with self._lock:
            trouble = self._make_safe_again() if self._unconfirmed else self.make_safe()
            self._driver.close()
            return trouble

    def _make_safe_again(self) -> str:
        try:
            self._driver.reopen()
            self._driver.deactivate()
        except NjfError as error:
            return f"{self._unconfirmed} It was tried again: {error}"
        self._unconfirmed, self._is_taken_over = "", True
        self.gate.deactivate()
        return ""

    def _cycle(self, now_s: float, dt_s: float) -> Cycle:
        state = self.state = self._driver.read()
        if state.alarms:
            raise RobotFaultError(f"alarm: {'; '.join(state.alarms)}. Remove the cause.")
        # Reading may have taken long, and the watchdog must see that.
        output = self.gate.step(state.position, max(now_s, state.stamp_s), dt_s)
        if not output.drives:
            raise RobotFaultError(output.reason)
        try:
            applied = self._driver.send(output.applied)
        except NoAnswerError:
            self.gate.take_back()
            raise
        self._last_answer_s = state.stamp_s
        return Cycle(state, output, applied)

    def _fault(self, reason: str) -> RobotFaultError:
        text = " ".join(filter(None, (reason, self.make_safe())))
        self._driver.close()
        self.gate.deactivate()  # forgets the fault that closing may have added, it is in the text
        self.gate.fault(text)
        return RobotFaultError(text)
