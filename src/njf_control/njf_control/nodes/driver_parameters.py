"""The driver node's parameters."""

from rclpy.node import Node

from njf_perception.nodes.parameters import declare


def declare_parameters(node: Node) -> None:
    """Declare them all; none changes while the node runs."""
    declare(node, "robot_file", "", "path of config/robots/<robot>.yaml", read_only=True)
    declare(node, "port", "", "serial device; empty: the robot file's", read_only=True)
    declare(node, "rate_hz", 0.0, "cycles per second; 0: the robot file's [Hz]", 0.0, 500.0, True)
    declare(
        node,
        "watchdog_timeout_s",
        0.0,
        "hold when no valid command came for this long; 0: the robot file's [s]",
        0.0,
        0.5,
        True,
    )
    declare(
        node,
        "ambient_pressure_pa",
        101_325.0,
        "pressure of the room, which makes the gauge pressures of a pneumatic robot the absolute "
        "ones of pressure/<channel> [Pa]",
        30_000.0,
        120_000.0,
        True,
    )
    declare(node, "dry_run", False, "measure and publish, never move the robot", read_only=True)
    declare(
        node,
        "joint_commands",
        False,
        "also take set-points from sensor_msgs/JointState on joint_commands, as ros2_control's "
        "topic-based hardware interface writes them",
        read_only=True,
    )
