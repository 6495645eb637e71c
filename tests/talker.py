"""A process of its own that says its ROS domain until it is stopped."""

import os

import rclpy
from rclpy.executors import ExternalShutdownException
from std_msgs.msg import String


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("talker")
    publisher = node.create_publisher(String, "chatter", 10)
    node.create_timer(0.1, lambda: publisher.publish(String(data=os.environ["ROS_DOMAIN_ID"])))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        node.destroy_node()


if __name__ == "__main__":
    main()
