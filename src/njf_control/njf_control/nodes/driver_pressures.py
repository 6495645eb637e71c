"""Absolute pressures of a robot's chambers as sensor_msgs/FluidPressure, one topic per channel."""

import re

from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import FluidPressure
from std_msgs.msg import Header

from njf_control.drivers.base import RobotState
from njf_control.robot import RobotConfig


class PressureTopics:
    """Publishes `pressure/<channel>` for every channel in Pa; nothing for a robot without any.

    Commands and joint_states have **gauge** pressures, zero at the pressure of the room. This
    message has **absolute** ones, as it is defined: the room's pressure, which no driver knows and
    a parameter says, is added. Variance 0 means unknown.
    """

    def __init__(self, node: Node, robot: RobotConfig, ambient_pa: float) -> None:
        """Take the robot's channels in Pa; `ambient_pa` is the pressure of the room [Pa]."""
        self._node, self._ambient_pa = node, ambient_pa
        self._publishers = {
            index: node.create_publisher(FluidPressure, topic_name(channel.name), 10)
            for index, channel in enumerate(robot.channels)
            if channel.unit == "Pa"
        }
        self._names = robot.channel_names

    def publish(self, state: RobotState, stamp: Time) -> None:
        """Publish what was measured, where somebody listens."""
        for index, publisher in self._publishers.items():
            if publisher.get_subscription_count() > 0:
                header = Header(stamp=stamp, frame_id=self._names[index])
                absolute_pa = float(state.position[index]) + self._ambient_pa
                publisher.publish(FluidPressure(header=header, fluid_pressure=absolute_pa))

    def close(self) -> None:
        """Take the topics away."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()


def topic_name(channel: str) -> str:
    """Topic of a channel; what a ROS name may not hold becomes an underscore."""
    return f"pressure/{re.sub(r'[^A-Za-z0-9_]', '_', channel)}"
