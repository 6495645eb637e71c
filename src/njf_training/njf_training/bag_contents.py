"""What a recording says, read from its bag: settled states, rig, applied commands, images."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt8, UInt16

from njf_control.robot import RobotConfig
from njf_perception.bag import BagMessage, BagReader, header_stamp_ns
from njf_perception.camera import Camera
from njf_perception.config import parse_config
from njf_perception.errors import DataError
from njf_perception.frames import prefix_of, world_frame
from njf_perception.message_image import COMPRESSED_TYPE, IMAGE_TYPE, decode_depth, decode_rgb
from njf_training.recording.topics import INFO_TOPIC, MARK_TOPIC, TRANSPORTS, image_topic


@dataclass(frozen=True)
class Mark:
    """One settled state: see njf_msgs/CaptureMark."""

    trajectory: int
    step: int
    applied: Float[np.ndarray, " n"]
    image_stamps_ns: dict[str, int]


@dataclass
class Applied:
    """The stream of applied commands of one recording, in time."""

    stamps_ns: list[int] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)
    alterations: list[np.ndarray] = field(default_factory=list)


@dataclass
class Contents:
    """Everything of one bag but the images.

    Attributes:
        image_topics: per camera and depth stream, the topic its images are taken from: the raw one,
            or where that has none the compressed one.
        image_stamps_ns: per camera and depth stream, the stamps of all its images.
        joint_stamps_ns, joint_positions: simulator truth, for evaluation only; may be empty.
        complete: the recorder closed the bag properly.
    """

    path: Path
    robot: RobotConfig
    cameras: list[Camera]
    marks: list[Mark]
    image_topics: dict[str, str]
    image_stamps_ns: dict[str, set[int]]
    applied: Applied
    joint_names: list[str]
    joint_stamps_ns: Int64[np.ndarray, " j"]
    joint_positions: Float[np.ndarray, "j n"]
    complete: bool


def read_contents(path: Path, robot: RobotConfig | None = None) -> Contents:
    """Read a bag once, all but its images.

    Args:
        path: of the bag.
        robot: whose bag it is where it does not say so itself, as one of `ros2 bag record`.

    Raises:
        DataError: something a dataset needs is not in the bag; the message names it.
    """
    collector = _Collector(path)
    reader = BagReader(path)
    for message in reader.messages():
        collector.take(reader, message)
    collector.robot = collector.robot or robot
    return collector.finish(reader.complete)


def read_images(
    contents: Contents,
) -> Iterator[tuple[str, int, UInt8[np.ndarray, "h w 3"]]]:
    """(camera, stamp [ns], RGB image) of every image that a settled state refers to, once each."""
    for name, stamp_ns, raw, message in _marked_images(contents, contents.robot.camera_names):
        yield name, stamp_ns, decode_rgb(message, raw.topic, raw.type_name)


def read_depths(
    contents: Contents,
) -> Iterator[tuple[str, int, UInt16[np.ndarray, "h w"]]]:
    """(depth stream, stamp [ns], depth [mm], 0 unknown) of every settled state's depth images."""
    streams = [camera.depth_stream for camera in contents.robot.cameras if camera.depth]
    for name, stamp_ns, raw, message in _marked_images(contents, streams):
        yield name, stamp_ns, decode_depth(message, raw.topic, raw.type_name)


def _marked_images(
    contents: Contents, streams: Sequence[str]
) -> Iterator[tuple[str, int, BagMessage, Any]]:
    """(stream, stamp [ns], message, decoded) of the streams' images that states refer to."""
    wanted = {(name, mark.image_stamps_ns.get(name)) for mark in contents.marks for name in streams}
    stream_of = {topic: s for s, topic in contents.image_topics.items() if s in streams}
    reader = BagReader(contents.path)
    for message in reader.messages(set(stream_of)) if stream_of else ():
        stream, stamp_ns = stream_of[message.topic], header_stamp_ns(message.data)
        if (stream, stamp_ns) in wanted:
            wanted.discard((stream, stamp_ns))
            yield stream, stamp_ns, message, reader.decode(message)


class _Collector:
    """Gathers the small topics of a bag message by message."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.robot: RobotConfig | None = None
        self.infos: dict[str, Any] = {}
        self.transforms: dict[str, tuple[str, np.ndarray]] = {}
        self.marks: list[Any] = []
        self.image_stamps_ns: dict[str, set[int]] = defaultdict(set)  # by topic
        self.applied: list[Any] = []
        self.joints: list[Any] = []

    def take(self, reader: BagReader, message: BagMessage) -> None:
        """Keep what matters of one message."""
        # Absolute names, with a namespace where the robot has one: compare the ends.
        handlers: dict[str, Callable[[Any], None]] = {
            f"/{INFO_TOPIC}": self._take_info,
            "/tf_static": self._take_transforms,
            f"/{MARK_TOPIC}": self.marks.append,
            "/command_applied": self.applied.append,
            "/ground_truth/joint_states": self.joints.append,
        }
        for ending, handle in handlers.items():
            if message.topic.endswith(ending):
                handle(reader.decode(message))
        if message.type_name in (IMAGE_TYPE, COMPRESSED_TYPE):
            self.image_stamps_ns[message.topic].add(header_stamp_ns(message.data))
        *_, camera, leaf = ["", *message.topic.split("/")]
        if leaf == "camera_info" and camera not in self.infos:
            self.infos[camera] = reader.decode(message)

    def finish(self, complete: bool) -> Contents:
        """Check that everything is there and put it together."""
        if self.robot is None:
            raise DataError(
                f"{self.path}: no /{INFO_TOPIC}, so nothing says which robot this is. "
                "Expected a bag of this project's recorder; record with `njf explore`."
            )
        if not self.marks:
            raise DataError(
                f"{self.path}: no /{MARK_TOPIC}, so no image has a label. "
                "Record settled states with `njf explore`."
            )
        names = self.robot.channel_names
        topics = self._image_topics()
        return Contents(
            path=self.path,
            robot=self.robot,
            cameras=[self._camera(name) for name in self.robot.camera_names],
            marks=[self._mark(message) for message in self.marks],
            image_topics=topics,
            image_stamps_ns={s: self.image_stamps_ns[topic] for s, topic in topics.items()},
            applied=self._applied(names),
            joint_names=list(self.joints[0].name) if self.joints else [],
            joint_stamps_ns=np.array([_stamp_ns(m.header.stamp) for m in self.joints], np.int64),
            joint_positions=_stack([m.position for m in self.joints], len(names)),
            complete=complete,
        )

    def _image_topics(self) -> dict[str, str]:
        assert self.robot is not None
        topics: dict[str, str] = {}
        for transport in TRANSPORTS:
            for stream in self.robot.image_streams:
                ending = f"/{image_topic(stream, transport).name}"
                for topic in sorted(self.image_stamps_ns):
                    if topic.endswith(ending):
                        topics.setdefault(stream, topic)
        return topics

    def _take_info(self, message: Any) -> None:
        data = json.loads(message.data)
        self.robot = parse_config(data["robot"], RobotConfig, f"{self.path} /{INFO_TOPIC}")

    def _take_transforms(self, message: Any) -> None:
        for stamped in message.transforms:
            parent = stamped.header.frame_id
            self.transforms[stamped.child_frame_id] = (parent, _matrix(stamped.transform))

    def _camera(self, name: str) -> Camera:
        info = self.infos.get(name)
        if info is None:
            raise DataError(
                f"{self.path}: no {name}/camera_info. Does the camera run, is it calibrated?"
            )
        frame = info.header.frame_id
        pose = self._pose(frame, world_frame(prefix_of(frame, name)))
        return Camera(name, int(info.width), int(info.height), np.reshape(info.k, (3, 3)), pose)

    def _pose(self, frame: str, world: str) -> Float[np.ndarray, "4 4"]:
        """T_world_frame, along the chain of static transforms."""
        T, seen = np.eye(4), [frame]
        while frame != world:
            if frame not in self.transforms or len(seen) > len(self.transforms) + 1:
                raise DataError(
                    f"{self.path}: /tf_static does not lead from {seen[0]} to {world} "
                    f"(reached {' -> '.join(seen)}). Calibrate the rig and publish its transforms."
                )
            frame, step = self.transforms[frame]
            T = step @ T
            seen.append(frame)
        return T

    def _mark(self, message: Any) -> Mark:
        assert self.robot is not None
        stamps = map(_stamp_ns, message.image_stamps)
        return Mark(
            trajectory=int(message.trajectory),
            step=int(message.step),
            applied=_ordered(message.channel_names, message.applied, self.robot.channel_names),
            image_stamps_ns=dict(zip(message.camera_names, stamps, strict=True)),
        )

    def _applied(self, names: list[str]) -> Applied:
        applied = Applied()
        for message in self.applied:
            applied.stamps_ns.append(_stamp_ns(message.header.stamp))
            applied.values.append(_ordered(message.channel_names, message.applied, names))
            applied.alterations.append(
                _ordered(message.channel_names, message.alterations, names).astype(np.uint8)
            )
        return applied


def _ordered(
    names: Sequence[str], values: Sequence[float] | np.ndarray, wanted: list[str]
) -> Float[np.ndarray, " n"]:
    by_name = dict(zip(names, values, strict=True))
    if set(by_name) != set(wanted):
        raise DataError(
            f"the bag has commands of channels {sorted(by_name)}, but its robot has {wanted}. "
            "Driver and recorder ran with different robot files; record again."
        )
    return np.array([by_name[name] for name in wanted], np.float64)


def _stamp_ns(stamp: Any) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _stack(rows: Sequence[np.ndarray], width: int) -> Float[np.ndarray, "j n"]:
    return np.array(rows, np.float64).reshape(len(rows), -1) if rows else np.zeros((0, width))


def _matrix(transform: Any) -> Float[np.ndarray, "4 4"]:
    """4 x 4 pose of a TF transform (translation and unit quaternion x, y, z, w)."""
    q, t = transform.rotation, transform.translation
    x, y, z, w = np.array([q.x, q.y, q.z, q.w]) / np.linalg.norm([q.x, q.y, q.z, q.w])
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = [t.x, t.y, t.z]
    return T
