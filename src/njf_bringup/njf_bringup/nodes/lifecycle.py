"""Lifecycle transitions of other nodes, by their standard services."""

import time
from collections.abc import Callable

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from njf_bringup.supervisor import StartupError

_IDS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
}
_REACHED = {
    "configure": State.PRIMARY_STATE_INACTIVE,
    "activate": State.PRIMARY_STATE_ACTIVE,
    "deactivate": State.PRIMARY_STATE_INACTIVE,
}
_POLL_S = 0.05
_ASK_AGAIN_S = 3.0  # an answer can get lost: Fast DDS drops it when it has not met the asker yet


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

    def change(self, node: str, transition: str, timeout_s: float) -> None:
        """Do one transition of `node` (its absolute name).

        Raises:
            StartupError: the node refuses, or is silent for `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        client = self._node.create_client(ChangeState, f"{node}/change_state")
        asker = self._node.create_client(GetState, f"{node}/get_state")
        try:
            self._await_service(client, node, deadline)
            request = ChangeState.Request(transition=Transition(id=_IDS[transition]))
            future = client.call_async(request)
            state, ask_s = None, time.monotonic() + _ASK_AGAIN_S
            while not future.done():
                self._check()
                self._executor.spin_once(timeout_sec=_POLL_S)
                if state is not None and state.done() and _state_id(state) == _REACHED[transition]:
                    return  # done, but its answer was lost
                if time.monotonic() > ask_s and asker.service_is_ready():
                    state, ask_s = asker.call_async(GetState.Request()), ask_s + _ASK_AGAIN_S
                if time.monotonic() > deadline:
                    raise StartupError(f"{node} did not answer '{transition}' in {timeout_s:g} s.")
            response = future.result()
            if response is None or not response.success:
                raise StartupError(f"{node} refused '{transition}'.")
        finally:
            self._node.destroy_client(client)
            self._node.destroy_client(asker)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _await_service(self, client: Client, node: str, deadline: float) -> None:
        while not client.service_is_ready():
            self._check()
            self._executor.spin_once(timeout_sec=_POLL_S)
            if time.monotonic() > deadline:
                raise StartupError(f"{node} did not appear: no {client.srv_name}.")


def _state_id(future: Future) -> int | None:
    response = future.result()
    return None if response is None else response.current_state.id
