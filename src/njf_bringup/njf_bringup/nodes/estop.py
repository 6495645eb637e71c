"""Calls the driver's emergency-stop services from outside the graph."""

from typing import Any

import rclpy

from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.errors import CommandRejectedError, DeviceNotConnectedError
from njf_perception.nodes.services import call, handshake

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

    def wait(seconds: float) -> None:
        rclpy.spin_once(node, timeout_sec=seconds)

    topic = node.resolve_service_name(name)
    try:
        client = node.create_client(kind, name)
        # A stop is sent the moment anybody may hear it, and again: latched twice is latched. A
        # second reset would be refused, so the driver must be able to answer the first.
        stops = kind is EmergencyStop
        if not stops:
            handshake(node, "driver", wait, TIMEOUT_S)
        response = call(client, request, wait, TIMEOUT_S, repeat=stops)
    except DeviceNotConnectedError as error:
        raise DeviceNotConnectedError(
            f"no driver serves {topic}: {error} To be safe, cut the robot's power."
        ) from None
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if not response.success:
        raise CommandRejectedError(f"{topic}: {response.message}")
    return response.message or f"{topic}: done"
