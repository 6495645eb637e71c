"""What the driver node publishes, made from the gate's and the driver's own words."""

import array
from collections.abc import Sequence

from builtin_interfaces.msg import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from njf_control.control_loop import Cycle
from njf_control.drivers.base import RobotState
from njf_control.safety import GateState, SafetyGate
from njf_msgs.msg import CommandApplied, SafetyState


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
