"""The node `jacobian_field` in a live graph: a still picture, a tiny model, a fake driver."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from action_msgs.msg import GoalStatus
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_control.nodes.jacobian_field import JacobianFieldNode
from njf_control.robot import load_robot
from njf_control.servo import Reason
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, CommandApplied, PointTracks, SafetyState, SceneEncoding
from njf_msgs.msg import JacobianField as JacobianFieldMsg
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
from njf_perception.nodes.conversions import (
    camera_info_msg,
    image_to_msg,
    stamp_to_ns,
    tracks_to_msg,
)
from njf_perception.nodes.encoding import encoding_to_msg
from njf_perception.nodes.services import call, handshake
from njf_perception.nodes.spinning import SpinThread
from njf_perception.scene import PixelNerfConfig
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

pytestmark = pytest.mark.ros

ROBOT_FILE = Path(__file__).parents[3] / "config" / "robots" / "finger.yaml"
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
APPLIED = [0.3, -0.2, 0.1]
CONFIGURE, ACTIVATE, DEACTIVATE = 1, 3, 4
# A busy computer may give a test nothing for seconds, and the goal would end for want of images.
PATIENCE_S = 8.0
HURRIED_S = 1.0  # a timeout as on a robot
TIMEOUTS = ("image_timeout_s", "robot_timeout_s")


def write_checkpoint(path: Path, **changes: Any) -> None:
    torch.manual_seed(0)
    fields: dict[str, Any] = {
        "robot": "finger",
        "channel_names": ROBOT.channel_names,
        "channel_units": ROBOT.channel_units,
        "command_center": [0.0, 0.0, 0.0],
        "command_half_range": [1.2, 1.2, 1.2],
        "camera": CameraRecord.of(CAMERA),
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
        self.client = ActionClient(self, VisualServo, "visual_servo")
        self.transition = self.create_client(ChangeState, "jacobian_field/change_state")
        self.feedback: list[VisualServo.Feedback] = []
        self.channel_names = ROBOT.channel_names
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
                CommandApplied(header=header, channel_names=self.channel_names, applied=APPLIED)
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
        return answer(sent, timeout_s)

    def change(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        handshake(self, "jacobian_field", time.sleep, 30.0)
        return call(self.transition, request, time.sleep, 30.0).success


def answer(future: Any, timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not future.done():
        assert time.monotonic() < deadline, "no answer"
        time.sleep(0.01)
    return future.result()


def result_of(handle: ClientGoalHandle) -> VisualServo.Result:
    response = answer(handle.get_result_async())
    succeeded = response.status == GoalStatus.STATUS_SUCCEEDED
    assert succeeded == (response.result.reason == VisualServo.Result.CONVERGED)
    return response.result


def tracks_goal(shift_px: float = 12.0, **fields: Any) -> VisualServo.Goal:
    """Points on a grid, all to be moved to the right: out of reach of a robot that stands still."""
    v, u = np.mgrid[60:180:20, 60:260:20]
    points = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
    ids = np.arange(len(points))
    seen = np.ones(len(points), bool)
    now = Tracks(points, seen, seen.astype(np.float32))
    shifted = Tracks(points + np.array([shift_px, 0], np.float32), seen, seen.astype(np.float32))
    return VisualServo.Goal(
        kind=VisualServo.Goal.POINT_TRACKS,
        tracks_now=tracks_to_msg(ids, now, Header()),
        tracks_goal=tracks_to_msg(ids, shifted, Header()),
        timeout_s=60.0,
        **fields,
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "finger.pt"
    write_checkpoint(path)
    return path


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
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        running.append((SpinThread(executor), node))
        return node

    yield start
    for thread, node in running:
        thread.close()
        node.destroy_node()


@pytest.fixture
def world(
    checkpoint: Path, start_node: Callable[..., JacobianFieldNode], spin: Callable[..., None]
) -> World:
    """A world with the node configured and active in it."""
    node, world = start_node(checkpoint), World(checkpoint)
    world.hurry = lambda: node.set_parameters([Parameter(n, value=HURRIED_S) for n in TIMEOUTS])
    spin(world)
    assert world.change(CONFIGURE)
    assert world.change(ACTIVATE)
    return world


def wait_for_commands(world: World, count: int, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: len(world.commands) >= count, what=f"{count} commands")


def require_silence(world: World) -> None:
    """What was on its way may arrive; then nothing more."""
    time.sleep(0.3)
    count = len(world.commands)
    time.sleep(0.5)
    assert len(world.commands) == count


def test_goal_is_answered_with_commands_and_feedback(
    world: World, wait_until: Callable[..., None]
) -> None:
    handle = world.send(tracks_goal(max_steps=5))
    assert handle.accepted
    result = result_of(handle)
    assert result.reason == VisualServo.Result.TIMEOUT, result.message
    assert result.steps == 5
    assert result.error_px == pytest.approx(12.0, abs=1.0)
    wait_for_commands(world, 5, wait_until)
    wait_until(lambda: len(world.feedback) >= 5)
    first, last = world.commands[0], world.commands[-1]
    assert list(first.channel_names) == ROBOT.channel_names
    np.testing.assert_allclose(first.values, APPLIED, atol=1e-12)
    assert np.abs(np.subtract(last.values, APPLIED)).max() > 1e-4
    stamps = [stamp_to_ns(command.image_stamp) for command in world.commands]
    assert stamps == sorted(set(stamps))
    assert all(stamp_to_ns(c.header.stamp) > stamp_to_ns(c.image_stamp) for c in world.commands)
    assert world.feedback[0].visible >= 4
    assert list(world.feedback[0].command.values) == list(first.values)
    require_silence(world)


@pytest.mark.parametrize("measured", [True, False])
def test_measured_depth_reaches_the_model_and_its_lack_stops_nothing(
    checkpoint: Path,
    start_node: Callable[..., JacobianFieldNode],
    spin: Callable[..., None],
    tmp_path: Path,
    measured: bool,
) -> None:
    robot_file = tmp_path / "finger.yaml"
    text = ROBOT_FILE.read_text()
    robot_file.write_text(text.replace("{name: camera_0,", "{name: camera_0, depth: true,"))
    node, world = start_node(checkpoint, robot_file), World(checkpoint)
    spin(world)
    assert world.change(CONFIGURE)
    proposal_m = float(node._model._scene_model.workspace.center[2])
    depth_mm = round(1e3 * proposal_m) + 11  # near what the untrained model thinks
    if measured:
        world.depth = np.full((240, 320), depth_mm, np.uint16)
        world.depth[:, 160:] = 0  # half of the image knows nothing
    asked: list[np.ndarray | None] = []
    depths_m: list[np.ndarray] = []
    evaluate = node._model.evaluate

    def note(encoding: Any, camera: Camera, pixels: np.ndarray, told: Any) -> Any:
        surface = evaluate(encoding, camera, pixels, told)
        asked.append(told)
        depths_m.append(surface.points_m[:, 2])
        return surface

    node._model.evaluate = note  # type: ignore[method-assign]
    assert world.change(ACTIVATE)
    result = result_of(world.send(tracks_goal(max_steps=20)))
    assert result.reason == VisualServo.Result.TIMEOUT and result.steps == 20, result.message
    if not measured:
        assert all(told is None for told in asked)
        return
    found = [(told, got) for told, got in zip(asked, depths_m, strict=True) if told is not None]
    assert found, "no step had a depth image"
    told, got = found[-1]
    known = np.isfinite(told)
    assert 0 < known.sum() < len(known)
    np.testing.assert_allclose(got[known], depth_mm / 1e3, rtol=1e-5)
    assert np.abs(got[~known] - depth_mm / 1e3).min() > 0.005


def demonstration(*shifts_px: float) -> list[PointTracks]:
    """The points of `tracks_goal` over time."""
    return [tracks_goal(shift).tracks_goal for shift in shifts_px]


def test_demonstration_is_followed_from_its_first_waypoint(
    world: World, wait_until: Callable[..., None]
) -> None:
    goal = VisualServo.Goal(
        kind=VisualServo.Goal.DEMONSTRATION,
        demonstration=demonstration(0.0, 10.0, 20.0, 30.0),
        waypoint_spacing_px=10.0,
        max_steps=1,
    )
    result = result_of(world.send(goal))
    assert result.reason == VisualServo.Result.TIMEOUT
    assert "waypoint 1 of 3" in result.message
    assert result.error_px == pytest.approx(10.0, abs=1.0)
    wait_until(lambda: world.feedback)
    first = world.feedback[0]
    assert (first.waypoint, first.waypoints, first.correction) == (0, 3, 0.0)


def test_points_already_at_the_goal_are_success(world: World) -> None:
    result = result_of(world.send(tracks_goal(shift_px=0.0)))
    assert result.reason == VisualServo.Result.CONVERGED, result.message
    assert result.error_px < 0.4


def test_second_goal_is_rejected_and_the_first_goes_on(
    world: World, wait_until: Callable[..., None]
) -> None:
    first = world.send(tracks_goal(max_steps=30))
    assert first.accepted
    assert not world.send(tracks_goal()).accepted
    wait_for_commands(world, 2, wait_until)
    assert result_of(first).reason != VisualServo.Result.NODE_ERROR
    assert world.send(tracks_goal(max_steps=1)).accepted


def test_cancel_ends_the_goal(world: World, wait_until: Callable[..., None]) -> None:
    handle = world.send(tracks_goal())
    wait_for_commands(world, 2, wait_until)
    assert len(answer(handle.cancel_goal_async()).goals_canceling) == 1
    response = answer(handle.get_result_async())
    assert response.status == GoalStatus.STATUS_CANCELED
    assert response.result.reason == VisualServo.Result.CANCELED
    require_silence(world)


@pytest.mark.fault
def test_camera_that_falls_silent_ends_the_goal(
    world: World, wait_until: Callable[..., None]
) -> None:
    handle = world.send(tracks_goal())
    wait_for_commands(world, 2, wait_until)
    world.hurry()
    world.seeing = False
    result = result_of(handle)
    assert result.reason == VisualServo.Result.STALE_IMAGE
    assert "check camera and perception" in result.message
    require_silence(world)


def test_work_that_takes_long_is_no_silence_of_the_driver(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node has one thread: while it compares pictures it hears nobody."""
    start = LucasKanadeTracker.start

    def slowly(self: LucasKanadeTracker, image: np.ndarray, points: np.ndarray) -> Tracks:
        time.sleep(2.5 * HURRIED_S)
        return start(self, image, points)

    monkeypatch.setattr(LucasKanadeTracker, "start", slowly)
    world.hurry()
    result = result_of(world.send(tracks_goal(max_steps=2)))
    assert (result.reason, result.steps) == (VisualServo.Result.TIMEOUT, 2)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (SafetyState.ESTOP, VisualServo.Result.ESTOPPED),
        (SafetyState.FAULT, VisualServo.Result.ROBOT_FAULT),
        (SafetyState.INACTIVE, VisualServo.Result.ROBOT_NOT_READY),
    ],
)
def test_robot_that_stops_ends_the_goal(
    world: World, wait_until: Callable[..., None], state: int, reason: int
) -> None:
    handle = world.send(tracks_goal())
    wait_for_commands(world, 2, wait_until)
    world.state = state
    result = result_of(handle)
    assert result.reason == reason, result.message
    assert "because" in result.message
    require_silence(world)


@pytest.mark.fault
def test_driver_that_falls_silent_ends_the_goal(
    world: World, wait_until: Callable[..., None]
) -> None:
    handle = world.send(tracks_goal())
    wait_for_commands(world, 2, wait_until)
    world.hurry()
    world.driving = False
    result = result_of(handle)
    assert result.reason == VisualServo.Result.ROBOT_NOT_READY
    assert "Start the driver" in result.message
    refused = result_of(world.send(tracks_goal()))
    assert refused.reason == VisualServo.Result.ROBOT_NOT_READY
    assert refused.steps == 0
    require_silence(world)


@pytest.mark.fault
def test_driver_of_another_robot_is_refused(world: World) -> None:
    world.channel_names = ["a", "b", "c"]
    time.sleep(0.5)  # until the node has heard of them
    result = result_of(world.send(tracks_goal()))
    assert result.reason == VisualServo.Result.ROBOT_NOT_READY
    assert "same robot file" in result.message
    assert not world.commands


@pytest.mark.fault
def test_encodings_of_another_checkpoint_are_refused(world: World) -> None:
    world.checkpoint_id = "another"
    time.sleep(0.5)
    result = result_of(world.send(tracks_goal()))
    assert result.reason == VisualServo.Result.STALE_IMAGE
    assert "checkpoint another" in result.message
    assert not world.commands


@pytest.mark.fault
def test_deactivation_aborts_the_goal(world: World, wait_until: Callable[..., None]) -> None:
    handle = world.send(tracks_goal())
    wait_for_commands(world, 2, wait_until)
    assert world.change(DEACTIVATE)
    result = result_of(handle)
    assert result.reason == VisualServo.Result.NODE_ERROR
    assert "deactivated" in result.message
    assert not world.send(tracks_goal()).accepted
    require_silence(world)
    assert world.change(ACTIVATE)
    assert result_of(world.send(tracks_goal(max_steps=2))).steps == 2


def bad_goals() -> dict[str, tuple[VisualServo.Goal, str]]:
    unmatched = tracks_goal()
    unmatched.tracks_goal.ids = [1000 + i for i in range(len(unmatched.tracks_goal.ids))]
    uneven = tracks_goal()
    uneven.tracks_goal.u_px = uneven.tracks_goal.u_px[:-1]
    blind = VisualServo.Goal(kind=VisualServo.Goal.POINTS_3D)
    small = np.zeros((10, 10, 3), np.uint8)
    same = VisualServo.Goal(
        kind=VisualServo.Goal.GOAL_IMAGE, goal_image=image_to_msg(picture(), Header(), "rgb8")
    )
    return {
        "unknown kind": (VisualServo.Goal(kind=7), "goal kind 7 is unknown"),
        "not a number": (VisualServo.Goal(timeout_s=float("nan")), "timeout_s is nan"),
        "too few spots": (tracks_goal(spots=[0, 0, 1]), "spots has 3 numbers, tracks_now 60"),
        "spots in a picture": (
            VisualServo.Goal(kind=VisualServo.Goal.GOAL_IMAGE, spots=[0]),
            "they go with POINT_TRACKS",
        ),
        "no common id": (unmatched, "Give the same point the same id"),
        "uneven arrays": (uneven, "expected equally many"),
        "no demonstration": (
            VisualServo.Goal(kind=VisualServo.Goal.DEMONSTRATION),
            "demonstration is empty",
        ),
        "few points": (
            VisualServo.Goal(
                kind=3, tracks_now=unmatched.tracks_goal, demonstration=demonstration(0.0, 9.0)
            ),
            "0 points visible in the last",
        ),
        "no points": (blind, "none of the 0 points"),
        "image size": (
            VisualServo.Goal(kind=1, goal_image=image_to_msg(small, Header(), "rgb8")),
            "goal_image is 10x10 px, 'camera_0' sends 320x240",
        ),
        "image without motion": (same, "usable points, at least"),
    }


@pytest.mark.parametrize("name", bad_goals())
def test_wrong_goal_is_refused_in_words(world: World, name: str) -> None:
    goal, message = bad_goals()[name]
    result = result_of(world.send(goal))
    assert result.reason == VisualServo.Result.INVALID_GOAL, result.message
    assert message in result.message
    assert not world.commands


def test_jacobian_field_is_published_for_a_subscriber(
    world: World, wait_until: Callable[..., None]
) -> None:
    fields: list[JacobianFieldMsg] = []
    world.create_subscription(JacobianFieldMsg, "jacobian_field", fields.append, 1)
    wait_until(lambda: fields)
    field = fields[0]
    assert len(field.jacobian) == len(field.points) * 3 * 3
    assert len(field.confidence) == len(field.points)
    assert list(field.channel_units) == ["rad"] * 3
    assert not world.commands


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"robot": "arm"}, "robot arm"),
        ({"channel_names": ["joint_0", "joint_1", "elbow"]}, "channel_names"),
        (
            {"camera": CameraRecord.of(CAMERA).model_copy(update={"name": "other"})},
            "camera 'other'",
        ),
    ],
)
def test_checkpoint_of_something_else_is_refused(
    ros_context: None, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "other.pt"
    write_checkpoint(path, **change)
    values = {"robot_file": str(ROBOT_FILE), "checkpoint": str(path)}
    node = JacobianFieldNode(
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
    )
    logged: list[str] = []
    node.get_logger = lambda: type("Log", (), {"error": lambda self, text: logged.append(text)})()  # type: ignore[method-assign]
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert message in logged[0]
    assert node._state_machine.current_state[0] == State.PRIMARY_STATE_UNCONFIGURED
    node.destroy_node()


def test_reasons_are_those_of_the_action() -> None:
    for reason in Reason:
        assert getattr(VisualServo.Result, reason.name) == reason
