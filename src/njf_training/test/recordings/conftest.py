"""A toy robot: a patterned block that two channels slide over a still table, in three cameras."""

import array
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from njf_control.robot import RobotConfig
from njf_perception.image_compression import (
    Compressed,
    Compression,
    compress_depth,
    compress_image,
)
from njf_training.bag import BagWriter, message_types
from njf_training.recording.messages import info_message, mark_message

WIDTH, HEIGHT = 112, 80
CAMERAS = {"camera_0": "control", "camera_1": "training", "camera_2": "held_out"}
CHANNELS = ("slide_x", "slide_y")
TRAVEL_PX = 22.0  # of the block per radian
STEP_NS = 400_000_000


def robot_description(name: str = "toy", depth: bool = False) -> dict[str, Any]:
    """Contents of the toy's robot file; `depth`: its control camera measures depth."""
    limits = {"unit": "rad", "lower": -1.0, "upper": 1.0, "max_rate": 4.0}
    size = {"width": WIDTH, "height": HEIGHT}
    cameras: list[dict[str, Any]] = [{"name": c, "role": r, **size} for c, r in CAMERAS.items()]
    cameras[0]["depth"] = depth
    return {
        "name": name,
        "channels": [{"name": c, "motor_id": i, **limits} for i, c in enumerate(CHANNELS)],
        "driver": {"kind": "dynamixel", "model": "xl320", "port": "", "baud": 1, "rate_hz": 50},
        "safety": {},
        "cameras": cameras,
        "simulation": {"mjcf": "toy.xml"},
        "workspace_min_m": [-1, -1, 0],
        "workspace_max_m": [1, 1, 1],
    }


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth random colours."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def picture(camera: int, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image of one camera, and the true mask of the block, at `position` [rad]."""
    image = texture(100 + camera, HEIGHT, WIDTH) // 8 + 180
    block = texture(200 + camera, 24, 30) // 2
    shift = TRAVEL_PX * position * (1 - 2 * (camera % 2))
    place = np.array([[1, 0, 41 + shift[0]], [0, 1, 28 + shift[1]]], np.float64)
    warped = cv2.warpAffine(block, place, (WIDTH, HEIGHT))
    cover = cv2.warpAffine(np.ones((24, 30), np.float32), place, (WIDTH, HEIGHT))[..., None]
    return (cover * warped + (1 - cover) * image).astype(np.uint8), cover[..., 0] > 0.5


def depth_mm(position: np.ndarray) -> np.ndarray:
    """Depth image of camera_0: the block before the table, and nothing at the block's edge [mm]."""
    block = picture(0, position)[1].astype(np.uint8)
    edge = cv2.dilate(block, np.ones((3, 3))) != block
    return np.where(edge, 0, np.where(block, 400, 500)).astype(np.uint16)


class Messages:
    """Serialised messages as a robot's nodes send them."""

    def __init__(self) -> None:
        self.types = message_types().types

    def header(self, time_ns: int, frame: str = "") -> Any:
        stamp = self.types["builtin_interfaces/msg/Time"](time_ns // 10**9, time_ns % 10**9)
        return self.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)

    def bytes_of(self, type_name: str, **fields: Any) -> bytes:
        message = self.types[type_name](**fields)
        return bytes(message_types().serialize_cdr(message, type_name))

    def image(self, time_ns: int, frame: str, pixels: np.ndarray) -> bytes:
        return self.bytes_of(
            "sensor_msgs/msg/Image",
            header=self.header(time_ns, frame),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding="rgb8",
            is_bigendian=0,
            step=3 * pixels.shape[1],
            data=pixels.reshape(-1),
        )

    def depth(self, time_ns: int, frame: str, values: np.ndarray) -> bytes:
        encoding = {"uint16": "16UC1", "float32": "32FC1", "uint8": "8UC1"}[values.dtype.name]
        return self.bytes_of(
            "sensor_msgs/msg/Image",
            header=self.header(time_ns, frame),
            height=values.shape[0],
            width=values.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=values.strides[0],
            data=values.view(np.uint8).reshape(-1),
        )

    def compressed(self, time_ns: int, frame: str, image: Compressed) -> bytes:
        header = self.header(time_ns, frame)
        kind = "sensor_msgs/msg/CompressedImage"
        return self.bytes_of(kind, header=header, format=image.format, data=image.data)

    def picture(
        self, time_ns: int, camera: str, values: np.ndarray, compression: Compression | None
    ) -> tuple[str, bytes]:
        """The topic after the camera's name, and the message, of colours or depth."""
        frame, is_color = f"{camera}_optical_frame", values.ndim == 3
        if compression is None:
            return "image_raw", (self.image if is_color else self.depth)(time_ns, frame, values)
        compress = compress_image if is_color else compress_depth
        leaf = "image_raw/compressed" if is_color else "image_raw/compressedDepth"
        return leaf, self.compressed(time_ns, frame, compress(values, compression))

    def camera_info(self, time_ns: int, frame: str) -> bytes:
        roi = self.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        return self.bytes_of(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(time_ns, frame),
            height=HEIGHT,
            width=WIDTH,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=np.array([90.0, 0, 55.5, 0, 90, 39.5, 0, 0, 1]),
            r=np.eye(3).reshape(-1),
            p=np.zeros(12),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def static_transforms(self, time_ns: int, prefix: str = "") -> bytes:
        """world -> rig -> every camera, a quarter turn about z between rig and camera."""
        half = float(np.sqrt(0.5))
        links = [("world", "rig", (0.0, 0.0, 1.0), (0.0, 0.0, 0.0, 1.0))]
        links += [
            ("rig", f"{name}_optical_frame", (0.1 * i, 0.0, 0.0), (0.0, 0.0, half, half))
            for i, name in enumerate(CAMERAS)
        ]
        transforms = [
            self.types["geometry_msgs/msg/TransformStamped"](
                header=self.header(time_ns, prefix + parent),
                child_frame_id=prefix + child,
                transform=self.types["geometry_msgs/msg/Transform"](
                    translation=self.types["geometry_msgs/msg/Vector3"](*translation),
                    rotation=self.types["geometry_msgs/msg/Quaternion"](*rotation),
                ),
            )
            for parent, child, translation, rotation in links
        ]
        return self.bytes_of("tf2_msgs/msg/TFMessage", transforms=transforms)

    def applied(self, time_ns: int, values: np.ndarray) -> bytes:
        return self.bytes_of(
            "njf_msgs/msg/CommandApplied",
            header=self.header(time_ns),
            channel_names=list(CHANNELS),
            requested=values,
            applied=values,
            measured=values,
            alterations=np.zeros(2, np.uint8),
            reason="",
            image_stamp=self.header(0).stamp,
        )

    def joints(self, time_ns: int, values: np.ndarray) -> bytes:
        return self.bytes_of(
            "sensor_msgs/msg/JointState",
            header=self.header(time_ns),
            name=list(CHANNELS),
            position=values,
            velocity=np.zeros(0),
            effort=np.zeros(0),
        )


TOPICS = {
    "/recording_info": "std_msgs/msg/String",
    "/capture_mark": "njf_msgs/msg/CaptureMark",
    "/tf_static": "tf2_msgs/msg/TFMessage",
    "/command_applied": "njf_msgs/msg/CommandApplied",
    "/ground_truth/joint_states": "sensor_msgs/msg/JointState",
    **{f"/{name}/image_raw": "sensor_msgs/msg/Image" for name in CAMERAS},
    **{f"/{name}/camera_info": "sensor_msgs/msg/CameraInfo" for name in CAMERAS},
    "/camera_0/aligned_depth_to_color/image_raw": "sensor_msgs/msg/Image",
    **{f"/{c}/image_raw/compressed": "sensor_msgs/msg/CompressedImage" for c in CAMERAS},
    "/camera_0/aligned_depth_to_color/image_raw/compressedDepth": "sensor_msgs/msg/CompressedImage",
}


def plan_positions(trajectories: int, steps: int) -> np.ndarray:
    """Jumps and small steps [trajectories, steps + 1, 2]."""
    rng = np.random.default_rng(7)
    jumps = rng.uniform(-0.8, 0.8, (trajectories, 1, 2))
    moves = rng.uniform(-0.15, 0.15, (trajectories, steps, 2))
    return np.clip(np.concatenate([jumps, moves], 1).cumsum(1), -1, 1)


def write_bag(
    folder: Path,
    trajectories: int = 8,
    steps: int = 3,
    without: tuple[str, ...] = (),
    lose: tuple[int, str] | None = None,
    frozen: str = "",
    moving: int = -1,
    robot: str = "toy",
    depth: Callable[[np.ndarray], np.ndarray] | None = None,
    compression: Compression | None = None,
    tf_prefix: str = "",
) -> Path:
    """A recording of the toy: broken as the options say.

    `without` topics; the image `lose` (state, camera) missing; all images of the camera `frozen`
    the same; set-points changing between the images of the state `moving`; `depth` makes the depth
    images of the control camera from positions, which otherwise has none; `compression`: images
    are compressed like this; `tf_prefix`: before the names of all frames.
    """
    messages = Messages()
    writer = BagWriter(folder)
    for topic, type_name in TOPICS.items():
        writer.add_topic(topic, type_name)

    def write(topic: str, time_ns: int, data: bytes) -> None:
        if topic not in without:
            writer.write(topic, time_ns, data)

    config = RobotConfig.model_validate(robot_description(robot, depth is not None))
    write("/recording_info", 1, info_message(config, "stills"))
    write("/tf_static", 1, messages.static_transforms(1, tf_prefix))
    for name in CAMERAS:
        info = messages.camera_info(1, f"{tf_prefix}{name}_optical_frame")
        write(f"/{name}/camera_info", 1, info)
    positions = plan_positions(trajectories, steps).reshape(-1, 2)
    for state, position in enumerate(positions):
        now_ns = (state + 1) * STEP_NS
        stamps = {name: now_ns + 1000 * i for i, name in enumerate(CAMERAS)}
        for i, (name, stamp) in enumerate(stamps.items()):
            shown = positions[0] if name == frozen else position
            if lose != (state, name):
                leaf, data = messages.picture(stamp, name, picture(i, shown)[0], compression)
                write(f"/{name}/{leaf}", stamp, data)
        if depth is not None:
            stream, stamp = "camera_0/aligned_depth_to_color", now_ns + 7000
            stamps[stream] = stamp
            leaf, data = messages.picture(stamp, "camera_0", depth(position), compression)
            write(f"/{stream}/{leaf}", stamp, data)
        write("/command_applied", now_ns, messages.applied(now_ns, position))
        if state == moving:
            write("/command_applied", now_ns, messages.applied(now_ns + 500, position + 0.1))
        write("/ground_truth/joint_states", now_ns, messages.joints(now_ns, position + 0.001))
        trajectory, step = divmod(state, steps + 1)
        mark = mark_message(now_ns, trajectory, step, list(CHANNELS), position.tolist(), stamps)
        write("/capture_mark", now_ns + 5000, mark)
    writer.close()
    return folder


@pytest.fixture(scope="session")
def toy_positions() -> np.ndarray:
    """Set-points of `make_bag`'s default states [32, 2]."""
    return plan_positions(8, 3).reshape(-1, 2)


@pytest.fixture(scope="session")
def toy_picture() -> Callable[[int, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Image and mask of a camera at a position."""
    return picture


@pytest.fixture(scope="session")
def toy_depth_mm() -> Callable[[np.ndarray], np.ndarray]:
    """Depth image of camera_0 at a position [mm]."""
    return depth_mm


@pytest.fixture(scope="session")
def toy_messages() -> Messages:
    """Serialised messages."""
    return Messages()


@pytest.fixture
def make_bag(tmp_path: Path) -> Callable[..., Path]:
    """`make_bag(**options)`: see `write_bag`; the default name is "bag"."""
    return lambda name="bag", **options: write_bag(tmp_path / name, **options)


@pytest.fixture(scope="session")
def toy_robot() -> RobotConfig:
    """The toy's configuration."""
    return RobotConfig.model_validate(robot_description())


@pytest.fixture
def robot_file(tmp_path: Path) -> Path:
    """The toy's robot file."""
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump(robot_description()))
    return file


class FakeRobot:
    """Moves its set-points at a limited rate; shows the block where they are.

    Attributes:
        node: speaks for cameras and driver; to be spun.
        silent_cameras, silent_driver, safety: to break it on purpose.
        position: where the channels are [rad].
    """

    def __init__(self) -> None:
        from rclpy.node import Node
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from sensor_msgs.msg import CameraInfo, CompressedImage, Image

        from njf_msgs.msg import Command, CommandApplied, SafetyState
        from tf2_msgs.msg import TFMessage

        self.silent_cameras: set[str] = set()
        self.silent_driver = False
        self.safety = SafetyState.READY
        self.position = np.zeros(2)
        self._goal = np.zeros(2)
        self._lock = threading.Lock()
        self.node = node = Node("fake_robot")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._images = {c: node.create_publisher(Image, f"{c}/image_raw", 5) for c in CAMERAS}
        self._small = {
            c: node.create_publisher(CompressedImage, f"{c}/image_raw/compressed", 5)
            for c in CAMERAS
        }
        self._infos = {c: node.create_publisher(CameraInfo, f"{c}/camera_info", 5) for c in CAMERAS}
        self._applied = node.create_publisher(CommandApplied, "command_applied", 10)
        self._safety = node.create_publisher(SafetyState, "safety_state", latched)
        self._transforms = node.create_publisher(TFMessage, "/tf_static", latched)
        self._transforms.publish(Messages().static_transforms(1))
        node.create_subscription(Command, "command", self._on_command, 1)
        node.create_timer(0.02, self._cycle)
        node.create_timer(0.08, self._show)

    def _on_command(self, message: Any) -> None:
        from njf_msgs.msg import SafetyState

        if self.safety == SafetyState.READY:
            self.safety = SafetyState.RUNNING
        with self._lock:
            self._goal = np.array(message.values)

    def _cycle(self) -> None:
        from njf_msgs.msg import CommandApplied, SafetyState

        if self.silent_driver:
            return
        with self._lock:
            if self.safety == SafetyState.RUNNING:
                self.position = self.position + np.clip(self._goal - self.position, -0.2, 0.2)
            position = self.position
        message = CommandApplied()
        message.header.stamp = self.node.get_clock().now().to_msg()
        message.channel_names = list(CHANNELS)
        message.requested = message.applied = message.measured = position.tolist()
        message.alterations = array.array("B", [0, 0])
        self._applied.publish(message)
        self._safety.publish(SafetyState(state=self.safety, reason="test"))

    def _show(self) -> None:
        stamp_ns = self.node.get_clock().now().nanoseconds
        messages, position = Messages(), self.position
        for i, name in enumerate(CAMERAS):
            if name not in self.silent_cameras:
                frame = f"{name}_optical_frame"
                pixels = picture(i, position)[0]
                self._images[name].publish(messages.image(stamp_ns, frame, pixels))
                png = compress_image(pixels, Compression("png"))
                self._small[name].publish(messages.compressed(stamp_ns, frame, png))
                self._infos[name].publish(messages.camera_info(stamp_ns, frame))


@pytest.fixture
def fake_robot(spin: Callable[..., None]) -> FakeRobot:
    """Cameras and driver of the toy on a live graph; its attributes break it on purpose."""
    robot = FakeRobot()
    spin(robot.node)
    return robot
