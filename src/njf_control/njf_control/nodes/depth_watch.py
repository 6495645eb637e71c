"""What the depth camera says of the loop's images."""

import time

import numpy as np
from jaxtyping import Float32
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from message_filters import ApproximateTimeSynchronizer, SimpleFilter, Subscriber
from njf_control.robot import CameraConfig, RobotConfig
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import depth_from_msg, stamp_to_ns

_QUEUE = 5  # images that may still wait for their depth, and the other way round
_KEPT = 8  # pairs that may still wait for their encoding
_INSTEAD = "The model's own depth is used."


class DepthWatch:
    """Finds the depth image that was taken with each image. Never waits, never raises for data.

    Attributes:
        problem: why the last image had no usable depth, in a sentence; empty when it had.
        used: how many depth images were handed out.
    """

    def __init__(self, node: Node, camera: CameraConfig, slop_s: float, timeout_s: float) -> None:
        """Subscribe.

        Args:
            node: subscribes and logs.
            camera: the camera with depth.
            slop_s: largest difference of the stamps of an image and its depth [s].
            timeout_s: so long depth may be missing before that is a problem [s].
        """
        self.problem, self.used = "", 0
        self._node, self._timeout_s = node, timeout_s
        self._topic = f"{camera.depth_stream}/image_raw"
        self._logged: set[str] = set()
        self._pairs: dict[int, Image] = {}
        self._paired_s = time.monotonic()
        self._images = SimpleFilter()
        self._depths = Subscriber(node, Image, self._topic, qos_profile=qos_profile_sensor_data)
        self._synchronizer = ApproximateTimeSynchronizer(
            [self._images, self._depths], _QUEUE, slop_s
        )
        self._synchronizer.registerCallback(self._on_pair)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._depths.sub)

    def see(self, image: Image) -> None:
        """Take note of an image of the camera."""
        self._images.signalMessage(image)

    def at(self, stamp_ns: int, camera: Camera) -> Float32[np.ndarray, "h w"] | None:
        """Depth [m] of the image taken at `stamp_ns`, NaN where unknown.

        None when there is none to use; `problem` then says why, unless it may still come.
        """
        message = self._pairs.get(stamp_ns)
        if message is None:
            if time.monotonic() - self._paired_s > self._timeout_s:
                self._report(
                    f"no depth image on '{self._topic}' with the time of an image for "
                    f"{self._timeout_s:g} s. Check the depth camera and the clocks."
                )
            return None
        try:
            depth = depth_from_msg(message)
        except DataError as error:
            return self._report(f"'{self._topic}': {error}")
        if depth.shape != (camera.height, camera.width):
            return self._report(
                f"'{self._topic}' is {depth.shape[1]}x{depth.shape[0]} px, the images are "
                f"{camera.width}x{camera.height}. Let the camera align its depth to the images."
            )
        if not np.isfinite(depth).any():
            return self._report(
                f"'{self._topic}' measures nothing at any pixel. Check range and light."
            )
        self.problem = ""
        self.used += 1
        return depth

    def _on_pair(self, image: Image, depth: Image) -> None:
        self._paired_s = time.monotonic()
        self._pairs[stamp_to_ns(image.header.stamp)] = depth
        while len(self._pairs) > _KEPT:
            del self._pairs[next(iter(self._pairs))]

    def _report(self, problem: str) -> None:
        """Show a problem, and log it when it is the first of its kind."""
        self.problem = f"{problem} {_INSTEAD}"
        if problem not in self._logged:
            self._logged.add(problem)
            self._node.get_logger().warning(self.problem)


def watch_depth(
    node: Node, robot: RobotConfig, camera_name: str, slop_s: float, timeout_s: float
) -> DepthWatch | None:
    """Listen to the depth camera, if the loop's camera is one; see `DepthWatch`."""
    for camera in robot.cameras:
        if camera.name == camera_name and camera.depth:
            return DepthWatch(node, camera, slop_s, timeout_s)
    return None
