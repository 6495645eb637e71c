"""camera_poses: publishes where a rig's cameras stand, as `njf calibrate` found it."""

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header

from njf_perception.calibration.files import load_camera_poses
from njf_perception.nodes.conversions import pose_to_transform
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare, declare_tf_prefix
from tf2_ros import StaticTransformBroadcaster


class CameraPosesNode(Node):
    """Sends `world -> <camera>_optical_frame` of every camera in a file on `/tf_static`, once."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("camera_poses", parameter_overrides=overrides)
        path = declare(self, "file", "", "camera_poses.yaml, as `njf calibrate` writes it")
        poses = load_camera_poses(path)
        prefix = declare_tf_prefix(self)
        stamp = self.get_clock().now().to_msg()
        header = Header(stamp=stamp, frame_id=f"{prefix}{poses.parent_frame}")
        self._broadcaster = StaticTransformBroadcaster(self)
        self._broadcaster.sendTransform(
            [
                pose_to_transform(pose.matrix, header, f"{prefix}{pose.frame}")
                for pose in poses.cameras.values()
            ]
        )


def main() -> int:
    """Run the node until it is told to end."""
    return run(CameraPosesNode)


if __name__ == "__main__":
    raise SystemExit(main())
