"""Measures DDS on this machine: an image out through one node and in through another."""

import time
from statistics import median

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

from njf_msgs.msg import SceneEncoding
from njf_perception.errors import DeviceNotConnectedError
from njf_perception.nodes.conversions import float_array

DISCOVERY_TIMEOUT_S = 10.0
MESSAGE_TIMEOUT_S = 5.0
FLOATS = 640 * 480 * 3 // 4  # the size of a VGA colour image


def round_trip_ms(count: int = 20) -> float:
    """Median time from publish to callback of a message of VGA image size [ms].

    Raises:
        DeviceNotConnectedError: publisher and subscriber do not find each other, or a message is
            lost.
    """
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("njf_doctor", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: list[float] = []
    try:
        qos = QoSProfile(depth=1)
        publisher = node.create_publisher(SceneEncoding, "~/probe", qos)
        node.create_subscription(
            SceneEncoding, "~/probe", lambda _: received.append(time.monotonic()), qos
        )
        _spin_until(executor, lambda: publisher.get_subscription_count() > 0, DISCOVERY_TIMEOUT_S)
        message = SceneEncoding(feature_map=float_array(np.zeros(FLOATS)))
        times_ms = []
        for number in range(count):
            begin = time.monotonic()
            publisher.publish(message)
            _spin_until(executor, lambda n=number: len(received) > n, MESSAGE_TIMEOUT_S)
            times_ms.append(1e3 * (received[-1] - begin))
        return median(times_ms)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def _spin_until(executor: SingleThreadedExecutor, condition, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise DeviceNotConnectedError(f"nothing came back through DDS in {timeout_s:g} s")
        executor.spin_once(timeout_sec=0.05)
