"""A user of the graph: moves the robot by set-points, looks through its camera, sends servo goals.

The node spins in a thread of its own; its methods belong to the thread that made it.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType

import numpy as np
import rclpy
from jaxtyping import Float
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from njf_bringup.demo.results import Outcome, Picture, Step
from njf_bringup.nodes.servo_messages import outcome_of, step_of
from njf_control.robot import RobotConfig
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_perception.errors import CommandRejectedError, StaleDataError
from njf_perception.nodes.conversions import image_from_msg, ns_to_stamp, stamp_to_ns
from njf_perception.nodes.services import Handshake
from njf_perception.nodes.spinning import SpinThread
from njf_training.explore import SettleDetector

STREAM_PERIOD_S = 1 / 40
SETTLE_S = 0.2  # of standing still, at least
TOLERANCE = 0.01  # of half the range: what counts as standing still
SILENCE_S = 20.0  # without camera or driver; generous, for a machine that is starting up
STOPPED = {
    SafetyState.INACTIVE: "INACTIVE",
    SafetyState.ESTOP: "ESTOP",
    SafetyState.FAULT: "FAULT",
}


class RobotClient:
    """Moves a robot and watches it; a context manager.

    Args:
        robot: the robot.
        check: called while waiting; raises when the graph has broken.
    """

    def __init__(self, robot: RobotConfig, check: Callable[[], None]) -> None:
        self._robot, self._check = robot, check
        self._half_range = (robot.upper - robot.lower) / 2
        self._settle_s = max(SETTLE_S, robot.rest_s)
        self._frame: Image | None = None
        self._applied: CommandApplied | None = None
        self._safety: SafetyState | None = None
        self._arrived = threading.Condition()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node: Node = rclpy.create_node("demo", context=self._context)
        self._commands = self.node.create_publisher(Command, "command", 1)
        self._servo = ActionClient(self.node, VisualServo, "visual_servo")
        self._subscribe()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = SpinThread(self._executor, "demo-client")

    def __enter__(self) -> "RobotClient":
        """Wait for the first image and the driver."""
        try:
            self._wait(lambda: self._frame is not None, "camera image")
            self._wait(lambda: self._applied is not None, "command_applied")
        except BaseException:  # __exit__ is not called for these, and the thread must end
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the graph."""
        self.close()

    def close(self) -> None:
        """Stop spinning and leave the graph."""
        self._thread.close()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    # Looking ------------------------------------------------------------------------------------

    def next_picture(self, after_ns: int = 0) -> Picture:
        """The newest image, once it was taken later than `after_ns`. Raises StaleDataError."""
        self._wait(lambda: self._frame_ns > after_ns, "camera image")
        frame = self._frame
        assert frame is not None
        return Picture(stamp_to_ns(frame.header.stamp), image_from_msg(frame))

    def picture_at_rest(self) -> Picture:
        """A picture taken from now on."""
        return self.next_picture(self.node.get_clock().now().nanoseconds)

    def measured(self) -> Float[np.ndarray, " n"]:
        """What the motors measured last [channel unit]."""
        return self._values("measured")

    # Moving -------------------------------------------------------------------------------------

    def move(
        self,
        target: Float[np.ndarray, " n"],
        speed: float,
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> None:
        """Stream set-points in a straight line to `target` and wait until the robot stands there.

        Args:
            target: absolute set-points [channel unit].
            speed: of the fastest channel [half range / s].
            on_picture: gets the newest image whenever there is a new one.

        Raises:
            CommandRejectedError: the robot is stopped, or does not arrive.
        """
        origin = self._values("applied")
        self._engage(origin)
        begin_s = time.monotonic()
        duration_s = float((np.abs(target - origin) / self._half_range).max()) / speed
        settled = SettleDetector(self._settle_s, TOLERANCE * self._half_range, target)
        seen_ns = self._frame_ns
        while True:
            elapsed_s = time.monotonic() - begin_s
            part = min(1.0, elapsed_s / max(duration_s, 1e-3))
            self._send(origin + part * (target - origin))
            if part == 1.0 and settled.update(
                elapsed_s, self._values("applied"), self._values("measured")
            ):
                return
            if self._frame_ns > seen_ns:
                picture = self.next_picture()
                seen_ns = picture.stamp_ns
                on_picture(picture)
            self._check_moving(elapsed_s - duration_s)
            time.sleep(STREAM_PERIOD_S)

    def _engage(self, here: Float[np.ndarray, " n"]) -> None:
        """Ask for where the robot stands until the driver obeys; only then may a motion begin.

        Set-points sent before the driver listens are lost, and the first one that it hears must
        be near the robot.
        """
        begin_s = time.monotonic()
        while self._safety is None or self._safety.state != SafetyState.RUNNING:
            self._send(here)
            self._check_moving(time.monotonic() - begin_s)
            time.sleep(STREAM_PERIOD_S)

    def settle(self) -> None:
        """Wait until the robot stands still, wherever that is."""
        here = self._values("applied")
        settled = SettleDetector(self._settle_s, TOLERANCE * self._half_range, here)
        begin_s = time.monotonic()
        # The watchdog moves the set-point to where it holds, so only the measured motion counts.
        while not settled.update(time.monotonic(), here, self._values("measured")):
            self._check_moving(time.monotonic() - begin_s)
            time.sleep(STREAM_PERIOD_S)

    # Servoing -----------------------------------------------------------------------------------

    def servo(
        self,
        goal: VisualServo.Goal,
        on_step: Callable[[Step], None],
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> Outcome:
        """Send one goal and wait for its end; `on_step` runs in the node's thread.

        Raises:
            StaleDataError: there is no action server or it falls silent.
            CommandRejectedError: the server does not take the goal.
        """
        self._meet_servo()
        begin_s = time.monotonic()

        def note(message: object) -> None:
            on_step(step_of(message.feedback, time.monotonic() - begin_s))  # type: ignore[attr-defined]

        sent = self._servo.send_goal_async(goal, feedback_callback=note)
        self._wait(sent.done, "answer to the servo goal")
        handle = sent.result()
        if handle is None or not handle.accepted:
            raise CommandRejectedError("visual_servo refused the goal; see the log of its node.")
        done = handle.get_result_async()
        self._watch(done.done, begin_s + goal.timeout_s + SILENCE_S, on_picture)
        answer = done.result()
        assert answer is not None  # done
        return outcome_of(answer.result)

    def _meet_servo(self) -> None:
        """Wait until the action's server can answer: a goal whose answer got lost would still run.

        Raises:
            StaleDataError: there is no such server.
        """
        shake = Handshake(self.node, "jacobian_field")
        try:
            self._wait(
                lambda: self._servo.server_is_ready() and shake.poll(), "visual_servo action server"
            )
        finally:
            shake.close()

    def goal_header(self, stamp_ns: int) -> Header:
        """Header of a goal that speaks of the image taken at `stamp_ns`."""
        assert self._frame is not None  # __enter__ waited for it
        return Header(stamp=ns_to_stamp(stamp_ns), frame_id=self._frame.header.frame_id)

    def _watch(
        self, done: Callable[[], bool], deadline_s: float, on_picture: Callable[[Picture], None]
    ) -> None:
        seen_ns = self._frame_ns
        while not done():
            self._check()
            if self._frame_ns > seen_ns:
                picture = self.next_picture()
                seen_ns = picture.stamp_ns
                on_picture(picture)
            if time.monotonic() > deadline_s:
                raise StaleDataError("visual_servo gave no result in its time; see its log.")
            time.sleep(0.01)

    # Inside -------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        camera = self._robot.control_camera.name
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscribe = self.node.create_subscription
        subscribe(Image, f"{camera}/image_raw", self._take("_frame"), qos_profile_sensor_data)
        subscribe(CommandApplied, "command_applied", self._take("_applied"), 10)
        subscribe(SafetyState, "safety_state", self._take("_safety"), latched)

    def _take(self, attribute: str) -> Callable[[object], None]:
        def take(message: object) -> None:
            with self._arrived:
                setattr(self, attribute, message)
                self._arrived.notify_all()

        return take

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SILENCE_S
        while not ready():
            self._check()
            if time.monotonic() > deadline:
                raise StaleDataError(f"waited {SILENCE_S:g} s for the {what} in vain.")
            with self._arrived:
                self._arrived.wait(0.02)

    @property
    def _frame_ns(self) -> int:
        return stamp_to_ns(self._frame.header.stamp) if self._frame is not None else -1

    def _values(self, what: str) -> Float[np.ndarray, " n"]:
        applied = self._applied
        assert applied is not None  # __enter__ waited for it
        by_name = dict(zip(applied.channel_names, getattr(applied, what), strict=True))
        return np.array([by_name[name] for name in self._robot.channel_names])

    def _send(self, setpoint: Float[np.ndarray, " n"]) -> None:
        command = Command(source="demo", channel_names=self._robot.channel_names)
        command.header.stamp = self.node.get_clock().now().to_msg()
        command.values = [float(value) for value in setpoint]
        self._commands.publish(command)

    def _check_moving(self, overdue_s: float) -> None:
        self._check()
        if self._safety is not None and self._safety.state in STOPPED:
            raise CommandRejectedError(
                f"the robot is {STOPPED[self._safety.state]}: {self._safety.reason}"
            )
        if overdue_s > SILENCE_S:
            reason = self._applied.reason if self._applied is not None else ""
            raise CommandRejectedError(f"the robot does not arrive. The driver says: '{reason}'")
