"""A thread that spins ends cleanly, whatever it is in the middle of."""

import threading
import time
from collections.abc import Callable

import pytest
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node

from njf_perception.nodes.spinning import SpinThread

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("executor_type", [SingleThreadedExecutor, MultiThreadedExecutor])
def test_a_busy_thread_ends_without_an_error(
    ros_context: None,
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    executor_type: type,
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    for _ in range(5):
        node, ticks = Node("busy"), []
        node.create_timer(0.001, lambda ticks=ticks: ticks.append(time.sleep(0.002)))
        executor = executor_type()
        executor.add_node(node)
        thread = SpinThread(executor, "busy")
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
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = SpinThread(executor, "alone")
    node.context.try_shutdown()
    wait_until(lambda: "alone" not in {t.name for t in threading.enumerate()})
    thread.close()
    node.destroy_node()
