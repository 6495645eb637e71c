"""Which topics a recording holds."""

from dataclasses import dataclass
from typing import Literal

from njf_control.robot import RobotConfig

INFO_TOPIC = "recording_info"  # std_msgs/String, JSON: robot, mode; first message of every bag
MARK_TOPIC = "capture_mark"

Kind = Literal["image", "camera_info", "latched", "state"]


@dataclass(frozen=True)
class Topic:
    """One recorded topic; `name` is relative, or absolute where ROS says so.

    `camera` is the namespace of an image: a camera's name, or its `CameraConfig.depth_stream`.
    """

    name: str
    type_name: str
    kind: Kind
    camera: str = ""


def recorded_topics(robot: RobotConfig) -> list[Topic]:
    """Every topic a recording subscribes to."""
    image, info = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
    return [
        *[Topic(f"{name}/image_raw", image, "image", name) for name in robot.image_streams],
        *[Topic(f"{name}/camera_info", info, "camera_info", name) for name in robot.camera_names],
        Topic("/tf_static", "tf2_msgs/msg/TFMessage", "latched"),
        Topic("command", "njf_msgs/msg/Command", "state"),
        Topic("command_applied", "njf_msgs/msg/CommandApplied", "state"),
        Topic("safety_state", "njf_msgs/msg/SafetyState", "latched"),
        Topic("joint_states", "sensor_msgs/msg/JointState", "state"),
        Topic("ground_truth/joint_states", "sensor_msgs/msg/JointState", "state"),
        Topic("ground_truth/tip", "geometry_msgs/msg/PointStamped", "state"),
        Topic("ground_truth/tips", "geometry_msgs/msg/PoseArray", "state"),
        Topic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "state"),
    ]
