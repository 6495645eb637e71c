"""What the driver node tells on /diagnostics once a second, as REP 107 has it.

driver              whether it is configured, and why not
driver: command     the gate, who writes, what was limited and rejected since configuration
driver: loop        rate, jitter and missed deadlines
driver: bus         requests and errors of the link to the device
driver: <notice>    what the driver has to say about the device's own safety
driver: <channel>   position and what the hardware measures beside it

WARN: somebody should look; ERROR: the robot is not driven, or not as it should be. The message says
why in words and what to do.
"""

import math
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from njf_control.control_loop import ControlLoop
from njf_control.cycle_times import PeriodReport
from njf_control.drivers.base import Notice, RobotState
from njf_control.safety import GateCounts, GateState, SafetyGate

_SLOW = 0.8  # of the wanted rate: WARN
_TOO_SLOW = 0.5  # ERROR
_TRAFFIC = ("requests", "cycles", "frames")  # of a link's counts: these grow when all is well
_MANY_MISSED = 0.05  # of all deadlines: WARN


class DriverDiagnostics:
    """Remembers what was told last, because errors are told once and counts only grow."""

    def __init__(self, names: Sequence[str]) -> None:
        """Name the channels, in the robot's order."""
        self._names = list(names)
        self._statistics: Mapping[str, int] = {}
        self._counts = GateCounts()

    def statuses(
        self, loop: ControlLoop, writers: Sequence[str], now_s: float
    ) -> list[DiagnosticStatus]:
        """Everything, at monotonic `now_s` [s]; `writers` are the nodes that publish commands."""
        statistics, counts = loop.statistics, loop.gate.totals
        found = [
            command_status(loop, self._counts, writers, now_s),
            loop_status(loop, now_s),
            bus_status(statistics, self._statistics),
            *notice_statuses(loop.notices),
        ]
        if loop.state is not None:
            found += channel_statuses(self._names, loop.state, loop.health_limits)
        self._statistics, self._counts = statistics, counts
        return found


def command_status(
    loop: ControlLoop, previous: GateCounts, nodes: Sequence[str], now_s: float
) -> DiagnosticStatus:
    """Health of the command path at monotonic `now_s` [s], and its news since `previous`."""
    gate, counts = loop.gate, loop.gate.totals
    level, message = DiagnosticStatus.OK, gate.reason or "commands are applied"
    holder = loop.writers.holder(now_s)
    if gate.state in (GateState.ESTOP, GateState.FAULT):
        level = DiagnosticStatus.ERROR
    elif news := _command_news(gate, counts, previous, holder, nodes):
        level, message = DiagnosticStatus.WARN, news
    age_s = gate.command_age_s(now_s)
    values = {
        "state": gate.state.name,
        "writer": holder or "none",
        "command_age_s": "none" if math.isinf(age_s) else f"{age_s:.3f}",
        "accepted": counts.accepted,
        "limited": counts.limited,
        "range_limited": counts.range_limited,
        "rate_limited": counts.rate_limited,
        "rejected": counts.rejected,
        "rejected_of_a_second_writer": counts.rivals,
        "watchdog_trips": counts.watchdog,
    }
    return status("driver: command", level, message, values)


def _command_news(
    gate: SafetyGate,
    counts: GateCounts,
    previous: GateCounts,
    holder: str | None,
    nodes: Sequence[str],
) -> str:
    """What a person should know about the last second's commands; empty when all is well."""
    texts = []
    rivals, rejected = counts.rivals - previous.rivals, counts.rejected - previous.rejected
    if rivals > 0:
        texts.append(f"{rivals} commands of a second writer were rejected, {holder} is heard")
    if rejected > rivals:
        texts.append(f"{rejected - rivals} commands were rejected")
    if counts.watchdog > previous.watchdog:
        texts.append(f"the watchdog tripped: no valid command for {gate.watchdog_timeout_s:g} s")
    if len(nodes) > 1:
        texts.append(f"{len(nodes)} nodes write commands: {', '.join(nodes)}. Stop all but one")
    return "; ".join(filter(None, [*texts, gate.reason])) if texts else ""


def loop_status(loop: ControlLoop, now_s: float) -> DiagnosticStatus:
    """How regularly the robot was served since the last call, at monotonic `now_s` [s]."""
    wanted_hz, report = 1.0 / loop.period_s, loop.times.report(now_s)
    level, message = _judge_periods(report, wanted_hz)
    values = {
        "loop_hz": f"{report.rate_hz:.1f}",
        "wanted_hz": f"{wanted_hz:.1f}",
        "period_median_ms": f"{1e3 * report.median_s:.2f}",
        "period_p99_ms": f"{1e3 * report.p99_s:.2f}",
        "period_max_ms": f"{1e3 * report.longest_s:.2f}",
        "missed_deadlines": loop.times.missed,
        "cycles": loop.times.cycles,
    }
    return status("driver: loop", level, message, values)


def _judge_periods(report: PeriodReport, wanted_hz: float) -> tuple[bytes, str]:
    if report.elapsed_s <= 0.0:
        return DiagnosticStatus.OK, "the robot is not driven"
    cure = "Close other programs or lower rate_hz."
    slow = f"the loop runs at {report.rate_hz:.1f} Hz instead of {wanted_hz:g} Hz. {cure}"
    if report.rate_hz < _TOO_SLOW * wanted_hz:
        return DiagnosticStatus.ERROR, slow
    if report.rate_hz < _SLOW * wanted_hz:
        return DiagnosticStatus.WARN, slow
    if report.missed > _MANY_MISSED * (report.cycles + report.missed):
        missed = f"{report.missed} deadlines were missed beside {report.cycles} cycles"
        longest = f"the longest took {1e3 * report.longest_s:.0f} ms"
        return DiagnosticStatus.WARN, f"{missed}, {longest}. {cure}"
    return DiagnosticStatus.OK, "the loop keeps its rate"


def bus_status(statistics: Mapping[str, int], previous: Mapping[str, int]) -> DiagnosticStatus:
    """Health of the link; warns about errors since `previous`."""
    fresh = {
        name: count - previous.get(name, 0)
        for name, count in statistics.items()
        if name not in _TRAFFIC and count > previous.get(name, 0)
    }
    level, message = DiagnosticStatus.OK, "the device answers"
    if fresh:
        level = DiagnosticStatus.WARN
        message = "in the last second: " + ", ".join(f"{n} {name}" for name, n in fresh.items())
    return status("driver: bus", level, message, statistics)


def notice_statuses(notices: Sequence[Notice]) -> list[DiagnosticStatus]:
    """What the driver has to say about its hardware, one status each."""
    return [
        status(
            f"driver: {notice.name}",
            DiagnosticStatus.WARN if notice.is_warning else DiagnosticStatus.OK,
            notice.text,
            {},
        )
        for notice in notices
    ]


def channel_statuses(
    names: Sequence[str], state: RobotState, limits: Mapping[str, tuple[float, float]]
) -> list[DiagnosticStatus]:
    """Health per channel: position and whatever the hardware measures beside it.

    Args:
        names: of the channels.
        state: what was measured.
        limits: least and greatest healthy value of some of `state.health`.
    """
    return [_channel_status(index, name, state, limits) for index, name in enumerate(names)]


def _channel_status(
    index: int, name: str, state: RobotState, limits: Mapping[str, tuple[float, float]]
) -> DiagnosticStatus:
    health = {key: float(column[index]) for key, column in state.health.items()}
    values = {key: f"{value:.3g}" for key, value in health.items()}
    values["position"] = f"{state.position[index]:.4f}"
    if alarms := [alarm for alarm in state.alarms if alarm.startswith(f"{name} ")]:
        return status(f"driver: {name}", DiagnosticStatus.ERROR, "; ".join(alarms), values)
    troubles = [
        f"{key} is {health[key]:.3g}, expected {_span(*limits[key])}"
        for key in health.keys() & limits.keys()
        if health[key] < limits[key][0] or health[key] > limits[key][1]  # NaN: not measured yet
    ]
    if troubles:
        text = f"{'; '.join(sorted(troubles))}. Let it rest, check the supply."
        return status(f"driver: {name}", DiagnosticStatus.WARN, text, values)
    return status(f"driver: {name}", DiagnosticStatus.OK, "ok", values)


def _span(least: float, greatest: float) -> str:
    return f"{least:g} to {greatest:g}" if math.isfinite(least) else f"at most {greatest:g}"


def status(
    name: str, level: bytes, message: str, values: Mapping[str, object] | None = None
) -> DiagnosticStatus:
    """One status; `values` in words."""
    pairs = [KeyValue(key=key, value=str(value)) for key, value in (values or {}).items()]
    return DiagnosticStatus(name=name, level=level, message=message, values=pairs)
