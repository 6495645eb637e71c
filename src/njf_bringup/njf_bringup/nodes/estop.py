"""Calls the driver's emergency-stop services from outside the graph."""

from typing import Any

import rclpy

from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.errors import CommandRejectedError, DeviceNotConnectedError

TIMEOUT_S = 5.0


def call_stop(namespace: str, reason: str) -> str:
    """Latch the emergency stop; returns what the driver says.

    Raises:
        DeviceNotConnectedError: no driver answers.
        CommandRejectedError: the driver refuses.
    """
    return _call(namespace, EmergencyStop, "estop", EmergencyStop.Request(reason=reason))


def call_reset(namespace: str) -> str:
    """Release the emergency stop; returns what the driver says. Raises as `call_stop`."""
    return _call(namespace, ResetEmergencyStop, "estop_reset", ResetEmergencyStop.Request())


def _call(namespace: str, kind: Any, name: str, request: Any) -> str:
    rclpy.init()
    node = rclpy.create_node("njf_estop", namespace=namespace)
    topic = node.resolve_service_name(name)
    try:
        client = node.create_client(kind, name)
        if not client.wait_for_service(timeout_sec=TIMEOUT_S):
            raise DeviceNotConnectedError(
                f"no driver serves {topic} (waited {TIMEOUT_S:g} s). Check --namespace "
                "and ROS_DOMAIN_ID; to be safe, cut the robot's power."
            )
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=TIMEOUT_S)
        response = future.result()
        if response is None:
            raise DeviceNotConnectedError(f"{topic} did not answer. Cut the power.")
        if not response.success:
            raise CommandRejectedError(f"{topic}: {response.message}")
        return response.message or f"{topic}: done"
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
