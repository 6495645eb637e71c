"""Someone beside the graph: looks through the control camera and sends servo goals.

The node spins in a thread of its own; its methods belong to the thread that made it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import rclpy
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from njf_bringup.demo.results import Outcome, Picture, Step
from njf_bringup.nodes.servo_messages import outcome_of, step_of
from njf_control.robot import RobotConfig
from njf_msgs.action import VisualServo
from njf_perception.errors import CommandRejectedError, StaleDataError, StoppedError
from njf_perception.nodes.action_client import ThreadSafeActionClient
from njf_perception.nodes.conversions import image_from_msg, ns_to_stamp, stamp_to_ns
from njf_perception.nodes.services import Handshake
from njf_perception.nodes.spinning import SpinThread

SILENCE_S = 20.0  # without camera or server; generous, for a machine that is starting up
_CANCEL_S = 3.0  # so long a goal that is given up may take to end [s]


def _nothing() -> None:
    pass


class Onlooker:
    """Watches a robot through its control camera; a context manager.

    Args:
        robot: the robot.
        check: called while waiting; raises when the graph has broken.
        name: of the node.
        namespace: of the robot's nodes.
    """

    def __init__(
        self,
        robot: RobotConfig,
        check: Callable[[], None] = _nothing,
        name: str = "onlooker",
        namespace: str = "",
    ) -> None:
        self._robot, self._check = robot, check
        self._frame: Image | None = None
        self._arrived = threading.Condition()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node: Node = rclpy.create_node(name, namespace=namespace, context=self._context)
        self._servo = ThreadSafeActionClient(self.node, VisualServo, "visual_servo")
        self._subscribe()
        self._thread = SpinThread(self.node, f"{name}-client")

    def __enter__(self) -> Self:
        """Wait for what there is to see."""
        try:
            self._meet()
        except BaseException:  # __exit__ is not called for these, and the thread must end
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
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
        return _picture(frame)

    def picture_at_rest(self) -> Picture:
        """A picture taken from now on."""
        return self.next_picture(self.node.get_clock().now().nanoseconds)

    @contextmanager
    def every_picture(self, take: Callable[[Picture], None]) -> Iterator[None]:
        """Give every image that arrives to `take`, in the node's thread; not the newest alone."""
        topic = f"{self._robot.control_camera.name}/image_raw"

        def on_image(message: Image) -> None:
            take(_picture(message))

        subscription = self.node.create_subscription(
            Image, topic, on_image, qos_profile_sensor_data
        )
        try:
            yield
        finally:
            self.node.destroy_subscription(subscription)

    # Servoing -----------------------------------------------------------------------------------

    def servo(
        self,
        goal: VisualServo.Goal,
        on_step: Callable[[Step], None],
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> Outcome:
        """Send one goal and wait for its end; `on_step` runs in the node's thread.

        Whatever interrupts the wait cancels the goal: nobody would watch it any more.

        Raises:
            StaleDataError: there is no action server or it falls silent.
            CommandRejectedError: the server does not take the goal.
        """
        self._meet_servo()
        begin_s = time.monotonic()

        def note(message: object) -> None:
            on_step(step_of(message.feedback, time.monotonic() - begin_s))  # type: ignore[attr-defined]

        sent = self._servo.send_goal_async(goal, feedback_callback=note)
        try:
            self._wait(sent.done, "answer to the servo goal")
            handle = sent.result()
            if handle is None or not handle.accepted:
                raise CommandRejectedError(
                    "visual_servo refused the goal; see the log of its node."
                )
            done = handle.get_result_async()
            self._watch(done.done, begin_s + goal.timeout_s + SILENCE_S, on_picture)
        except BaseException as error:
            if not self._give_up(sent) and isinstance(error, StoppedError):
                raise StaleDataError(
                    f"visual_servo did not say within {_CANCEL_S:g} s that the goal has ended. If "
                    "the robot still moves, stop it: njf estop."
                ) from error
            raise
        answer = done.result()
        assert answer is not None  # done
        return outcome_of(answer.result)

    def goal_header(self, stamp_ns: int) -> Header:
        """Header of a goal that speaks of the image taken at `stamp_ns`."""
        assert self._frame is not None  # __enter__ waited for it
        return Header(stamp=ns_to_stamp(stamp_ns), frame_id=self._frame.header.frame_id)

    # Inside -------------------------------------------------------------------------------------

    def _meet(self) -> None:
        """Wait for everything that later calls rely on. Raises StaleDataError."""
        self._wait(lambda: self._frame is not None, "camera image")

    def _subscribe(self) -> None:
        camera = self._robot.control_camera.name
        self.node.create_subscription(
            Image, f"{camera}/image_raw", self._take("_frame"), qos_profile_sensor_data
        )

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
                raise StaleDataError(
                    f"waited {SILENCE_S:g} s for the {what} in vain. Is the robot's graph up (njf "
                    "up), in this ROS domain and namespace?"
                )
            with self._arrived:
                self._arrived.wait(0.02)

    @property
    def _frame_ns(self) -> int:
        return stamp_to_ns(self._frame.header.stamp) if self._frame is not None else -1

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

    def _give_up(self, sent: Future) -> bool:
        """Cancel a goal, also one that is only about to be accepted; whether it has ended."""
        deadline = time.monotonic() + _CANCEL_S

        def over(future: Future) -> bool:
            while not future.done() and time.monotonic() < deadline:
                time.sleep(0.01)
            return bool(future.done())

        if not over(sent):
            return False
        handle: ClientGoalHandle | Any = sent.result()
        if handle is None or not handle.accepted:
            return True
        return over(handle.cancel_goal_async()) and over(handle.get_result_async())


def _picture(frame: Image) -> Picture:
    return Picture(stamp_to_ns(frame.header.stamp), image_from_msg(frame))
