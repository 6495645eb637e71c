"""What is kept of a driver's diagnostics, and what is passed over."""

from collections.abc import Callable

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from njf_bringup.nodes.loop_watch import LoopWatch

pytestmark = pytest.mark.ros


def status(name: str, **values: int) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(name=name, values=pairs)


def test_the_newest_word_of_loop_and_bus_is_kept(
    spin: Callable[..., None], wait_until: Callable[..., None]
) -> None:
    node = Node("loop_watch_test")
    watch = LoopWatch(node)
    assert watch.counters == (0, 0) and watch.requests == 0 and not watch.values
    publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
    words = [
        status("camera: images", cycles=9),
        status("driver: loop", cycles=50, missed_deadlines=3),
        status("driver: bus", requests=100),
    ]
    node.create_timer(0.05, lambda: publisher.publish(DiagnosticArray(status=words)))
    spin(node)
    wait_until(lambda: watch.counters == (50, 3) and watch.requests == 100)
    assert watch.values["cycles"] == "50"
