"""Declared parameters: every one with description and, for numbers, a range."""

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from njf_perception.frames import checked_prefix


def declare(
    node: Node,
    name: str,
    default: Any,
    description: str,
    minimum: float | int | None = None,
    maximum: float | int | None = None,
    read_only: bool = False,
) -> Any:
    """Declare one parameter and return its value (the override when one was given).

    `description` ends with the unit in brackets. `minimum` and `maximum` are inclusive and must be
    given together; rclpy then rejects values outside with a message that states the range.
    """
    descriptor = ParameterDescriptor(name=name, description=description, read_only=read_only)
    if minimum is not None and maximum is not None:
        if isinstance(default, int) and not isinstance(default, bool):
            descriptor.integer_range = [
                IntegerRange(from_value=int(minimum), to_value=int(maximum), step=0)
            ]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(minimum), to_value=float(maximum), step=0.0)
            ]
    return node.declare_parameter(name, default, descriptor).value


def declare_tf_prefix(node: Node) -> str:
    """Declare what comes before the names of all frames, and return it.

    Raises:
        ConfigError: see `checked_prefix`.
    """
    text = "Put before the names of all frames, such as left/"
    return checked_prefix(declare(node, "tf_prefix", "", text, read_only=True))
