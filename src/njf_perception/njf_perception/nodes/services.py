"""Service calls that do not get lost while the graph is still coming together.

A client may have found a server before the server has found the client. Over Fast DDS the server
then takes the request, waits 0.1 s for the client's reader to appear, and drops its answer ("client
will not receive response", ros2/rmw_fastrtps#390); on a busy computer that happens at every start.
Two ways out of it:

* A request that may be repeated is repeated: `call(..., repeat=True)`.
* Before any other one, `handshake`: a request without effect, repeated until it is answered. Nodes
  announce their readers to each other in the order in which these were made, and reliably, so the
  answer to a client made last proves that every client made before it is known as well.
"""

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from njf_perception.errors import DeviceNotConnectedError

REPEAT_S = 1.0
_POLL_S = 0.02

Wait = Callable[[float], None]
"""Lets about so many seconds pass, and spins the node unless somebody else does. May raise."""


class Call:
    """One request to a service; `poll` it until it has an answer."""

    def __init__(self, client: Client, request: Any, repeat: bool = False) -> None:
        """Send nothing yet; `repeat` allows to ask again when no answer comes."""
        self.sent = 0
        self._client, self._request, self._repeat = client, request, repeat
        self._futures: list[Future] = []
        self._sent_s = 0.0

    def poll(self) -> Any:
        """The response once there is one, else None. Sends when it is time to."""
        for future in self._futures:
            if future.done() and future.result() is not None:
                self.drop()
                return future.result()
        due = self._repeat and time.monotonic() - self._sent_s > REPEAT_S
        if (self.sent == 0 or due) and self._client.service_is_ready():
            self.sent += 1
            self._sent_s = time.monotonic()
            self._futures.append(self._client.call_async(self._request))
        return None

    def drop(self) -> None:
        """Forget the answers that are still awaited."""
        for future in self._futures:
            self._client.remove_pending_request(future)
        self._futures = []


class Handshake:
    """Whether `other`, a node's name, knows all service and action clients `node` has made so far.

    Every rclpy and rclcpp node has parameter services, so any node can be asked.
    """

    def __init__(self, node: Node, other: str) -> None:
        self.client = node.create_client(GetParameters, f"{other}/get_parameters")
        self._node = node
        self._call = Call(self.client, GetParameters.Request(), repeat=True)
        self._done = False

    def poll(self) -> bool:
        """True from the first answer on."""
        if not self._done:
            self._done = self._call.poll() is not None
        return self._done

    def close(self) -> None:
        """Take the client out of the graph."""
        self._call.drop()
        self._node.destroy_client(self.client)


def handshake(node: Node, other: str, wait: Wait, timeout_s: float) -> None:
    """Return once `other` knows all service and action clients that `node` has made.

    Raises:
        DeviceNotConnectedError: it is not there, or did not answer within `timeout_s`.
    """
    shake = Handshake(node, other)
    try:
        _until(shake.poll, shake.client, wait, timeout_s)
    finally:
        shake.close()


def call(client: Client, request: Any, wait: Wait, timeout_s: float, repeat: bool = False) -> Any:
    """Ask a service, once it is there, and return its response.

    Args:
        client: of the service.
        request: what to ask.
        wait: lets time pass, such as `time.sleep` where the node spins in another thread.
        timeout_s: in all [s].
        repeat: ask again every second; only for requests that do no harm when they come twice.

    Raises:
        DeviceNotConnectedError: names the service, how long it took and what was missing.
    """
    pending = Call(client, request, repeat)
    answer: list[Any] = []

    def answered() -> bool:
        response = pending.poll()
        answer.extend([] if response is None else [response])
        return bool(answer)

    try:
        _until(answered, client, wait, timeout_s)
    finally:
        pending.drop()
    return answer[0]


def _until(done: Callable[[], bool], client: Client, wait: Wait, timeout_s: float) -> None:
    begin_s = time.monotonic()
    while not done():
        if time.monotonic() - begin_s > timeout_s:
            there = client.service_is_ready()
            what = "is there but did not answer" if there else "did not appear"
            raise DeviceNotConnectedError(
                f"service {client.service_name} {what} within {timeout_s:g} s. Does its node run, "
                "in this namespace and ROS_DOMAIN_ID?"
            )
        wait(_POLL_S)
