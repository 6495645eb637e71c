"""Node `visualizer`: the Jacobian field, the goal and the motion as RViz and Foxglove show them.

All of it is made only while somebody subscribes: then, and only then, this node subscribes to the
field, to the tracks and to the camera's image itself, and the nodes behind them begin to publish.

    visualization/influence   PointCloud2: the surface, coloured by the channel that moves it
    visualization/arrows      MarkerArray: per channel (a namespace each) where it moves the surface
    visualization/command     MarkerArray: where the newest command moves the surface
    visualization/goal        MarkerArray: targets, and the way that is left
    visualization/overlay     Image: all of this over the camera's picture, measured flow beside it
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from visualization_msgs.msg import MarkerArray

from njf_control.nodes import visualization_messages as messages
from njf_control.robot import load_robot
from njf_control.servo.history import SetpointHistory
from njf_control.visualization.colors import influence_colors
from njf_control.visualization.field import FieldView, arrows, spread_out
from njf_control.visualization.overlay import Aim, Flow, draw_overlay
from njf_msgs.msg import CommandApplied, JacobianField, PointTracks
from njf_perception.camera import Camera
from njf_perception.errors import NjfError
from njf_perception.nodes.conversions import (
    camera_from_info,
    image_from_msg,
    image_to_msg,
    stamp_to_ns,
    tracks_from_msg,
)
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare

_CHECK_PERIOD_S = 0.5
_FLOW_NS = 200_000_000  # motion is shown over this time
_OLD_NS = 1_000_000_000  # a goal whose points are this much older than the image is over
_LINE_M = 0.0008  # width of an arrow
_GOAL_M = 0.004  # size of a target
_FLOW_ARROWS = 40


class VisualizerNode(Node):
    """See the module."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("visualizer", parameter_overrides=overrides)
        robot = load_robot(
            declare(self, "robot_file", "", "Path of config/robots/<robot>.yaml", read_only=True)
        )
        self._names = robot.channel_names
        self._half_range = (robot.upper - robot.lower) / 2
        self._camera_name = declare(
            self, "camera", "", "Camera of the loop; empty: the robot file's", read_only=True
        )
        self._camera_name = self._camera_name or robot.control_camera.name
        declare(self, "min_confidence", 0.3, "Least confidence of points that are shown", 0.0, 1.0)
        declare(self, "arrow_length_m", 0.03, "Length of the longest arrow [m]", 0.001, 1.0)
        declare(self, "arrows_per_channel", 60, "Most arrows of one channel", 1, 1000)
        stride = "Distance of the field's points, `field_stride_px` of jacobian_field [px]"
        declare(self, "field_stride_px", 16, stride, 1, 256)
        self._make_publishers()
        self._inputs: list[Subscription] = []
        self._forget()
        self.create_timer(_CHECK_PERIOD_S, self._look_for_viewers)

    def _make_publishers(self) -> None:
        publisher = self.create_publisher
        self._influence = publisher(PointCloud2, "visualization/influence", 1)
        self._arrows = publisher(MarkerArray, "visualization/arrows", 1)
        self._command = publisher(MarkerArray, "visualization/command", 1)
        self._goal = publisher(MarkerArray, "visualization/goal", 1)
        self._overlay = publisher(Image, "visualization/overlay", 1)
        self._outputs = [self._influence, self._arrows, self._command, self._goal, self._overlay]

    def _forget(self) -> None:
        """Nothing is known any more: what was seen before a pause is old."""
        self._camera: Camera | None = None
        self._history = SetpointHistory()
        self._targets: PointTracks | None = None
        self._tracks: deque[PointTracks] = deque(maxlen=30)
        self._images: deque[Image] = deque(maxlen=10)
        self._problem = ""

    def _look_for_viewers(self) -> None:
        """Subscribe while somebody watches."""
        watched = any(output.get_subscription_count() > 0 for output in self._outputs)
        if watched and not self._inputs:
            self._inputs = self._subscribe()
        elif not watched and self._inputs:
            for subscription in self._inputs:
                self.destroy_subscription(subscription)
            self._inputs = []
            self._forget()

    def _subscribe(self) -> list[Subscription]:
        name, sensor = self._camera_name, qos_profile_sensor_data
        wanted: list[tuple[type, str, Callable[[Any], None], Any]] = [
            (CameraInfo, f"{name}/camera_info", self._on_info, sensor),
            (Image, f"{name}/image_raw", self._on_image, sensor),
            (JacobianField, "jacobian_field", self._on_field, 1),
            (PointTracks, "visual_servo/tracks", self._on_tracks, 5),
            (PointTracks, "visual_servo/targets", self._on_targets, 1),
            (CommandApplied, "command_applied", self._on_applied, 10),
        ]
        return [self.create_subscription(*arguments) for arguments in wanted]

    def _on_info(self, msg: CameraInfo) -> None:
        try:
            self._camera = camera_from_info(msg, self._camera_name)
        except NjfError as error:
            self._report(error)

    def _on_tracks(self, msg: PointTracks) -> None:
        self._tracks.append(msg)

    def _on_targets(self, msg: PointTracks) -> None:
        self._targets = msg

    def _on_applied(self, msg: CommandApplied) -> None:
        applied = dict(zip(msg.channel_names, msg.applied, strict=False))
        if set(applied) == set(self._names):  # else of another robot, as its field will tell
            setpoint = np.array([applied[name] for name in self._names])
            self._history.add(stamp_to_ns(msg.header.stamp), setpoint)

    def _on_field(self, msg: JacobianField) -> None:
        """Publish what is watched; what cannot be shown is told once."""
        try:
            field = messages.field_from_msg(msg, self._names, self._half_range)
            sure = field.sure(self._value("min_confidence"))
            self._publish_surface(sure, msg)
            self._publish_arrows(sure, msg)
            self._publish_command(sure, msg)
            self._publish_goal(sure, msg)
            self._publish_overlay(sure, msg)
        except NjfError as error:
            self._report(error)

    def _publish_surface(self, field: FieldView, msg: JacobianField) -> None:
        if self._influence.get_subscription_count() > 0:
            colors = influence_colors(field.influence_m)
            self._influence.publish(
                messages.cloud_msg(field.points_m, colors, field.confidence, msg.header)
            )

    def _publish_arrows(self, field: FieldView, msg: JacobianField) -> None:
        if self._arrows.get_subscription_count() == 0:
            return
        few = spread_out(len(field.points_m), self._value("arrows_per_channel"))
        length_m = self._value("arrow_length_m")
        ends = [
            arrows(field.points_m[few], field.motion_m[few, :, channel], length_m)
            for channel in range(len(self._names))
        ]
        colors = messages.channel_colors(len(self._names))
        self._arrows.publish(messages.arrows_msg(self._names, ends, colors, _LINE_M, msg.header))

    def _publish_command(self, field: FieldView, msg: JacobianField) -> None:
        if self._command.get_subscription_count() == 0 or not self._history:
            return
        motion = field.moved(self._moved_since(stamp_to_ns(msg.header.stamp) - _FLOW_NS))
        ends = arrows(field.points_m, motion, self._value("arrow_length_m"))
        self._command.publish(
            messages.arrows_msg(["command"], [ends], [(1.0, 0.63, 0.08)], _LINE_M, msg.header)
        )

    def _publish_goal(self, field: FieldView, msg: JacobianField) -> None:
        aim, camera = self._aim(stamp_to_ns(msg.header.stamp)), self._camera
        if self._goal.get_subscription_count() == 0 or aim is None or camera is None:
            return
        if not len(field.points_m):
            return
        depth_m = field.nearest(aim.now_px, camera.K).points_m[:, 2]
        seen = (aim.now_px, aim.target_px)
        now_m, target_m = (camera.rays(pixels) * depth_m[:, None] for pixels in seen)
        self._goal.publish(messages.goal_msg(now_m, target_m, aim.visible, _GOAL_M, msg.header))

    def _on_image(self, msg: Image) -> None:
        """Keep it until its field comes."""
        self._images.append(msg)

    def _publish_overlay(self, field: FieldView, msg: JacobianField) -> None:
        """The picture in which the field was seen, with all that is known drawn onto it."""
        images = [image for image in self._images if image.header.stamp == msg.header.stamp]
        if self._overlay.get_subscription_count() == 0 or self._camera is None or not images:
            return
        photo = image_from_msg(images[0])
        aim = self._aim(stamp_to_ns(msg.header.stamp))
        flow = self._flow(field, self._camera.K) if aim else None
        stride = self._value("field_stride_px")
        picture = draw_overlay(photo, self._camera.K, field, stride, aim, flow)
        self._overlay.publish(image_to_msg(picture, msg.header, "rgb8"))

    def _aim(self, stamp_ns: int) -> Aim | None:
        """The newest tracks with their targets; None without a goal."""
        if not self._tracks or self._targets is None:
            return None
        if stamp_ns - stamp_to_ns(self._tracks[-1].header.stamp) > _OLD_NS:
            return None
        if list(self._tracks[-1].ids) != list(self._targets.ids):
            return None  # the goal has just changed
        _, now = tracks_from_msg(self._tracks[-1])
        _, target = tracks_from_msg(self._targets)
        both = now.visible & target.visible
        return Aim(now.points.astype(np.float64), target.points.astype(np.float64), both)

    def _flow(self, field: FieldView, K: Float[np.ndarray, "3 3"]) -> Flow | None:
        """How the tracked points moved lately, and how the model says they should have."""
        earlier = self._earlier_tracks()
        if not len(field.points_m) or earlier is None or not self._history:
            return None
        (_, before), (_, now) = tracks_from_msg(earlier), tracks_from_msg(self._tracks[-1])
        rows = np.flatnonzero(before.visible & now.visible)
        rows = rows[spread_out(len(rows), _FLOW_ARROWS)]
        begin = before.points[rows].astype(np.float64)
        command = self._moved_since(stamp_to_ns(earlier.header.stamp))
        _, predicted = field.nearest(begin, K).flow_px(command, K)
        return Flow(begin, now.points[rows] - begin, predicted)

    def _earlier_tracks(self) -> PointTracks | None:
        """The same points a moment ago."""
        if len(self._tracks) < 2:
            return None
        newest = self._tracks[-1]
        since_ns = stamp_to_ns(newest.header.stamp) - _FLOW_NS
        same = [t for t in self._tracks if list(t.ids) == list(newest.ids)]
        late = [t for t in same if stamp_to_ns(t.header.stamp) >= since_ns]
        return late[0] if len(late) > 1 else None

    def _moved_since(self, stamp_ns: int) -> Float[np.ndarray, " k"]:
        """Change of the set-points in half ranges."""
        return (self._history.newest - self._history.at(stamp_ns)) / self._half_range

    def _report(self, error: NjfError) -> None:
        if str(error) != self._problem:
            self._problem = str(error)
            self.get_logger().error(self._problem)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main() -> int:
    """Run the node until it is told to end."""
    return run(VisualizerNode)


if __name__ == "__main__":
    raise SystemExit(main())
