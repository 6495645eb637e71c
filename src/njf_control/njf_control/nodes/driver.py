"""Lifecycle node `driver`: reads the robot, passes commands through the safety gate, sends them.

configure  read the robot's file, open the device, check that the configured motors answer
activate   switch torque on, holding the measured state; start the loop
deactivate the device's safe state (see the driver's text); the port stays open
cleanup    safe state, close the port

Every other way out ends in the safe state as well: shutdown, errors and exceptions, SIGINT,
SIGTERM, SIGHUP and the death of the process that started this one. A device that is gone is a
FAULT: one error message, the node falls back to inactive, and `activate` opens the device anew.

Commands come as njf_msgs/Command on `command` and, with the parameter `joint_commands`, also as
sensor_msgs/JointState on `joint_commands`. Both pass the same gate. One writer at a time is heard,
see `njf_control.writers`: who has a command accepted keeps the robot until it falls silent.

One cycle: read, gate, send, publish. The loop runs at `rate_hz`; a command that arrives later than
a quarter of a period after the last cycle starts the next one at once. The gate's rate limit counts
time, not cycles, so this costs no safety and saves most of the wait.
"""

import os
import signal
import time
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.timer import Timer
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from njf_control.control_loop import ControlLoop, Cycle, RobotFaultError
from njf_control.drivers.make import make_driver
from njf_control.nodes import driver_messages as messages
from njf_control.nodes.driver_diagnostics import DriverDiagnostics, status
from njf_control.nodes.driver_parameters import declare_parameters
from njf_control.nodes.driver_pressures import PressureTopics
from njf_control.robot import RobotConfig, load_robot
from njf_control.safety import SafetyGate
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.errors import ConfigError
from njf_perception.nodes.lifecycle import GuardedLifecycleNode
from njf_perception.nodes.main import run

_STATE_PERIOD_S = 0.1
_DIAGNOSTICS_PERIOD_S = 1.0
_OVERRUNS_OF_A_SLOW_BUS = 2
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_NOT_CONFIGURED = "the driver is not configured; nothing is driven"


class DriverNode(GuardedLifecycleNode):
    """The only node that talks to the robot's hardware. `options` are those of rclpy's Node."""

    def __init__(self, **options: Any) -> None:
        super().__init__("driver", **options)
        declare_parameters(self)
        self._robot: RobotConfig | None = None
        self._loop: ControlLoop | None = None
        self._timer: Timer | None = None
        self._overruns = 0  # cycles in a row that took longer than their period
        self._early_stop: str | None = None  # pressed before there was a gate to latch it
        self._image_stamp = Time()
        self._published: tuple[object, ...] = ()
        self._diagnostics: DriverDiagnostics | None = None
        self._pressures: PressureTopics | None = None
        self._parent = os.getppid()
        self._applied_pub = self.create_publisher(CommandApplied, "command_applied", 10)
        self._joints_pub = self.create_publisher(JointState, "joint_states", 10)
        self._safety_pub = self.create_publisher(SafetyState, "safety_state", _LATCHED)
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._command_subs = [self.create_subscription(Command, "command", self._on_command, 1)]
        if self._value("joint_commands"):
            take = self._on_joint_command
            self._command_subs.append(
                self.create_subscription(JointState, "joint_commands", take, 1)
            )
        self.create_service(EmergencyStop, "estop", self._on_estop)
        self.create_service(ResetEmergencyStop, "estop_reset", self._on_reset)
        # The system clock may be set back, and simulated time may stand still: neither may stop the
        # watchdog.
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_STATE_PERIOD_S, self._on_state_timer, clock=self._steady)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=self._steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the robot's file, open and check the device."""
        return self.attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Switch torque on, holding the measured state."""
        return self.attempt(self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reach the safe state. Succeeds whatever the device says: nothing is driven any more."""
        if self._loop is not None:
            self._report(self._loop.make_safe())
            self._publish_safety_change()
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reach the safe state and close the device."""
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reach the safe state and close the device."""
        return self._release()

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reach the safe state and close the device after an unexpected error."""
        return self._release()

    def destroy_node(self) -> None:
        """Reach the safe state on every way out of the process."""
        self._release()
        super().destroy_node()

    def _configure(self) -> None:
        path = self._value("robot_file")
        if not path:
            raise ConfigError(
                "parameter robot_file is empty; expected the path of a robot's YAML file. "
                "Start with `-p robot_file:=config/robots/finger.yaml`."
            )
        robot = load_robot(path)
        rate_hz = self._value("rate_hz") or robot.driver.rate_hz
        timeout_s = self._value("watchdog_timeout_s") or robot.safety.watchdog_timeout_s
        gate = SafetyGate(robot, rate_hz, timeout_s)
        if self._loop is not None and self._loop.gate.estop_reason is not None:
            gate.estop(self._loop.gate.estop_reason)  # latched means latched
        if self._early_stop is not None:
            gate.estop(self._early_stop)
        driver = make_driver(robot, self._value("port"), self._value("dry_run"))
        loop = ControlLoop(driver, gate, 1.0 / rate_hz)
        loop.connect()
        self._tell(loop)
        self._robot, self._loop, self._early_stop = robot, loop, None
        self._diagnostics = DriverDiagnostics(robot.channel_names)
        self._pressures = PressureTopics(self, robot, self._value("ambient_pressure_pa"))
        self._timer = self.create_timer(loop.period_s, self._on_timer, clock=self._steady)
        self._publish_safety_change()

    def _activate(self) -> None:
        if self._loop is not None:
            self._loop.activate()
            self._image_stamp = Time()
            self._publish_safety_change()

    def _tell(self, loop: ControlLoop) -> None:
        """Log once what a person should know; the diagnostics repeat it."""
        for notice in loop.notices:
            text = f"{notice.name}: {notice.text}"
            if notice.is_warning:
                self.get_logger().error(text)
            else:
                self.get_logger().info(text)

    def _release(self) -> TransitionCallbackReturn:
        """Safe state, port closed. The gate stays, with it a latched emergency stop."""
        if self._loop is not None:  # first: nothing that may fail comes before the safe state
            self._report(self._loop.close())
        if self._timer is not None:
            self.destroy_timer(self._timer)
            self._timer = None
        if self._pressures is not None:
            self._pressures.close()
            self._pressures = None
        return TransitionCallbackReturn.SUCCESS

    def _report(self, trouble: str) -> None:
        if trouble:
            self.get_logger().error(trouble)

    def _on_command(self, msg: Command) -> None:
        writer = f"'{msg.source}' on command"
        self._offer(list(msg.channel_names), list(msg.values), msg.image_stamp, writer)

    def _on_joint_command(self, msg: JointState) -> None:
        """Take the positions; velocities and efforts are nothing this driver can obey."""
        self._offer(list(msg.name), list(msg.position), Time(), "a writer of joint_commands")

    def _offer(self, names: list[str], values: list[float], image_stamp: Time, writer: str) -> None:
        if self._loop is None:
            return
        now_s = time.monotonic()
        verdict = self._loop.submit(names, values, now_s, writer)
        if verdict.accepted:
            self._image_stamp = image_stamp
        else:
            text = f"command of {writer} {verdict.reason}"
            self.get_logger().warning(text, throttle_duration_sec=1.0)
        early = not self._is_slow and self._loop.may_cycle_early(now_s)
        if self._timer is not None and early:
            self._timer.reset()
            self._paced_cycle()

    def _on_timer(self) -> None:
        self._paced_cycle()

    def _paced_cycle(self) -> None:
        """Run a cycle; the second too long one in a row is followed by a pause of a period.

        Else the timer would be due again at once, and rclpy serves timers first, then commands: on
        a slow bus no emergency stop would ever get through. A single long one is the computer's.
        """
        begin_s = time.monotonic()
        self._cycle()
        if self._loop is None or self._timer is None:
            return
        too_long = time.monotonic() - begin_s > self._loop.period_s
        self._overruns = self._overruns + 1 if too_long else 0
        if self._is_slow:
            self._timer.reset()

    @property
    def _is_slow(self) -> bool:
        return self._overruns >= _OVERRUNS_OF_A_SLOW_BUS

    def _cycle(self) -> bool:
        """Run one cycle if the robot is driven; whether set-points were sent."""
        if self._loop is None or not self._loop.active:
            return False
        try:
            cycle = self._loop.cycle(time.monotonic())
        except RobotFaultError as error:
            self.get_logger().error(str(error))
            self._publish_safety_change()
            self.trigger_deactivate()
            return False
        if cycle is not None:
            self._publish_cycle(cycle)
        self._publish_safety_change()
        return cycle is not None

    def _publish_cycle(self, cycle: Cycle) -> None:
        assert self._robot is not None  # a cycle ran, so the node is configured
        stamp, names = self._now(), self._robot.channel_names
        self._applied_pub.publish(
            messages.command_applied_msg(names, cycle, stamp, self._image_stamp)
        )
        self._joints_pub.publish(messages.joint_state_msg(names, cycle.state, stamp))
        if self._pressures is not None:
            self._pressures.publish(cycle.state, stamp)

    def _on_estop(
        self, request: EmergencyStop.Request, response: EmergencyStop.Response
    ) -> EmergencyStop.Response:
        if self._loop is None:
            self._early_stop = request.reason or "no reason given"
            response.success, response.message = True, "latched; the driver is not configured yet"
            return response
        self._loop.gate.estop(request.reason)
        self.get_logger().error(self._loop.gate.reason)
        sent = self._cycle()
        response.success, response.message = True, self._loop.gate.reason
        if not sent and self._loop.active:
            response.message += "; the device did not answer, nothing was sent yet"
        return response

    def _on_reset(
        self, request: ResetEmergencyStop.Request, response: ResetEmergencyStop.Response
    ) -> ResetEmergencyStop.Response:
        if self._loop is None:
            latched, self._early_stop = self._early_stop is not None, None
            response.success, response.message = latched, "" if latched else _NOT_CONFIGURED
            return response
        verdict = self._loop.gate.reset()
        response.success, response.message = verdict.accepted, verdict.reason
        self._publish_safety_change()
        return response

    def _on_state_timer(self) -> None:
        if os.getppid() != self._parent:
            self.get_logger().error(f"process {self._parent}, which started this one, died")
            signal.raise_signal(signal.SIGTERM)
        self._publish_safety()

    def _publish_safety_change(self) -> None:
        if self._loop is None or self._published == self._shown(self._loop.gate):
            return
        self._publish_safety()

    def _publish_safety(self) -> None:
        if self._loop is None:
            self._safety_pub.publish(
                SafetyState(header=Header(stamp=self._now()), reason=_NOT_CONFIGURED)
            )
            return
        gate = self._loop.gate
        self._published = self._shown(gate)
        self._safety_pub.publish(messages.safety_state_msg(gate, time.monotonic(), self._now()))

    @staticmethod
    def _shown(gate: SafetyGate) -> tuple[object, ...]:
        return gate.state, gate.reason

    def _publish_diagnostics(self) -> None:
        stamp, now_s = self._now(), time.monotonic()
        found = [self._readiness()]
        if self._loop is not None and self._diagnostics is not None:
            found += self._diagnostics.statuses(self._loop, self._writers(), now_s)
        self._diagnostics_pub.publish(DiagnosticArray(header=Header(stamp=stamp), status=found))

    def _readiness(self) -> DiagnosticStatus:
        if self.refusal:
            return status("driver", DiagnosticStatus.ERROR, self.refusal)
        if self._loop is None:
            return status("driver", DiagnosticStatus.WARN, _NOT_CONFIGURED)
        return status("driver", DiagnosticStatus.OK, "configured")

    def _writers(self) -> list[str]:
        """Nodes that publish commands."""
        return [
            f"{info.node_namespace}/{info.node_name}".replace("//", "/")
            for subscription in self._command_subs
            for info in self.get_publishers_info_by_topic(subscription.topic_name)
        ]

    def _now(self) -> Time:
        return self.get_clock().now().to_msg()


def main() -> int:
    """Run the driver node until it is told to end.

    rclpy ends the spinning at SIGINT and SIGTERM by itself. Python's own reactions are switched
    off: Ctrl-C reaches a launched process twice, and the second one must not interrupt the way to
    the safe state.
    """
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    return run(DriverNode)


if __name__ == "__main__":
    raise SystemExit(main())
