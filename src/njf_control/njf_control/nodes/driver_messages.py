"""What the driver node publishes, made from the gate's and the driver's own words."""

import array
import math
from collections.abc import Mapping, Sequence

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from njf_control.control_loop import Cycle
from njf_control.drivers.base import Notice, RobotState
from njf_control.safety import GateState, SafetyGate
from njf_msgs.msg import CommandApplied, SafetyState

_HOT_C = 60.0  # an XL-320 switches itself off at 65 degrees Celsius


def joint_state_msg(names: Sequence[str], state: RobotState, stamp: Time) -> JointState:
    """Measured positions and velocities; effort stays empty, a servo's load is no torque."""
    return JointState(
        header=Header(stamp=stamp),
        name=list(names),
        position=state.position.tolist(),
        velocity=state.velocity.tolist(),
    )


def command_applied_msg(
    names: Sequence[str], cycle: Cycle, stamp: Time, image_stamp: Time
) -> CommandApplied:
    """One cycle's record; `image_stamp` is the newest accepted command's."""
    output = cycle.output
    return CommandApplied(
        header=Header(stamp=stamp),
        channel_names=list(names),
        requested=output.requested.tolist(),
        applied=cycle.applied.tolist(),
        measured=cycle.state.position.tolist(),
        alterations=array.array("B", output.alterations.tobytes()),
        reason=output.reason,
        image_stamp=image_stamp if output.state == GateState.RUNNING else Time(),
    )


def safety_state_msg(gate: SafetyGate, now_s: float, stamp: Time) -> SafetyState:
    """State of the gate at monotonic time `now_s` [s]."""
    return SafetyState(
        header=Header(stamp=stamp),
        state=int(gate.state),
        reason=gate.reason,
        command_age_s=gate.command_age_s(now_s),
        watchdog_timeout_s=gate.watchdog_timeout_s,
        accepted_count=gate.counts.accepted,
        limited_count=gate.counts.limited,
        rejected_count=gate.counts.rejected,
        watchdog_count=gate.counts.watchdog,
    )


def gate_status(gate: SafetyGate, now_s: float, writers: Sequence[str]) -> DiagnosticStatus:
    """Health of the command path; warns when several nodes write commands at once."""
    level, message = DiagnosticStatus.OK, gate.reason or "commands are applied"
    if gate.state in (GateState.ESTOP, GateState.FAULT):
        level = DiagnosticStatus.ERROR
    elif len(writers) > 1:
        level = DiagnosticStatus.WARN
        message = f"{len(writers)} nodes write commands: {', '.join(writers)}. Stop all but one."
    age_s = gate.command_age_s(now_s)
    values = {
        "state": gate.state.name,
        "command_age_s": "none" if math.isinf(age_s) else f"{age_s:.3f}",
        "accepted": gate.counts.accepted,
        "limited": gate.counts.limited,
        "rejected": gate.counts.rejected,
        "watchdog_trips": gate.counts.watchdog,
    }
    return _status("driver: command", level, message, values)


def bus_status(
    statistics: Mapping[str, int], previous: Mapping[str, int], loop_hz: float, wanted_hz: float
) -> DiagnosticStatus:
    """Health of the link; warns about errors since `previous` and about a slow loop."""
    fresh = {
        name: count - previous.get(name, 0)
        for name, count in statistics.items()
        if name != "requests" and count > previous.get(name, 0)
    }
    level, message = DiagnosticStatus.OK, "the device answers"
    if fresh:
        level = DiagnosticStatus.WARN
        message = "in the last second: " + ", ".join(f"{n} {name}" for name, n in fresh.items())
    elif 0.0 < loop_hz < 0.8 * wanted_hz:
        level, message = DiagnosticStatus.WARN, "the loop is slower than rate_hz"
    return _status("driver: bus", level, message, {**statistics, "loop_hz": f"{loop_hz:.1f}"})


def notice_statuses(notices: Sequence[Notice]) -> list[DiagnosticStatus]:
    """What the driver has to say about its hardware, one status each."""
    return [
        _status(
            f"driver: {notice.name}",
            DiagnosticStatus.WARN if notice.is_warning else DiagnosticStatus.OK,
            notice.text,
            {},
        )
        for notice in notices
    ]


def channel_statuses(names: Sequence[str], state: RobotState) -> list[DiagnosticStatus]:
    """Health per channel: position and whatever the hardware measures beside it."""
    return [_channel_status(index, name, state) for index, name in enumerate(names)]


def _channel_status(index: int, name: str, state: RobotState) -> DiagnosticStatus:
    values = {key: f"{column[index]:.3g}" for key, column in state.health.items()}
    values["position"] = f"{state.position[index]:.4f}"
    alarms = "; ".join(alarm for alarm in state.alarms if alarm.startswith(f"{name} "))
    hot = "temperature_c" in state.health and state.health["temperature_c"][index] >= _HOT_C
    if alarms:
        return _status(f"driver: {name}", DiagnosticStatus.ERROR, alarms, values)
    if hot:
        return _status(f"driver: {name}", DiagnosticStatus.WARN, "hot: let it rest", values)
    return _status(f"driver: {name}", DiagnosticStatus.OK, "ok", values)


def _status(
    name: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(name=name, level=level, message=message, values=pairs)
