"""Which topics a recording holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from njf_control.robot import DEPTH_STREAM, RobotConfig
from njf_perception.errors import ConfigError
from njf_perception.image_compression import COMPRESSED_DEPTH_LEAF, COMPRESSED_LEAF
from njf_perception.message_image import COMPRESSED_TYPE

INFO_TOPIC = "recording_info"  # std_msgs/String, JSON: robot, mode; first message of every bag
MARK_TOPIC = "capture_mark"
RECORDED_COMMAND = "recorded/command"  # where the commands of a recording are played to

Kind = Literal["image", "camera_info", "latched", "state"]
TRANSPORTS = ("raw", "compressed")


@dataclass(frozen=True)
class Topic:
    """One recorded topic; `name` is relative, or absolute where ROS says so.

    `camera` is the namespace of an image: a camera's name, or its `CameraConfig.depth_stream`.
    """

    name: str
    type_name: str
    kind: Kind
    camera: str = ""


def image_topic(stream: str, transport: str) -> Topic:
    """Topic of a camera's images, or of a depth stream's, as image_transport names it."""
    if transport == "raw":
        return Topic(f"{stream}/image_raw", "sensor_msgs/msg/Image", "image", stream)
    is_depth = stream.endswith(DEPTH_STREAM)
    leaf = COMPRESSED_DEPTH_LEAF if is_depth else COMPRESSED_LEAF
    return Topic(f"{stream}/image_raw/{leaf}", COMPRESSED_TYPE, "image", stream)


def camera_of(topic: str) -> str | None:
    """Camera, with the robot's namespace, whose colour images an absolute topic has; else None."""
    *spaces, leaf = topic.removesuffix(f"/{COMPRESSED_LEAF}").strip("/").split("/")
    is_colour = leaf == "image_raw" and spaces and spaces[-1] != DEPTH_STREAM
    return "/".join(spaces) if is_colour else None


def replayed_names(robot: RobotConfig) -> dict[str, str]:
    """Topics of a recording that are played again, and the names they are played under.

    What moves a robot never comes back under its own name: recorded commands go to
    `recorded/command`, for comparison. Compressed images come back raw, for whoever reads images
    here reads raw ones. Diagnostics are of then, not of now.
    """
    kept = {
        topic.name: f"{topic.camera}/image_raw" if topic.kind == "image" else topic.name
        for transport in TRANSPORTS
        for topic in recorded_topics(robot, transport)
    }
    pressures = [f"pressure/{c.name}" for c in robot.channels if c.unit == "Pa"]
    kept |= {name: name for name in ("/tf", *pressures)} | {"command": RECORDED_COMMAND}
    del kept["/diagnostics"]
    return kept


def match_topic(topic: str, names: Iterable[str]) -> str | None:
    """Which of `names` an absolute topic stands for; it may be in any robot's namespace."""
    found = [n for n in names if topic == n or (n[0] != "/" and topic.endswith(f"/{n}"))]
    return max(found, key=len, default=None)


def recorded_topics(robot: RobotConfig, transport: str = "raw") -> list[Topic]:
    """Every topic a recording subscribes to.

    Args:
        robot: what is recorded.
        transport: of images, one of `TRANSPORTS`.

    Raises:
        ConfigError: another transport.
    """
    if transport not in TRANSPORTS:
        raise ConfigError(
            f"image_transport is '{transport}'; expected {' or '.join(TRANSPORTS)}. Choose one."
        )
    info = "sensor_msgs/msg/CameraInfo"
    return [
        *[image_topic(stream, transport) for stream in robot.image_streams],
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
