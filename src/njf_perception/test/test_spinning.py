"""A thread that spins ends cleanly, whatever it is in the middle of."""

import threading
import time
from collections.abc import Callable

import pytest
from rclpy.node import Node

from njf_perception.nodes.spinning import SpinThread

pytestmark = pytest.mark.ros


def test_a_busy_thread_ends_without_an_error(
    ros_context: None, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    for _ in range(5):
        node, ticks = Node("busy"), []
        node.create_timer(0.001, lambda ticks=ticks: ticks.append(time.sleep(0.002)))
        thread = SpinThread(node, "busy")
        wait_until(lambda ticks=ticks: len(ticks) > 3)
        thread.close()
        count = len(ticks)
        time.sleep(0.02)
        assert len(ticks) == count
        node.destroy_node()
    assert not errors
    assert "busy" not in {thread.name for thread in threading.enumerate()}


def test_a_context_that_ends_first_ends_the_thread(
    ros_context: None, wait_until: Callable[..., None]
) -> None:
    node = Node("alone")
    thread = SpinThread(node, "alone")
    node.context.try_shutdown()
    wait_until(lambda: "alone" not in {t.name for t in threading.enumerate()})
    thread.close()
    node.destroy_node()


def test_no_callback_of_a_node_that_is_too_busy_starves(
    ros_context: None, wait_until: Callable[..., None]
) -> None:
    node, served = Node("overloaded"), [0, 0, 0]

    def serve(number: int) -> None:
        served[number] += 1
        time.sleep(0.02)

    for number in range(3):
        node.create_timer(0.01, lambda number=number: serve(number))
    thread = SpinThread(node)
    wait_until(lambda: sum(served) > 30)
    thread.close()
    node.destroy_node()
    assert max(served) - min(served) <= 2
