"""Answers that come before who asked has noted the number of the request."""

import time
from typing import Any

import pytest
from rclpy.action import ActionServer
from rclpy.node import Node

from njf_msgs.action import VisualServo
from njf_perception.nodes.action_client import ThreadSafeActionClient

pytestmark = pytest.mark.ros
ANSWERED_S = 0.3  # by then the answer is there


class Dawdling:
    """The handle of an action client that comes back from every request long after it was sent."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._handle, name)
        if not name.startswith("send_"):
            return found

        def send(*args: Any) -> int:
            number = found(*args)
            time.sleep(ANSWERED_S)
            return number

        return send

    def __enter__(self) -> Any:
        return self._handle.__enter__()

    def __exit__(self, *error: object) -> None:
        self._handle.__exit__(*error)


def test_no_answer_is_lost_that_comes_at_once(spin, wait_until):
    node = Node("asker")

    def serve(handle: Any) -> VisualServo.Result:
        handle.succeed()
        return VisualServo.Result(message="done")

    server = ActionServer(node, VisualServo, "visual_servo", serve)
    client = ThreadSafeActionClient(node, VisualServo, "visual_servo")
    client._client_handle = Dawdling(client._client_handle)
    spin(node)
    wait_until(client.server_is_ready)
    sent = client.send_goal_async(VisualServo.Goal())
    wait_until(sent.done)
    handle: Any = sent.result()
    done = handle.get_result_async()
    wait_until(done.done)
    assert done.result().result.message == "done"
    cancelled = handle.cancel_goal_async()
    wait_until(cancelled.done)
    server.destroy()
    client.destroy()
