"""The one gate between commands and hardware. Pure: no clock, no threads, no ROS.

A command passes these tests in this order:

1. every value is finite (first, because NaN slips through every comparison and clamp after it);
2. the channel names are exactly the robot's, in any order;
3. range: a value outside is limited to the channel's end and reported;
4. rate: the set-point moves toward the command by at most `max_rate * dt` per cycle, counted from
   the set-point **last applied**; what the device did not confirm was not applied, and `dt` is
   bounded, so that a late cycle allows no leap;
5. the first command after activation, after an e-stop reset, or of a writer who takes over from
   another one must be near the measured state;
6. watchdog: without a valid command for `watchdog_timeout_s`, by the receiver's monotonic clock,
   the set-point stays where it is. Not latched: the next valid command resumes;
7. the emergency stop is latched until `reset`; also over `deactivate`;
8. a fault is left only by `activate`.

Where 1, 2 or 5 fails, the command is rejected as a whole and the one before it stays in force until
the watchdog trips.

Where it holds. The watchdog holds the last *applied* set-point: it is at most the servo's lag ahead
of the robot, it makes no jump, and repeated trips do not let a loaded joint sag step by step. The
emergency stop and its reset hold the *measured* position: the set-point jumps to the robot, never
the robot to a set-point.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum, IntFlag

import numpy as np
from jaxtyping import Float, UInt8

from njf_control.robot import RobotConfig
from njf_perception.errors import CommandRejectedError, ConfigError

_FEWEST_CYCLES = 2.0  # within the watchdog's time
_MAX_LATE_CYCLES = 2.0  # a cycle may make up for at most this many periods of motion


class GateState(IntEnum):
    """State of the gate; the numbers are those of `njf_msgs/SafetyState`."""

    INACTIVE = 0
    READY = 1
    RUNNING = 2
    HOLDING = 3
    ESTOP = 4
    FAULT = 5


class Alteration(IntFlag):
    """Why an applied set-point differs from the command; as in `njf_msgs/CommandApplied`."""

    UNCHANGED = 0
    RANGE_LIMITED = 1
    RATE_LIMITED = 2
    HELD = 4
    REJECTED = 8


@dataclass(frozen=True)
class Verdict:
    """What became of one command."""

    accepted: bool
    reason: str  # empty when accepted


@dataclass(frozen=True)
class GateOutput:
    """What to send in one cycle, and why. Arrays in channel order, [channel unit]."""

    state: GateState
    applied: Float[np.ndarray, " n"]
    requested: Float[np.ndarray, " n"]  # newest command; NaN where there is none
    alterations: UInt8[np.ndarray, " n"]  # bits of Alteration
    reason: str  # empty when nothing was altered

    @property
    def drives(self) -> bool:
        """Whether `applied` may be sent: false without torque, that is INACTIVE and FAULT."""
        return self.state not in (GateState.INACTIVE, GateState.FAULT)


@dataclass
class GateCounts:
    """Commands and watchdog trips."""

    accepted: int = 0
    limited: int = 0  # accepted, but applied only within range or rate
    range_limited: int = 0
    rate_limited: int = 0
    rejected: int = 0
    rivals: int = 0  # rejected because somebody else commands the robot
    watchdog: int = 0

    def __add__(self, other: "GateCounts") -> "GateCounts":
        """Both together."""
        return GateCounts(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class SafetyGate:
    """Decides in every cycle which set-points the hardware gets. See the module's text."""

    def __init__(self, robot: RobotConfig, rate_hz: float, watchdog_timeout_s: float) -> None:
        """Guard `robot`, driven in cycles at `rate_hz` [Hz]; `watchdog_timeout_s` in [s].

        Raises:
            ConfigError: the cycles are too far apart for the watchdog to mean anything.
        """
        if rate_hz * watchdog_timeout_s < _FEWEST_CYCLES:
            raise ConfigError(
                f"rate_hz {rate_hz:g} is too slow for a watchdog of {watchdog_timeout_s:g} s; "
                f"expected at least {_FEWEST_CYCLES / watchdog_timeout_s:g} Hz. "
                "Raise rate_hz or the timeout."
            )
        self.counts = GateCounts()  # since activation
        self._earlier = GateCounts()  # before it
        self.watchdog_timeout_s = watchdog_timeout_s
        self._names = robot.channel_names
        self._units = robot.channel_units
        self._lower, self._upper = robot.lower, robot.upper
        self._max_rate = robot.max_rate
        self._max_first_step = robot.safety.max_first_step
        self._max_dt_s = _MAX_LATE_CYCLES / rate_hz
        self._nothing = np.full(len(self._names), np.nan)
        self._mode = GateState.INACTIVE  # the state but for the emergency stop
        self._estop_reason: str | None = None
        self._fault_reason = ""
        self._measured = self._applied = self._target = self._nothing
        self._stop_pending = False  # take the next measurement as set-point
        self._before = self._applied, self._stop_pending  # the newest step
        self._forget_commands()

    @property
    def state(self) -> GateState:
        """The state as published: a fault outranks an emergency stop, which outranks the rest."""
        if self._mode != GateState.FAULT and self._estop_reason is not None:
            return GateState.ESTOP
        return self._mode

    @property
    def estop_reason(self) -> str | None:
        """Why the emergency stop is latched; None when it is not."""
        return self._estop_reason

    @property
    def totals(self) -> GateCounts:
        """Counts since the gate was made."""
        return self._earlier + self.counts

    @property
    def reason(self) -> str:
        """Why the gate is in its state, in one sentence; empty in RUNNING."""
        return {
            GateState.INACTIVE: "the driver is inactive and drives nothing",
            GateState.READY: "holding the measured state; no command yet",
            GateState.RUNNING: "",
            GateState.HOLDING: f"no valid command for {self.watchdog_timeout_s:g} s (watchdog)",
            GateState.ESTOP: f"emergency stop: {self._estop_reason}; call estop_reset to release",
            GateState.FAULT: f"fault: {self._fault_reason}",
        }[self.state] + (f"; {self._rejection}" if self._rejection and self._holds() else "")

    def command_age_s(self, now_s: float) -> float:
        """Age of the newest accepted command [s]; infinity when there is none."""
        return math.inf if self._receipt_s is None else now_s - self._receipt_s

    def check_start(self, measured: Float[np.ndarray, " n"]) -> None:
        """See whether driving may begin from the `measured` state [channel unit].

        Raises:
            CommandRejectedError: the emergency stop is latched, or the robot stands outside its
                range by more than `max_first_step`.
        """
        if self._estop_reason is not None:
            raise CommandRejectedError(
                f"the emergency stop is latched ({self._estop_reason}). Call estop_reset first."
            )
        excess = np.maximum(self._lower - measured, measured - self._upper)
        outside = ~(excess <= self._max_first_step)  # true for NaN, too
        if outside.any():
            raise CommandRejectedError(
                f"the robot stands outside its range: {self._list(measured, outside)}. "
                "Move it inside by hand, then activate again."
            )

    def activate(self, measured: Float[np.ndarray, " n"]) -> None:
        """Begin to hold the `measured` state [channel unit]; counts start at zero.

        A robot that stands a little outside its range is held there; the first command brings it
        inside at `max_rate`.

        Raises:
            CommandRejectedError: see `check_start`.
        """
        self.check_start(measured)
        self._earlier, self.counts = self.totals, GateCounts()
        self._mode = GateState.READY
        self._stop_pending = False
        self._applied = self._target = self._measured = measured.copy()
        self._forget_commands()

    def deactivate(self) -> None:
        """Stop driving; forgets commands and a fault, not the emergency stop."""
        self._mode = GateState.INACTIVE
        self._forget_commands()

    def fault(self, reason: str) -> None:
        """Stop driving because of the hardware; the first reason is kept until activation."""
        if self._mode != GateState.FAULT:
            self._mode, self._fault_reason = GateState.FAULT, reason
            self._forget_commands()

    def estop(self, reason: str) -> None:
        """Latch the emergency stop: hold the position measured next until `reset`."""
        self._estop_reason = reason or "no reason given"
        self._hold_measured()

    def reset(self) -> Verdict:
        """Release the emergency stop; old commands are forgotten."""
        if self._estop_reason is None:
            return Verdict(False, "the emergency stop is not latched; there is nothing to reset")
        self._estop_reason = None
        self._hold_measured()
        return Verdict(True, "")

    def submit(
        self,
        names: Sequence[str],
        values: Sequence[float],
        now_s: float,
        must_be_near: bool = False,
    ) -> Verdict:
        """Offer a command: one absolute set-point [channel unit] per named channel.

        It takes effect in the next `step`.

        Args:
            names: every channel of the robot, in any order.
            values: one per name.
            now_s: monotonic time of receipt [s].
            must_be_near: it is a first command though the gate is not READY.
        """
        self._requested = self._in_order(names, values)
        is_first = must_be_near or self._mode == GateState.READY
        self._rejection = self._find_fault(names, values, is_first)
        if self._rejection:
            self.counts.rejected += 1
            return Verdict(False, self._rejection)
        self.counts.accepted += 1
        self._mode = GateState.RUNNING
        self._target = np.clip(self._requested, self._lower, self._upper)
        self._out_of_range = self._target != self._requested
        self._limits_counted = Alteration.UNCHANGED
        self._receipt_s = now_s
        return Verdict(True, "")

    def refuse_rival(self, reason: str) -> Verdict:
        """Count a command of a second writer; that of the first one stays as it is."""
        self.counts.rejected += 1
        self.counts.rivals += 1
        return Verdict(False, reason)

    def step(self, measured: Float[np.ndarray, " n"], now_s: float, dt_s: float) -> GateOutput:
        """Advance one cycle: `measured` [channel unit] at monotonic `now_s`, `dt_s` after the last.

        A measurement that is not finite is a fault.
        """
        self._before = self._applied, self._stop_pending
        if not np.isfinite(measured).all():
            self.fault(
                f"measured position is not finite: {self._list(measured)}. Check that channel's "
                "sensor and cable, then activate again."
            )
        else:
            self._measured = measured.copy()
        if not self._drives():
            return self._held_output()
        if self._stop_pending:
            self._stop_pending = False
            self._applied = measured.copy()
            if self._mode != GateState.RUNNING:  # no command since the reset
                self._target = self._applied
        self._check_watchdog(now_s)
        allowed = self._max_rate * self._bounded(dt_s)
        wanted = self._target - self._applied
        rate_limited = np.abs(wanted) > allowed
        self._applied = np.where(
            rate_limited, self._applied + np.copysign(allowed, wanted), self._target
        )
        if self.state != GateState.RUNNING:
            return self._held_output()
        return self._running_output(rate_limited)

    def take_back(self) -> None:
        """Count the newest `step` as not applied: the device did not confirm its set-point."""
        self._applied, self._stop_pending = self._before

    def _drives(self) -> bool:
        return self._mode in (GateState.READY, GateState.RUNNING, GateState.HOLDING)

    def _holds(self) -> bool:
        return self.state in (GateState.READY, GateState.HOLDING)

    def _bounded(self, dt_s: float) -> float:
        return min(max(dt_s, 0.0), self._max_dt_s) if math.isfinite(dt_s) else 0.0

    def _check_watchdog(self, now_s: float) -> None:
        if self._mode != GateState.RUNNING:
            return
        if not 0.0 <= self.command_age_s(now_s) <= self.watchdog_timeout_s:  # NaN fails, too
            self._mode = GateState.HOLDING
            self._target = self._applied
            self.counts.watchdog += 1

    def _find_fault(self, names: Sequence[str], values: Sequence[float], is_first: bool) -> str:
        """Why the command must be rejected; empty when it may pass."""
        if not all(math.isfinite(value) for value in values):
            return f"rejected: a value is not finite: {list(map(float, values))}"
        if sorted(names) != sorted(self._names) or len(values) != len(names):
            return (
                f"rejected: {len(values)} values for channels {list(names)}, "
                f"expected one for each of {self._names}"
            )
        if self.state not in (GateState.READY, GateState.RUNNING, GateState.HOLDING):
            return f"rejected: {self.reason}"
        far = np.abs(self._requested - self._measured) > self._max_first_step
        if is_first and far.any():
            return (
                f"rejected: first command too far from the measured state: "
                f"{self._list(self._requested, far)}, measured {self._list(self._measured, far)}, "
                f"allowed {self._max_first_step:g}"
            )
        return ""

    def _in_order(self, names: Sequence[str], values: Sequence[float]) -> Float[np.ndarray, " n"]:
        """The values in the robot's order; NaN for a channel that is not named."""
        named = dict(zip(names, values, strict=False))
        return np.array([float(named.get(name, math.nan)) for name in self._names])

    def _hold_measured(self) -> None:
        self._forget_commands()
        if self._drives():
            self._mode = GateState.READY
            self._stop_pending = True

    def _forget_commands(self) -> None:
        self._requested = self._nothing
        self._receipt_s: float | None = None
        self._out_of_range = np.zeros(len(self._names), dtype=bool)
        self._limits_counted = Alteration.UNCHANGED
        self._rejection = ""

    def _held_output(self) -> GateOutput:
        bits = Alteration.HELD | (Alteration.REJECTED if self._rejection else 0)
        return self._output(np.full(len(self._names), bits, dtype=np.uint8), self.reason)

    def _running_output(self, rate_limited: np.ndarray) -> GateOutput:
        self._count_limits(rate_limited)
        bits = np.zeros(len(self._names), dtype=np.uint8)
        bits[self._out_of_range] |= np.uint8(Alteration.RANGE_LIMITED)
        bits[rate_limited] |= np.uint8(Alteration.RATE_LIMITED)
        bits |= np.uint8(Alteration.REJECTED if self._rejection else 0)
        texts = [
            self._rejection,
            self._limit_text("range", self._out_of_range),
            self._limit_text("rate", rate_limited),
        ]
        return self._output(bits, "; ".join(filter(None, texts)))

    def _count_limits(self, rate_limited: np.ndarray) -> None:
        """Count each command once for each of its limits, however many cycles it takes."""
        limits = Alteration.UNCHANGED
        limits |= Alteration.RANGE_LIMITED if self._out_of_range.any() else limits
        limits |= Alteration.RATE_LIMITED if rate_limited.any() else limits
        fresh = limits & ~self._limits_counted
        self.counts.limited += bool(fresh) and not self._limits_counted
        self.counts.range_limited += bool(fresh & Alteration.RANGE_LIMITED)
        self.counts.rate_limited += bool(fresh & Alteration.RATE_LIMITED)
        self._limits_counted |= limits

    def _output(self, bits: UInt8[np.ndarray, " n"], reason: str) -> GateOutput:
        return GateOutput(self.state, self._applied.copy(), self._requested.copy(), bits, reason)

    def _limit_text(self, what: str, limited: np.ndarray) -> str:
        names = [name for name, is_limited in zip(self._names, limited, strict=True) if is_limited]
        return f"{what} limit: {', '.join(names)}" if names else ""

    def _list(self, values: Float[np.ndarray, " n"], which: np.ndarray | None = None) -> str:
        rows = zip(self._names, values, self._units, strict=True)
        chosen = np.ones(len(values), dtype=bool) if which is None or not which.any() else which
        return ", ".join(
            f"{name} {value:.3f} {unit}"
            for (name, value, unit), is_chosen in zip(rows, chosen, strict=True)
            if is_chosen
        )
