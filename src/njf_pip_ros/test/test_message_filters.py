from collections.abc import Callable

import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header, String

from message_filters import ApproximateTimeSynchronizer, SimpleFilter, Subscriber, TimeSynchronizer


def stamped(milliseconds: int) -> CameraInfo:
    header = Header()
    header.stamp.sec, rest = divmod(milliseconds, 1000)
    header.stamp.nanosec = rest * 1_000_000
    return CameraInfo(header=header)


def stamps(groups: list[tuple[CameraInfo, ...]]) -> list[list[int]]:
    return [
        [m.header.stamp.sec * 1000 + m.header.stamp.nanosec // 1_000_000 for m in group]
        for group in groups
    ]


@pytest.fixture
def inputs() -> list[SimpleFilter]:
    return [SimpleFilter(), SimpleFilter()]


def collect(synchronizer: SimpleFilter) -> list[tuple[CameraInfo, ...]]:
    groups: list[tuple[CameraInfo, ...]] = []
    synchronizer.registerCallback(lambda *messages: groups.append(messages))
    return groups


def test_callback_gets_its_extra_arguments() -> None:
    source, heard = SimpleFilter(), []
    source.registerCallback(lambda message, extra: heard.append((message, extra)), "extra")
    source.signalMessage("message")
    assert heard == [("message", "extra")]


def test_equal_stamps_make_a_group(inputs: list[SimpleFilter]) -> None:
    groups = collect(TimeSynchronizer(inputs, 10))
    inputs[0].signalMessage(stamped(1000))
    inputs[0].signalMessage(stamped(1100))
    inputs[1].signalMessage(stamped(1001))
    assert groups == []
    inputs[1].signalMessage(stamped(1100))
    assert stamps(groups) == [[1100, 1100]]


def test_old_messages_leave_a_full_queue(inputs: list[SimpleFilter]) -> None:
    groups = collect(TimeSynchronizer(inputs, 2))
    for time in (1000, 1100, 1200):
        inputs[0].signalMessage(stamped(time))
    inputs[1].signalMessage(stamped(1000))
    inputs[1].signalMessage(stamped(1200))
    assert stamps(groups) == [[1200, 1200]]


def test_near_stamps_make_a_group(inputs: list[SimpleFilter]) -> None:
    groups = collect(ApproximateTimeSynchronizer(inputs, 10, 0.02))
    inputs[0].signalMessage(stamped(1000))
    inputs[1].signalMessage(stamped(1030))
    assert groups == []
    inputs[0].signalMessage(stamped(1035))
    assert stamps(groups) == [[1035, 1030]]


def test_the_nearest_of_several_is_taken(inputs: list[SimpleFilter]) -> None:
    groups = collect(ApproximateTimeSynchronizer(inputs, 10, 0.05))
    for time in (1000, 1020, 1045):
        inputs[0].signalMessage(stamped(time))
    inputs[1].signalMessage(stamped(1022))
    assert stamps(groups) == [[1020, 1022]]


def test_each_message_is_used_once(inputs: list[SimpleFilter]) -> None:
    groups = collect(ApproximateTimeSynchronizer(inputs, 10, 0.05))
    inputs[0].signalMessage(stamped(1000))
    inputs[1].signalMessage(stamped(1001))
    inputs[1].signalMessage(stamped(1002))
    assert stamps(groups) == [[1000, 1001]]


def test_messages_without_header_are_stamped_at_arrival_when_allowed(
    inputs: list[SimpleFilter],
) -> None:
    groups: list[tuple[String, ...]] = []
    synchronizer = ApproximateTimeSynchronizer(inputs, 10, 10.0, allow_headerless=True)
    synchronizer.registerCallback(lambda *messages: groups.append(messages))
    inputs[0].signalMessage(String(data="a"))
    inputs[1].signalMessage(String(data="b"))
    assert [message.data for message in groups[0]] == ["a", "b"]


@pytest.mark.ros
def test_subscribers_feed_a_synchronizer(
    spin: Callable[..., None], wait_until: Callable[..., None]
) -> None:
    node = Node("synchronizing")
    sources = [Subscriber(node, CameraInfo, topic, qos_profile=5) for topic in ("left", "right")]
    groups = collect(TimeSynchronizer(sources, 5))
    publishers = [node.create_publisher(CameraInfo, topic, 5) for topic in ("left", "right")]
    spin(node)
    wait_until(lambda: all(p.get_subscription_count() == 1 for p in publishers))
    for publisher in publishers:
        publisher.publish(stamped(1500))
    wait_until(lambda: groups, what="a synchronised group")
    assert stamps(groups) == [[1500, 1500]]
    assert sources[0].getTopic() == "left"
