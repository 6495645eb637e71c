"""What the driver says: whether the robot may be moved, and which set-points are in effect."""

import time

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from njf_control.servo import Reason, SetpointHistory
from njf_msgs.msg import CommandApplied, SafetyState
from njf_perception.nodes.conversions import stamp_to_ns

_STOPPED = {
    SafetyState.INACTIVE: (Reason.ROBOT_NOT_READY, "the driver is not active"),
    SafetyState.ESTOP: (Reason.ESTOPPED, "the emergency stop is latched"),
    SafetyState.FAULT: (Reason.ROBOT_FAULT, "the robot has a fault"),
}
_LONG_S = 0.2  # work during which what the driver said may be missed


class RobotWatch:
    """Subscribes to `safety_state` and `command_applied`. Ages count from receipt, monotonic."""

    def __init__(self, node: Node, channel_names: list[str]) -> None:
        self.history = SetpointHistory()
        self._names = channel_names
        self._strange_names: list[str] | None = None
        self._state: SafetyState | None = None
        self._state_s = self._applied_s = time.monotonic()  # what never comes is late from here
        self._stopped: SafetyState | None = None
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._subscriptions = [
            node.create_subscription(SafetyState, "safety_state", self._on_state, latched),
            node.create_subscription(CommandApplied, "command_applied", self._on_applied, 10),
        ]
        self._node = node

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    @property
    def known(self) -> bool:
        """State and set-points have been heard of."""
        return self._state is not None and bool(self.history)

    def begin(self) -> None:
        """A new goal begins: only a stop that holds now, or comes from now on, counts for it."""
        held = self._state is not None and self._state.state in _STOPPED
        self._stopped = self._state if held else None

    def excuse(self, busy_s: float) -> None:
        """The node did not listen for so long: comparing pictures takes seconds on a slow computer.

        Short work is not excused, so that a driver that dies is still noticed in time.
        """
        if busy_s > _LONG_S:
            now_s = time.monotonic()
            self._state_s = min(now_s, self._state_s + busy_s)
            self._applied_s = min(now_s, self._applied_s + busy_s)

    def problem(self, timeout_s: float) -> tuple[Reason, str] | None:
        """Why the robot must not be commanded, and what to do.

        None when it may be, or when nothing is known yet and the time for it is not over.
        """
        now_s = time.monotonic()
        if now_s - self._state_s > timeout_s:
            return Reason.ROBOT_NOT_READY, (
                f"no safety_state for {timeout_s:g} s. Start the driver and check its log."
            )
        if self._stopped is not None:
            reason, what = _STOPPED[self._stopped.state]
            return reason, f"{what}: {self._stopped.reason or 'no reason given'}"
        if self._strange_names is not None:
            return Reason.ROBOT_NOT_READY, (
                f"the driver has channels {self._strange_names}, the robot file {self._names}. "
                "Start both with the same robot file."
            )
        if now_s - self._applied_s > timeout_s:
            return Reason.ROBOT_NOT_READY, (
                f"no command_applied for {timeout_s:g} s, so the set-points in effect are unknown. "
                "Activate the driver and check its log."
            )
        return None

    def _on_state(self, msg: SafetyState) -> None:
        self._state, self._state_s = msg, time.monotonic()
        if msg.state in _STOPPED:
            self._stopped = msg

    def _on_applied(self, msg: CommandApplied) -> None:
        names = list(msg.channel_names)
        self._strange_names = names if names != self._names else None
        applied = np.array(msg.applied, np.float64)
        if self._strange_names is not None or not np.isfinite(applied).all():
            return
        if self.history.add(stamp_to_ns(msg.header.stamp), applied):
            self._applied_s = time.monotonic()
