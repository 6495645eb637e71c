"""What the running goal looks like: its points, and where they should be. For viewers alone."""

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.node import Node
from std_msgs.msg import Header

from njf_control.servo.session import Pursued
from njf_msgs.msg import PointTracks
from njf_perception.frames import optical_frame
from njf_perception.nodes.conversions import tracks_to_msg


class ServoView:
    """Publishes `visual_servo/tracks` and `visual_servo/targets` while somebody subscribes.

    Attributes:
        frame_id: frame of the camera, as its images call it.
    """

    def __init__(self, node: Node, camera_name: str) -> None:
        self._node, self.frame_id = node, optical_frame(camera_name)
        self._tracks = node.create_publisher(PointTracks, "visual_servo/tracks", 5)
        self._targets = node.create_publisher(PointTracks, "visual_servo/targets", 1)

    def show(self, pursued: Pursued | None, stamp: Time) -> None:
        """Publish the points of a step, by their place in the goal."""
        watched = self._tracks.get_subscription_count() + self._targets.get_subscription_count()
        if pursued is None or watched == 0:
            return
        header = Header(stamp=stamp, frame_id=self.frame_id)
        ids = np.arange(len(pursued.tracks.points))
        self._tracks.publish(tracks_to_msg(ids, pursued.tracks, header))
        self._targets.publish(tracks_to_msg(ids, pursued.targets, header))

    def close(self) -> None:
        """Stop publishing."""
        self._node.destroy_publisher(self._tracks)
        self._node.destroy_publisher(self._targets)
