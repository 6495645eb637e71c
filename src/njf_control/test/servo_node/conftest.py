"""A still picture, a tiny model and a fake driver: all that the node `jacobian_field` hears."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from action_msgs.msg import GoalStatus
from lifecycle_msgs.srv import ChangeState
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_control.nodes.jacobian_field import JacobianFieldNode
from njf_control.robot import load_robot
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, CommandApplied, PointTracks, SafetyState, SceneEncoding
from njf_perception.camera import Camera
from njf_perception.checkpoint import (
    CameraRecord,
    CheckpointInfo,
    load_checkpoint,
    make_scene_model,
    save_checkpoint,
)
from njf_perception.encoder import EncoderConfig
from njf_perception.field import FieldConfig
from njf_perception.nodes.action_client import ThreadSafeActionClient
from njf_perception.nodes.conversions import (
    camera_info_msg,
    image_to_msg,
    tracks_to_msg,
)
from njf_perception.nodes.encoding import encoding_to_msg
from njf_perception.nodes.services import call, handshake
from njf_perception.nodes.spinning import SpinThread
from njf_perception.scene import PixelNerfConfig
from njf_perception.trackers.base import Tracks

ROBOT_FILE = Path(__file__).parents[4] / "config" / "robots" / "finger.yaml"
ROBOT = load_robot(ROBOT_FILE)
CAMERA = Camera(
    "camera_0",
    320,
    240,
    np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]]),
    np.array([[1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, -1.0, 0.5], [0, 0, 0, 1.0]]),
)
FIELD = FieldConfig(hidden=16, layers=2, frequencies=2)
PERCEPTION = PixelNerfConfig(
    encoder=EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=8), field=FIELD
)
JACOBIAN = JacobianConfig(field=FIELD, twist_hidden=16)
# A busy computer may give a test nothing for seconds, and the goal would end for want of images.
PATIENCE_S = 8.0
TIMEOUTS = ("image_timeout_s", "robot_timeout_s")


def _write_checkpoint(path: Path, camera_name: str = CAMERA.name, **changes: Any) -> None:
    torch.manual_seed(0)
    fields: dict[str, Any] = {
        "robot": "finger",
        "channel_names": ROBOT.channel_names,
        "channel_units": ROBOT.channel_units,
        "command_center": [0.0, 0.0, 0.0],
        "command_half_range": [1.2, 1.2, 1.2],
        "camera": CameraRecord.of(replace(CAMERA, name=camera_name)),
        "workspace_min_m": ROBOT.workspace_min_m,
        "workspace_max_m": ROBOT.workspace_max_m,
        "perception": PERCEPTION,
        "jacobian": JACOBIAN.model_dump(),
    }
    info = CheckpointInfo(**(fields | changes))
    model = make_scene_model(info)
    with torch.no_grad():  # an untrained depth may lie behind the camera
        for parameter in model.encoder.head.parameters():
            parameter[: model.PROPOSALS] = 0.0
    field = JacobianField(JACOBIAN, model.workspace, features=8, code=8, channels=3)
    save_checkpoint(path, info, model.state_dict(), field.state_dict())


def picture() -> np.ndarray:
    """Blurred noise: every point can be tracked."""
    coarse = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    return np.kron(coarse, np.ones((4, 4, 1), np.uint8))


class World(Node):
    """Camera, perception and driver of a robot that does not move, and a client of the action."""

    CONFIGURE, ACTIVATE, DEACTIVATE = 1, 3, 4
    APPLIED = (0.3, -0.2, 0.1)
    HURRIED_S = 1.0  # a timeout as on a robot

    def __init__(self, checkpoint: Path) -> None:
        super().__init__("world")
        loaded = load_checkpoint(checkpoint)
        self.checkpoint_id = loaded.content_id
        self.image = picture()
        self._encoding = loaded.scene_model().encode(self.image, CAMERA).encoding
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._images = self.create_publisher(Image, "camera_0/image_raw", 5)
        self._infos = self.create_publisher(CameraInfo, "camera_0/camera_info", 5)
        self._encodings = self.create_publisher(SceneEncoding, "perception/encoding", 1)
        self._applied = self.create_publisher(CommandApplied, "command_applied", 10)
        self._safety = self.create_publisher(SafetyState, "safety_state", latched)
        self.commands: list[Command] = []
        self.create_subscription(Command, "command", self.commands.append, 10)
        self.client = ThreadSafeActionClient(self, VisualServo, "visual_servo")
        self.transition = self.create_client(ChangeState, "jacobian_field/change_state")
        self.feedback: list[VisualServo.Feedback] = []
        self.channel_names = ROBOT.channel_names
        self.wait_until: Callable[..., None] = lambda *_: None
        self.hurry: Callable[[], object] = lambda: None  # back to a robot's own timeouts
        self.seeing = self.driving = True
        self.depth: np.ndarray | None = None
        self._depths = self.create_publisher(Image, "camera_0/aligned_depth_to_color/image_raw", 5)
        self.state = SafetyState.HOLDING
        self.create_timer(1 / 15, self._publish)

    def _publish(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id="camera_0_optical_frame")
        if self.driving:
            self._safety.publish(SafetyState(header=header, state=self.state, reason="because"))
            self._applied.publish(
                CommandApplied(
                    header=header, channel_names=self.channel_names, applied=self.APPLIED
                )
            )
        if self.seeing:
            self._infos.publish(camera_info_msg(CAMERA, header))
            if self.depth is not None:
                self._depths.publish(image_to_msg(self.depth, header, "16UC1"))
            self._images.publish(image_to_msg(self.image, header, "rgb8"))
            self._encodings.publish(
                encoding_to_msg(self._encoding, CAMERA, self.checkpoint_id, header)
            )

    def send(self, goal: VisualServo.Goal, timeout_s: float = 30.0) -> ClientGoalHandle:
        handshake(self, "jacobian_field", time.sleep, timeout_s)
        assert self.client.wait_for_server(timeout_s)
        sent = self.client.send_goal_async(
            goal, feedback_callback=lambda message: self.feedback.append(message.feedback)
        )
        return self.answer(sent, timeout_s)

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        handshake(self, "jacobian_field", time.sleep, 30.0)
        return call(self.transition, request, time.sleep, 30.0).success

    @staticmethod
    def answer(future: Any, timeout_s: float = 30.0) -> Any:
        deadline = time.monotonic() + timeout_s
        while not future.done():
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.01)
        return future.result()

    def result_of(self, handle: ClientGoalHandle) -> VisualServo.Result:
        response = self.answer(handle.get_result_async())
        succeeded = response.status == GoalStatus.STATUS_SUCCEEDED
        assert succeeded == (response.result.reason == VisualServo.Result.CONVERGED)
        return response.result

    @staticmethod
    def goal(shift_px: float = 12.0, **fields: Any) -> VisualServo.Goal:
        """Points on a grid, to be moved to the right: a robot that stands still cannot."""
        v, u = np.mgrid[60:180:20, 60:260:20]
        points = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
        ids = np.arange(len(points))
        seen = np.ones(len(points), bool)
        now = Tracks(points, seen, seen.astype(np.float32))
        shifted = Tracks(
            points + np.array([shift_px, 0], np.float32), seen, seen.astype(np.float32)
        )
        return VisualServo.Goal(
            kind=VisualServo.Goal.POINT_TRACKS,
            tracks_now=tracks_to_msg(ids, now, Header()),
            tracks_goal=tracks_to_msg(ids, shifted, Header()),
            timeout_s=60.0,
            **fields,
        )

    def demonstration(self, *shifts_px: float) -> list[PointTracks]:
        """The points of `goal` over time."""
        return [self.goal(shift).tracks_goal for shift in shifts_px]

    def wait_for_commands(self, count: int) -> None:
        self.wait_until(lambda: len(self.commands) >= count, what=f"{count} commands")

    def require_silence(self) -> None:
        """What was on its way may arrive; then nothing more."""
        time.sleep(0.3)
        count = len(self.commands)
        time.sleep(0.5)
        assert len(self.commands) == count


@pytest.fixture(scope="session")
def write_checkpoint() -> Callable[..., None]:
    """`write_checkpoint(path, **changes)`: a tiny model that has learned nothing."""
    return _write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "finger.pt"
    _write_checkpoint(path)
    return path


@pytest.fixture
def make_world(checkpoint: Path) -> Callable[[], World]:
    """A world whose node is the test's own affair."""
    return lambda: World(checkpoint)


@pytest.fixture
def start_node(ros_context: None) -> Iterator[Callable[..., JacobianFieldNode]]:
    """`start_node(checkpoint, robot_file)` spins the node as its process would: in one thread."""
    running: list[tuple[SpinThread, JacobianFieldNode]] = []

    def start(checkpoint: Path, robot_file: Path = ROBOT_FILE) -> JacobianFieldNode:
        values = {
            "robot_file": str(robot_file),
            "checkpoint": str(checkpoint),
            **dict.fromkeys(TIMEOUTS, PATIENCE_S),
            "min_confidence": 0.0,  # the model has learned nothing
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = JacobianFieldNode(parameter_overrides=overrides)
        running.append((SpinThread(node), node))
        return node

    yield start
    for thread, node in running:
        thread.close()
        node.destroy_node()


@pytest.fixture
def world(
    checkpoint: Path,
    start_node: Callable[..., JacobianFieldNode],
    spin: Callable[..., None],
    wait_until: Callable[..., None],
) -> World:
    """A world with the node configured and active in it."""
    node, world = start_node(checkpoint), World(checkpoint)
    world.hurry = lambda: node.set_parameters(
        [Parameter(n, value=World.HURRIED_S) for n in TIMEOUTS]
    )
    world.wait_until = wait_until
    spin(world)
    assert world.change(World.CONFIGURE)
    assert world.change(World.ACTIVATE)
    return world
