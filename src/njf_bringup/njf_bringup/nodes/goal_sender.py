"""Goals for `visual_servo` that are sent from the page, and how it stands with them."""

import threading
import time
from typing import Any

from action_msgs.srv import CancelGoal
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from njf_bringup.browser.view import Pursuit
from njf_control.servo import Reason
from njf_msgs.action import VisualServo
from njf_perception.errors import CommandRejectedError, DeviceNotConnectedError, StaleDataError
from njf_perception.nodes.action_client import ThreadSafeActionClient
from njf_perception.nodes.services import call, handshake

_ANSWER_S = 10.0  # for the server to appear, and to answer; generous, for a busy machine
_POLL_S = 0.02
_REPEAT_S = 1.0  # a goal that goes on is cancelled again


class GoalSender:
    """One goal at a time; its methods belong to other threads than the one that spins the node.

    Attributes:
        pursuit: how it stands.
    """

    def __init__(self, node: Node) -> None:
        self.pursuit = Pursuit()
        self._node = node
        self._client = ThreadSafeActionClient(node, VisualServo, "visual_servo")
        # Any goal is to be stopped, also one that somebody else has sent.
        self._cancel = node.create_client(CancelGoal, "visual_servo/_action/cancel_goal")
        self._handle: ClientGoalHandle | None = None
        self._abandoned_s = 0.0
        self._sending = threading.Lock()

    @property
    def running(self) -> bool:
        """A goal of ours is being pursued."""
        return self._handle is not None

    def send(self, goal: VisualServo.Goal) -> None:
        """Send a goal and wait until it is taken.

        Raises:
            DeviceNotConnectedError: nobody serves the action.
            CommandRejectedError: the goal was not taken.
            StaleDataError: no answer; everything that may be running was cancelled.
        """
        with self._sending:
            self._meet()
            sent = self._client.send_goal_async(goal, feedback_callback=self._on_feedback)
            if not _done(sent, _ANSWER_S):
                sent.add_done_callback(_cancel)  # should it be taken after all
                self.stop()
                raise StaleDataError(
                    f"visual_servo did not answer within {_ANSWER_S:g} s; its goals were cancelled."
                )
            handle = sent.result()
            if handle is None or not handle.accepted:
                raise CommandRejectedError(
                    "visual_servo did not take the goal: another one is running, or its node is "
                    "not active. Press Stop and try again."
                )
            self._handle = handle
            self.pursuit = Pursuit("running", "On its way.")
            handle.get_result_async().add_done_callback(self._on_result)

    def stop(self) -> None:
        """Cancel every goal, whoever sent it. Raises DeviceNotConnectedError."""
        request = CancelGoal.Request()  # no id and no time: all of them
        call(self._cancel, request, time.sleep, _ANSWER_S, repeat=True)

    def abandon(self, why: str) -> None:
        """Cancel our own goal, without waiting; from the thread that spins the node."""
        handle, now_s = self._handle, time.monotonic()
        if handle is not None and now_s - self._abandoned_s > _REPEAT_S:
            self._abandoned_s = now_s
            self._node.get_logger().warning(f"the goal is cancelled: {why}")
            handle.cancel_goal_async()

    def _meet(self) -> None:
        """Wait until the server can answer: a goal whose answer got lost would still run."""
        if not self._client.wait_for_server(_ANSWER_S):
            raise DeviceNotConnectedError(
                "nobody serves visual_servo: no goal can be sent. Start the servo (task servo), or "
                "wait until its node is configured."
            )
        handshake(self._node, "jacobian_field", time.sleep, _ANSWER_S)

    def _on_feedback(self, message: Any) -> None:
        step: VisualServo.Feedback = message.feedback
        limits = f" At its limit: {', '.join(step.active_limits)}." if step.active_limits else ""
        text = f"On its way: {step.error_px:.1f} px left, {step.rate_hz:.0f} images per second."
        if self.running:
            self.pursuit = Pursuit("running", text + limits)

    def _on_result(self, future: Future) -> None:
        self._handle = None
        answer = future.result()
        self.pursuit = ended(answer.result) if answer is not None else Pursuit()


def ended(result: VisualServo.Result) -> Pursuit:
    """The end of a goal in words."""
    reason = Reason(result.reason)
    if reason is Reason.CONVERGED:
        text = f"Reached: {result.error_px:.1f} px away after {result.elapsed_s:.1f} s."
        return Pursuit("reached", text)
    name = reason.name.replace("_", " ").capitalize()
    return Pursuit("ended", f"{name}: {result.message or 'no more is known'}.".replace("..", "."))


def _cancel(sent: Future) -> None:
    handle = sent.result()
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()


def _done(future: Future, timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not future.done() and time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
    return bool(future.done())
