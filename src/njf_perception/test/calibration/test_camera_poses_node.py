"""The node that publishes a rig's poses, through a real graph."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.time import Time

from njf_perception.errors import ConfigError
from njf_perception.nodes.camera_poses import CameraPosesNode
from tf2_ros import Buffer, TransformListener

pytestmark = pytest.mark.ros

POSES = """
cameras:
  camera_3:
    frame: camera_3_optical_frame
    position_m: [0.1, 0.2, 0.3]
    quaternion_xyzw: [0.6, 0.0, 0.0, 0.8]
"""


@pytest.mark.parametrize("prefix", ["", "left/"])
def test_a_late_listener_gets_the_poses_of_the_file(
    spin: Callable[..., None], wait_until: Callable[..., None], tmp_path: Path, prefix: str
) -> None:
    path = tmp_path / "camera_poses.yaml"
    path.write_text(POSES)
    given = {"file": str(path), "tf_prefix": prefix}
    spin(CameraPosesNode([Parameter(name, value=value) for name, value in given.items()]))
    listener, buffer = Node("late_listener"), Buffer()
    TransformListener(buffer, listener)
    spin(listener)
    world, frame = f"{prefix}world", f"{prefix}camera_3_optical_frame"
    wait_until(lambda: buffer.can_transform(world, frame, Time()), what="the pose")
    transform = buffer.lookup_transform(world, frame, Time()).transform
    assert (transform.translation.x, transform.translation.z) == (0.1, 0.3)
    assert (transform.rotation.x, transform.rotation.w) == pytest.approx((0.6, 0.8))


def test_without_a_file_it_does_not_start(ros_context: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        CameraPosesNode([Parameter("file", value=str(tmp_path / "poses.yaml"))])
