"""Recorder node: writes an MCAP rosbag2 of everything a robot's data set needs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PointStamped, PoseArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from njf_control.robot import load_robot
from njf_msgs.msg import CaptureMark, Command, CommandApplied, SafetyState
from njf_msgs.srv import Capture
from njf_perception.bag import header_stamp_ns
from njf_perception.errors import ConfigError, DataError
from njf_perception.nodes.conversions import stamp_to_ns
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Health
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_training.recording.messages import mark_message
from njf_training.recording.session import Recording
from njf_training.recording.stills import Still, StillPicker
from njf_training.recording.topics import MARK_TOPIC, Topic, recorded_topics
from tf2_msgs.msg import TFMessage

TYPES = {
    "sensor_msgs/msg/Image": Image,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
    "sensor_msgs/msg/CameraInfo": CameraInfo,
    "sensor_msgs/msg/JointState": JointState,
    "tf2_msgs/msg/TFMessage": TFMessage,
    "geometry_msgs/msg/PointStamped": PointStamped,
    "geometry_msgs/msg/PoseArray": PoseArray,
    "diagnostic_msgs/msg/DiagnosticArray": DiagnosticArray,
    "njf_msgs/msg/Command": Command,
    "njf_msgs/msg/CommandApplied": CommandApplied,
    "njf_msgs/msg/SafetyState": SafetyState,
}
DEADLINE_CHECK_S = 0.05
IMAGE_DEPTH = 30  # a second of a camera: so long the recorder may be kept from its work


@dataclass
class _Waiting:
    """A capture request that lacks images; its future gets None at the deadline."""

    not_before_ns: int
    deadline_s: float  # monotonic
    stills: Future


class Recorder(Node):
    """Subscribes raw: images pass through as bytes, only their stamps are looked at."""

    def __init__(self) -> None:
        """Open the bag and subscribe; raises ConfigError or DataError when it cannot."""
        super().__init__("recorder")
        self._recording: Recording | None = None
        robot_file = declare(self, "robot_file", "", "robot configuration file [path]")
        output = declare(self, "output", "", "bag folder or .mcap file to create [path]")
        mode = declare(self, "mode", "stills", "stream: all messages; stills: on capture [-]")
        transport = declare(self, "image_transport", "raw", "of images: raw or compressed [-]")
        if not output:
            raise ConfigError("output is empty; expected a folder or .mcap file. Pass it.")
        robot = load_robot(robot_file)
        self._picker = StillPicker(robot.image_streams)
        self._known_cameras: set[str] = set()
        self._applied: bytes | None = None
        self._waiting: list[_Waiting] = []
        topics = recorded_topics(robot, transport)
        self._image_topic = {t.camera: t.name for t in topics if t.kind == "image"}
        self._recording = Recording(robot, Path(output), mode, self.resolve_topic_name, transport)
        self._marks = self.create_publisher(CaptureMark, MARK_TOPIC, 10)
        for topic in topics:
            self._subscribe(topic)
        # Its own group: while a capture waits, the images it waits for must still come in.
        self._capture_group = MutuallyExclusiveCallbackGroup()
        self.create_service(
            Capture,
            "capture",
            self._capture,  # type: ignore[arg-type]
            callback_group=self._capture_group,
        )
        self.create_timer(DEADLINE_CHECK_S, self._expire)
        self._diagnostics = DiagnosticsPublisher(self, "recording", self._health)

    def destroy_node(self) -> None:
        """Finish the bag and print its summary, whatever ended the node."""
        recording, self._recording = self._recording, None
        try:
            if recording is not None:
                summary = recording.close()
                assert recording.report is not None  # closed
                print(f"{recording.report.text()}\n{summary.line()}", flush=True)
        finally:
            super().destroy_node()

    def _subscribe(self, topic: Topic) -> None:
        qos = QoSProfile(depth=10)
        if topic.kind == "image":
            qos = QoSProfile(depth=IMAGE_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        elif topic.kind == "latched":
            qos = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        callback = self._callback(topic)
        self.create_subscription(TYPES[topic.type_name], topic.name, callback, qos, raw=True)

    def _callback(self, topic: Topic) -> Callable[[bytes], None]:
        special = {"image": self._on_image, "camera_info": self._on_camera_info}
        handle = special.get(topic.kind, self._on_state)
        return lambda data: handle(topic, data)

    def _write(self, topic: str, data: bytes, received_ns: int | None = None) -> bool:
        time_ns = self.get_clock().now().nanoseconds if received_ns is None else received_ns
        return self._recording is not None and self._recording.write(topic, time_ns, data)

    def _on_state(self, topic: Topic, data: bytes) -> None:
        if topic.name == "command_applied":
            self._applied = data
            self._answer_ready()
        self._write(topic.name, data)

    def _on_camera_info(self, topic: Topic, data: bytes) -> None:
        """One per camera is enough for stills: the rig does not change within a recording."""
        if self._streaming or topic.camera not in self._known_cameras:
            self._known_cameras.add(topic.camera)
            self._write(topic.name, data)

    def _on_image(self, topic: Topic, data: bytes) -> None:
        received_ns = self.get_clock().now().nanoseconds
        if self._streaming:
            self._write(topic.name, data, received_ns)
        self._picker.offer(topic.camera, received_ns, data)
        self._answer_ready()

    @property
    def _streaming(self) -> bool:
        return self._recording is not None and self._recording.mode == "stream"

    async def _capture(
        self, request: Capture.Request, response: Capture.Response
    ) -> Capture.Response:
        """Wait for the images without blocking the executor, then write them and their label."""
        not_before_ns = stamp_to_ns(request.not_before)
        deadline_s = time.monotonic() + request.timeout_s
        waiting = _Waiting(not_before_ns, deadline_s, Future())
        self._waiting.append(waiting)
        self._answer_ready()
        stills = await waiting.stills
        response.message = self._write_state(request, stills)
        response.success = not response.message
        if self._recording is not None:
            self._recording.captures += response.success
            self._recording.failed_captures += not response.success
        return response

    def _answer_ready(self) -> None:
        """Hand over images to the requests that have all of them, and a label as fresh."""
        for waiting in list(self._waiting):
            stills = self._picker.pick(waiting.not_before_ns)
            if stills is not None and self._is_labelled(waiting.not_before_ns):
                self._waiting.remove(waiting)
                waiting.stills.set_result(stills)

    def _is_labelled(self, not_before_ns: int) -> bool:
        return self._applied is not None and header_stamp_ns(self._applied) >= not_before_ns

    def _expire(self) -> None:
        for waiting in list(self._waiting):
            if time.monotonic() > waiting.deadline_s:
                self._waiting.remove(waiting)
                waiting.stills.set_result(None)

    def _write_state(self, request: Capture.Request, stills: dict[str, Still] | None) -> str:
        """Write one settled state; returns why not, or an empty string."""
        if stills is None or self._applied is None:
            silent = self._picker.silent(stamp_to_ns(request.not_before))
            what = f"image from {', '.join(silent)}" if silent else "command_applied"
            return f"no {what} within {request.timeout_s:.1f} s. Is it publishing?"
        now_ns = self.get_clock().now().nanoseconds
        kept = self._streaming or all(
            self._write(self._image_topic[camera], still.data, still.received_ns)
            for camera, still in stills.items()
        )
        applied = deserialize_message(self._applied, CommandApplied)
        stamps_ns = {camera: still.stamp_ns for camera, still in stills.items()}
        mark = mark_message(
            now_ns,
            request.trajectory,
            request.step,
            list(applied.channel_names),
            list(applied.applied),
            stamps_ns,
        )
        if not kept or not self._write(MARK_TOPIC, mark, now_ns):
            return "the writing queue is full or the disc failed; the state was dropped."
        self._marks.publish(mark)
        return ""

    def _health(self) -> Health:
        """State of the bag for /diagnostics; a failed disc ends the node."""
        assert self._recording is not None
        thread = self._recording.thread
        if thread.failure is not None:
            raise DataError(f"writing failed: {thread.failure}. Free some disc space.")
        dropped = sum(thread.dropped.values())
        return Health(
            warning=dropped > 0,
            message=f"{dropped} messages dropped" if dropped else "recording",
            values={
                "written": sum(thread.written.values()),
                "dropped": dropped,
                "queued_bytes": thread.queued_bytes,
                "captures": self._recording.captures,
                "failed_captures": self._recording.failed_captures,
            },
        )


def main() -> int:
    """Entry point of the process."""
    return run(Recorder)


if __name__ == "__main__":
    raise SystemExit(main())
