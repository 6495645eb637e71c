"""Node `browser`: a web page to look at the robot and its Jacobian field, to set goals and to stop.

It subscribes only while a page is open. A goal that was sent from the page is cancelled when no
page is open any more. See docs/browser.md.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from jaxtyping import UInt8
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_bringup.browser.access import access_for
from njf_bringup.browser.drags import Drag, goal_points
from njf_bringup.browser.page import Page
from njf_bringup.browser.server import PageServer
from njf_bringup.browser.surface import filled, photo_colors
from njf_bringup.browser.view import ErrorLog, Frame, Level, NodeHealth, Safety, View
from njf_bringup.goals.placing import place, require_ready
from njf_bringup.goals.store import FOLDER, GoalStore
from njf_bringup.goals.taught import image_goal, tracks_goal
from njf_bringup.nodes.goal_messages import goal_message
from njf_bringup.nodes.goal_sender import GoalSender
from njf_control.nodes.visualization_messages import field_from_msg
from njf_control.robot import load_robot
from njf_control.visualization.field import FieldView
from njf_control.visualization.overlay import Aim
from njf_msgs.action import VisualServo
from njf_msgs.msg import JacobianField, PointTracks, SafetyState
from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.camera import Camera
from njf_perception.errors import CommandRejectedError, NjfError, StaleDataError
from njf_perception.frames import optical_frame, prefix_of, world_frame
from njf_perception.nodes.conversions import (
    camera_from_info,
    image_from_msg,
    stamp_to_ns,
    tracks_from_msg,
    tracks_to_msg,
    transform_to_matrix,
)
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Health
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_perception.nodes.services import call
from tf2_ros import Buffer, TransformException, TransformListener

_CHECK_PERIOD_S = 0.25
_LINGER_S = 10.0  # a page that is busy is not gone at once
_GOAL_TIMEOUT_S = 30.0
_SERVICE_S = 5.0
_SILENT_S = 2.0  # the driver speaks ten times a second
_STALE_S = 2.0  # an older picture says nothing about now
_OLD_S = 1.0  # tracks that are older belong to a goal that is over
_STATES = {
    getattr(SafetyState, name): name
    for name in ("INACTIVE", "READY", "RUNNING", "HOLDING", "ESTOP", "FAULT")
}
_LEVELS: dict[bytes, Level] = {
    DiagnosticStatus.OK: "ok",
    DiagnosticStatus.WARN: "warning",
    DiagnosticStatus.ERROR: "error",
    DiagnosticStatus.STALE: "stale",
}


class BrowserNode(Node):
    """See the module. It is the `Robot` of the pages, which call it from the web server."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("browser", parameter_overrides=overrides)
        file = declare(self, "robot_file", "", "Path of config/robots/<robot>.yaml", read_only=True)
        self._robot = load_robot(file)
        text = "Camera of the loop; empty: the robot file's"
        self._camera_name = declare(self, "camera", "", text, read_only=True)
        self._camera_name = self._camera_name or self._robot.control_camera.name
        self._frame_id = optical_frame(self._camera_name)  # until a camera_info says another
        text = "Address to serve at; beyond localhost visitors need a token"
        host = declare(self, "host", "localhost", text, read_only=True)
        port = declare(self, "port", 8080, "TCP port to serve at", 1, 65535, read_only=True)
        declare(self, "min_confidence", 0.3, "Least confidence of points that are shown", 0.0, 1.0)
        text = "A goal is cancelled when no page was open for so long [s]"
        declare(self, "abandoned_after_s", 2.0, text, 0.5, 60.0)
        text = "Folder of saved goals, as `njf goal --goals` [path]"
        folder = declare(self, "goals", str(FOLDER), text, read_only=True)
        self._store = GoalStore(self._robot, Path(folder))
        self._make_clients()
        self._inputs: list[Subscription] = []
        self._transforms: TransformListener | None = None
        self._problem = ""
        self._forget()
        access = access_for(host, port)
        self._server = PageServer(
            access, f"NJF {self._robot.name}", lambda: Page(self, self._robot) and None
        )
        self._seen_s = time.monotonic()
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a bag that is paused stops the other
        self.create_timer(_CHECK_PERIOD_S, self._look_for_visitors, clock=steady)
        DiagnosticsPublisher(self, "browser", self._health_of_page)
        print(f"browser page: {access.url}", flush=True)

    def destroy_node(self) -> None:
        """Close the page first."""
        if hasattr(self, "_server"):
            self._server.close()
        super().destroy_node()

    # What the page asks ---------------------------------------------------------------------------

    def view(self) -> View:
        """The newest of everything; from any thread."""
        poses = self._poses()
        return View(
            frame=self._frame,
            camera=self._camera,
            field=self._surface[0],
            surface=self._surface[1],
            photo=self._surface[2],
            T_world_camera=poses.get(self._camera_name),
            cameras=poses,
            aim=self._aim if time.monotonic() - self._aim_s < _OLD_S else None,
            errors=self._errors.steps,
            safety=self._safety_now(),
            health=tuple(self._health[name] for name in sorted(self._health)),
            pursuit=self._goals.pursuit,
        )

    def start(self, drags: list[Drag], tolerance_px: float) -> str:
        """Send the drags as a goal. Raises NjfError."""
        image, header = self._fresh()
        now, then, spots = goal_points(drags, image)
        ids = np.arange(len(now.points))
        self._send(
            VisualServo.Goal(
                header=header,
                kind=VisualServo.Goal.POINT_TRACKS,
                tracks_now=tracks_to_msg(ids, now, header),
                tracks_goal=tracks_to_msg(ids, then, header),
                spots=spots.tolist(),
                tolerance_px=tolerance_px,
                timeout_s=_GOAL_TIMEOUT_S,
            )
        )
        return ""

    def saved(self) -> list[str]:
        """Names of the saved goals."""
        return self._store.names()

    def save(self, name: str, drags: list[Drag]) -> str:
        """Save the drags as a goal; without any, what the camera sees. Raises NjfError."""
        image, _ = self._fresh()
        self._store.require_free(name)
        if drags:
            now, then, spots = goal_points(drags, image)
            points = now.points.astype(np.float64), then.points.astype(np.float64)
            goal = tracks_goal(image, *points, spots=spots)
        else:
            goal = image_goal(image)
        return f"Saved in {self._store.save(name, goal)}."

    def start_saved(self, name: str, tolerance_px: float) -> str:
        """Send a saved goal. Raises NjfError."""
        image, header = self._fresh()
        goal = self._store.load(name)
        placed = place(goal, image)
        require_ready(name, placed)
        self._send(goal_message(goal, placed.now, header, _GOAL_TIMEOUT_S, tolerance_px))
        return ""

    def _fresh(self) -> tuple[UInt8[np.ndarray, "h w 3"], Header]:
        """The newest image and its header. Raises StaleDataError."""
        frame, header = self._frame, self._header
        if frame is None or header is None or frame.age_s > _STALE_S:
            raise StaleDataError("there is no fresh picture. See whether the camera runs.")
        return frame.image, header

    def _send(self, goal: VisualServo.Goal) -> None:
        safety = self._safety_now()
        if safety.state in ("ESTOP", "FAULT", "INACTIVE", "UNKNOWN"):
            raise CommandRejectedError(f"the robot is {safety.state}: {safety.reason}.")
        self._goals.send(goal)

    def stop(self) -> str:
        """Cancel whatever goal is running. Raises NjfError."""
        self._goals.stop()
        return "Stopped: no goal is running."

    def estop(self) -> str:
        """Latch the emergency stop. Raises NjfError."""
        request = EmergencyStop.Request(reason="pressed on the browser page")
        return self._ask(self._estop, request, repeat=True)  # latched twice is latched

    def reset(self) -> str:
        """Release the emergency stop. Raises NjfError."""
        return self._ask(self._reset, ResetEmergencyStop.Request(), repeat=False)

    def _ask(self, client: Any, request: Any, repeat: bool) -> str:
        try:
            response = call(client, request, time.sleep, _SERVICE_S, repeat)
        except NjfError as error:
            raise type(error)(f"{error} To be safe, cut the robot's power.") from None
        if not response.success:
            raise CommandRejectedError(response.message)
        return response.message

    # Visitors -------------------------------------------------------------------------------------

    def _look_for_visitors(self) -> None:
        """Subscribe while somebody looks; leave no goal running that nobody watches."""
        if self._server.visitors:
            self._seen_s = time.monotonic()
            if not self._inputs:
                self._inputs = self._subscribe()
            return
        alone_s = time.monotonic() - self._seen_s
        if self._goals.running and alone_s > self._value("abandoned_after_s"):
            self._goals.abandon("no page is open any more")
        if self._inputs and not self._goals.running and alone_s > _LINGER_S:
            self._unsubscribe()

    def _make_clients(self) -> None:
        self._goals = GoalSender(self)
        self._estop = self.create_client(EmergencyStop, "estop")
        self._reset = self.create_client(ResetEmergencyStop, "estop_reset")

    def _subscribe(self) -> list[Subscription]:
        name, sensor = self._camera_name, qos_profile_sensor_data
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._buffer = Buffer()
        self._transforms = TransformListener(self._buffer, self)
        wanted: list[tuple[type, str, Callable[[Any], None], Any]] = [
            (CameraInfo, f"{name}/camera_info", self._guarded(self._on_info), sensor),
            (Image, f"{name}/image_raw", self._guarded(self._on_image), sensor),
            (JacobianField, "jacobian_field", self._guarded(self._on_field), 1),
            (PointTracks, "visual_servo/tracks", self._guarded(self._on_tracks), 5),
            (PointTracks, "visual_servo/targets", self._on_targets, 5),
            (SafetyState, "safety_state", self._on_safety, latched),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics, 10),
        ]
        return [self.create_subscription(*arguments) for arguments in wanted]

    def _unsubscribe(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._transforms is not None:
            self._transforms.unregister()
        self._forget()

    def _forget(self) -> None:
        """Nothing is known any more: what was seen before a pause is old."""
        self._buffer = Buffer()
        self._frame: Frame | None = None
        self._header: Header | None = None
        self._camera: Camera | None = None
        self._pictures: deque[tuple[int, Any]] = deque(maxlen=10)
        self._surface: tuple[FieldView | None, FieldView | None, Any] = (None, None, None)
        self._targets: PointTracks | None = None
        self._aim: Aim | None = None
        self._aim_s = 0.0
        self._errors = ErrorLog()
        self._safety: tuple[Safety, float] = (Safety(), 0.0)
        self._health: dict[str, NodeHealth] = {}

    # What comes in --------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[Any], None]) -> Callable[[Any], None]:
        """A callback that tells of a message it cannot show, once, and goes on."""

        def callback(msg: Any) -> None:
            try:
                work(msg)
            except NjfError as error:
                if str(error) != self._problem:
                    self._problem = str(error)
                    self.get_logger().error(self._problem)

        return callback

    def _on_info(self, msg: CameraInfo) -> None:
        self._camera = camera_from_info(msg, self._camera_name)
        self._frame_id = msg.header.frame_id

    def _on_image(self, msg: Image) -> None:
        image = image_from_msg(msg)
        number = 0 if self._frame is None else self._frame.number + 1
        self._header = msg.header
        self._frame = Frame(number, image, time.monotonic())
        self._pictures.append((stamp_to_ns(msg.header.stamp), image))

    def _on_field(self, msg: JacobianField) -> None:
        """Keep the field with the colours of the picture in which it was seen."""
        half_range = (self._robot.upper - self._robot.lower) / 2
        field = field_from_msg(msg, self._robot.channel_names, half_range)
        field = field.sure(self._value("min_confidence"))
        stamp_ns, camera = stamp_to_ns(msg.header.stamp), self._camera
        images = [image for when_ns, image in self._pictures if when_ns == stamp_ns]
        if camera is not None and images:
            surface = filled(field, camera)
            self._surface = (field, surface, photo_colors(surface.points_m, camera, images[0]))

    def _on_targets(self, msg: PointTracks) -> None:
        self._targets = msg

    def _on_tracks(self, msg: PointTracks) -> None:
        targets = self._targets
        if targets is None or list(targets.ids) != list(msg.ids):
            return  # the goal has just changed
        (_, now), (_, then) = tracks_from_msg(msg), tracks_from_msg(targets)
        points = now.points.astype(np.float64), then.points.astype(np.float64)
        self._aim = Aim(*points, now.visible & then.visible)
        self._aim_s = time.monotonic()
        self._errors.add(stamp_to_ns(msg.header.stamp), self._aim)

    def _on_safety(self, msg: SafetyState) -> None:
        state = _STATES.get(msg.state, f"STATE {msg.state}")
        self._safety = (Safety(state, msg.reason), time.monotonic())

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            self._health[status.name] = NodeHealth(
                status.name,
                _LEVELS.get(status.level, "error"),
                status.message,
                {pair.key: pair.value for pair in status.values},
                time.monotonic(),
            )

    def _safety_now(self) -> Safety:
        safety, received_s = self._safety
        return safety if time.monotonic() - received_s < _SILENT_S else Safety()

    def _poses(self) -> dict[str, Any]:
        """Cameras of which a pose is known."""
        prefix = prefix_of(self._frame_id, self._camera_name)
        frames = {name: optical_frame(name, prefix) for name in self._robot.camera_names}
        frames[self._camera_name] = self._frame_id
        poses = {name: self._pose(world_frame(prefix), frame) for name, frame in frames.items()}
        return {name: pose for name, pose in poses.items() if pose is not None}

    def _pose(self, world: str, frame: str) -> Any:
        try:
            transform = self._buffer.lookup_transform(world, frame, Time())
        except TransformException:
            return None
        return transform_to_matrix(transform.transform)

    def _health_of_page(self) -> Health:
        message = self._problem or ("watched" if self._server.visitors else "nobody is looking")
        return Health(message, bool(self._problem), values={"pages": self._server.visitors})

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main() -> int:
    """Run the node until it is told to end."""
    return run(BrowserNode)


if __name__ == "__main__":
    raise SystemExit(main())
