"""Stands for a camera: passes on what another process sees, until it is killed."""

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare


class Relay(Node):
    """Publishes <camera>/image_raw and camera_info from hidden/<camera>/..."""

    def __init__(self) -> None:
        super().__init__("relay")
        camera = declare(self, "camera", "", "name of the camera")
        for kind, name in ((Image, "image_raw"), (CameraInfo, "camera_info")):
            topic = f"{camera}/{name}"
            publisher = self.create_publisher(kind, topic, QoSProfile(depth=5))
            self.create_subscription(
                kind, f"hidden/{topic}", publisher.publish, qos_profile_sensor_data
            )


if __name__ == "__main__":
    raise SystemExit(run(Relay))
