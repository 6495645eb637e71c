"""Lifecycle transitions of other nodes, by their standard services."""

import time
from collections.abc import Callable

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from njf_bringup.supervisor import StartupError
from njf_perception.errors import DeviceNotConnectedError
from njf_perception.nodes.services import call, handshake

_IDS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
}


class RosLifecycle:
    """Sends transitions to lifecycle nodes over an own ROS context; see supervisor.Lifecycle.

    Args:
        check: called while waiting; raises when a node has died, which ends the wait.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._context = rclpy.Context()
        # Signals stay with the supervisor, which must still be able to talk when they come.
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("supervisor", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._clients: dict[str, Client] = {}

    def change(self, node: str, transition: str, timeout_s: float) -> None:
        """Do one transition of `node` (its absolute name).

        Raises:
            StartupError: the node refuses, or is silent for `timeout_s`.
        """
        request = ChangeState.Request(transition=Transition(id=_IDS[transition]))
        deadline_s = time.monotonic() + timeout_s
        try:
            client = self._client(node, timeout_s)
            response = call(client, request, self._wait, deadline_s - time.monotonic())
        except DeviceNotConnectedError as error:
            raise StartupError(f"{node} did not do '{transition}': {error}") from None
        if not response.success:
            raise StartupError(f"{node} refused '{transition}'.")

    def _client(self, node: str, timeout_s: float) -> Client:
        """The client for transitions of `node`, which can answer it.

        A transition asked for twice is refused the second time, so its answer must not get lost.
        """
        if node not in self._clients:
            client = self._node.create_client(ChangeState, f"{node}/change_state")
            handshake(self._node, node, self._wait, timeout_s)
            self._clients[node] = client
        return self._clients[node]

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _wait(self, seconds: float) -> None:
        self._check()
        self._executor.spin_once(timeout_sec=seconds)
