"""The graph that tests run in: real, isolated, and strict about message fields."""

import os
import subprocess
from collections.abc import Callable

import numpy as np
import pytest
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String

pytestmark = pytest.mark.ros


def test_messages_reach_another_process(
    spin: Callable[..., None],
    start_process: Callable[..., subprocess.Popen[str]],
    wait_until: Callable[..., None],
) -> None:
    node = Node("listener")
    heard: list[str] = []

    def hear(message: String) -> None:
        heard.append(message.data)

    node.create_subscription(String, "chatter", hear, 10)
    spin(node)
    talker = start_process("talker", cwd=os.path.dirname(__file__))
    wait_until(lambda: heard, what="a message of the other process")
    assert heard[0] == os.environ["ROS_DOMAIN_ID"]
    assert talker.poll() is None


def test_a_wrong_field_type_raises() -> None:
    with pytest.raises(AssertionError):
        String(data=1.5)
    with pytest.raises(AssertionError):
        Image(height=np.int64(3))


def test_large_best_effort_images_arrive(
    spin: Callable[..., None], wait_until: Callable[..., None]
) -> None:
    node = Node("images")
    heard: list[Image] = []
    node.create_subscription(Image, "image", heard.append, qos_profile_sensor_data)
    publisher = node.create_publisher(Image, "image", 5)
    spin(node)
    wait_until(lambda: publisher.get_subscription_count() == 1)
    image = Image(height=1080, width=1920, encoding="rgb8", step=5760)
    image.data.frombytes(bytes(1080 * 5760))
    publisher.publish(image)
    wait_until(lambda: heard, what="a 6 MB image")
    assert len(heard[0].data) == len(image.data)
