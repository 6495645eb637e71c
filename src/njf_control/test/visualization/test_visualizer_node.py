"""The node `visualizer` in a live graph."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import Point32
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from njf_control.nodes.visualizer import VisualizerNode
from njf_control.robot import load_robot
from njf_msgs.msg import CommandApplied, JacobianField, PointTracks
from njf_perception.camera import Camera
from njf_perception.nodes.conversions import (
    camera_info_msg,
    float_array,
    image_from_msg,
    image_to_msg,
    ns_to_stamp,
    stamp_to_ns,
    tracks_to_msg,
)
from njf_perception.trackers.base import Tracks

pytestmark = pytest.mark.ros

ROBOT_FILE = Path(__file__).parents[4] / "config" / "robots" / "finger.yaml"
ROBOT = load_robot(ROBOT_FILE)
NAME = ROBOT.control_camera.name
K = np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]])
CAMERA = Camera(NAME, 320, 240, K, np.eye(4))
GREY = np.full((240, 320, 3), 90, np.uint8)
SHIFT_PX = 3.0  # the tracked points move so far per image


class World(Node):
    """A camera, a field of two points, and a goal of two points; and a viewer of everything."""

    def __init__(self) -> None:
        super().__init__("world")
        self._images = self.create_publisher(Image, f"{NAME}/image_raw", 5)
        self._infos = self.create_publisher(CameraInfo, f"{NAME}/camera_info", 5)
        self._fields = self.create_publisher(JacobianField, "jacobian_field", 1)
        self._tracks = self.create_publisher(PointTracks, "visual_servo/tracks", 5)
        self._targets = self.create_publisher(PointTracks, "visual_servo/targets", 1)
        self._applied = self.create_publisher(CommandApplied, "command_applied", 10)
        self.seen: dict[str, object] = {}
        self.viewers = []
        self.names = ROBOT.channel_names
        self.breakage = ""
        self._count = 0
        self.create_timer(0.05, self._publish)

    @property
    def asked(self) -> int:
        """Subscribers of what the jacobian_field node only makes when it is asked to."""
        return self._fields.get_subscription_count() + self._tracks.get_subscription_count()

    def watch(self) -> None:
        for kind, topic in [
            (PointCloud2, "influence"),
            (MarkerArray, "arrows"),
            (MarkerArray, "command"),
            (MarkerArray, "goal"),
            (Image, "overlay"),
        ]:
            keep = lambda msg, topic=topic: self.seen.update({topic: msg})  # noqa: E731
            name = f"visualization/{topic}"
            self.viewers.append(self.create_subscription(kind, name, keep, 5))

    def look_away(self) -> None:
        while self.viewers:
            self.destroy_subscription(self.viewers.pop())

    def _publish(self) -> None:
        self._count += 1
        now = self.get_clock().now().to_msg()
        header = Header(stamp=now, frame_id=f"{NAME}_optical_frame")
        self._infos.publish(camera_info_msg(CAMERA, header))
        applied = [0.01 * self._count, 0.0, 0.0]
        self._applied.publish(
            CommandApplied(header=header, channel_names=self.names, applied=applied)
        )
        self._fields.publish(self._field(header))
        points = np.array([[100, 120], [220, 120]], np.float32)
        points[:, 0] += SHIFT_PX * (self._count % 5)
        for publisher, shift in ((self._tracks, 0.0), (self._targets, 30.0)):
            moved = Tracks(points + np.float32(shift), np.ones(2, bool), np.ones(2, np.float32))
            publisher.publish(tracks_to_msg(np.arange(2), moved, header))
        self._images.publish(image_to_msg(GREY, header, "rgb8"))

    def _field(self, header: Header) -> JacobianField:
        """Two points 0.5 m away; the first channel moves the left one, nothing the right one."""
        jacobian = np.zeros((3, 3, 3))
        jacobian[0, 0, 0] = 0.05
        if self.breakage == "nan":
            jacobian[1, 2, 2] = np.nan
        values = jacobian.ravel()[: 26 if self.breakage == "short" else None]
        return JacobianField(
            header=header,
            channel_names=self.names,
            channel_units=ROBOT.channel_units,
            points=[Point32(x=x, y=0.0, z=0.5) for x in (-0.1, 0.1, 0.0)],
            jacobian=float_array(values),
            confidence=float_array(np.array([0.9, 0.9, 0.1])),
        )


@pytest.fixture
def world(spin: Callable[..., None]) -> World:
    node = VisualizerNode([Parameter("robot_file", value=str(ROBOT_FILE))])
    world = World()
    spin(node, world)
    return world


def test_nothing_is_asked_for_until_somebody_watches(world, wait_until):
    assert world.asked == 0
    world.watch()
    wait_until(lambda: len(world.seen) == 5, what="all five topics")
    world.look_away()
    wait_until(lambda: world.asked == 0, what="the node to stop listening")


def test_what_is_seen_is_what_is_there(world, wait_until):
    world.watch()
    wait_until(lambda: len(world.seen) == 5, what="all five topics")
    cloud = world.seen["influence"]
    formats = ["<f4", "<f4", "<f4", "<u4", "<f4"]
    kinds = [(field.name, kind) for field, kind in zip(cloud.fields, formats, strict=True)]
    rows = np.frombuffer(bytes(cloud.data), np.dtype(kinds))
    np.testing.assert_allclose(rows["x"], [-0.1, 0.1])  # the third point is not sure
    assert rows["rgb"][0] != rows["rgb"][1] and cloud.header.frame_id == f"{NAME}_optical_frame"
    arrows = {marker.ns: marker for marker in world.seen["arrows"].markers}
    assert list(arrows) == ROBOT.channel_names
    shaft = arrows[ROBOT.channel_names[0]].points[:2]
    assert shaft[1].x - shaft[0].x == pytest.approx(0.03) and shaft[0].y == shaft[1].y
    assert arrows[ROBOT.channel_names[1]].points == []
    targets, error = world.seen["goal"].markers
    assert targets.type == Marker.SPHERE_LIST and len(targets.points) == 2
    assert error.points[1].x - error.points[0].x == pytest.approx(30 / 300 * 0.5, rel=1e-3)
    wait_until(lambda: world.seen["command"].markers[0].points, what="set-points that change")
    (command,) = world.seen["command"].markers
    assert command.points[1].x > command.points[0].x, "the newest set-points move the point right"
    picture = image_from_msg(world.seen["overlay"])
    assert picture.shape == GREY.shape and (picture != GREY).any()


def test_stamps_are_those_of_the_image(world, wait_until):
    world.watch()
    wait_until(lambda: {"overlay", "influence"} <= set(world.seen), what="overlay and cloud")
    for topic in ("overlay", "influence"):
        stamp = world.seen[topic].header.stamp
        assert ns_to_stamp(stamp_to_ns(stamp)) == stamp and stamp.sec > 0


def test_a_field_of_another_robot_is_refused(world, wait_until, capfd):
    world.names = ["a", "b", "c"]
    world.watch()
    wait_until(lambda: "has channels ['a', 'b', 'c']" in capfd.readouterr().err, what="the error")
    assert "influence" not in world.seen


@pytest.mark.parametrize("breakage", ["short", "nan"])
def test_a_broken_field_is_told_or_left_out_and_the_node_goes_on(
    world, wait_until, capfd, breakage
):
    world.breakage = breakage
    world.watch()
    if breakage == "short":
        told = "3 points, 26 values of the Jacobian"
        wait_until(lambda: told in capfd.readouterr().err, what="the error")
    else:
        wait_until(lambda: "influence" in world.seen)
        assert world.seen["influence"].width == 1, "the point without a number is left out"
    world.breakage = ""
    world.seen.clear()
    wait_until(lambda: getattr(world.seen.get("influence"), "width", 0) == 2)
