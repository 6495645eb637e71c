"""Lifecycle node `jacobian_field`: serves `visual_servo`, one goal at a time.

Every callback runs in the executor's one thread, so there are no locks and no half-updated state:
tracking and one step take about 15 ms of a frame. Subscriptions keep few messages, so what comes
meanwhile is dropped, not queued. The action waits in a coroutine, which costs nothing.

Commands are published only while a goal runs. When it ends the node is silent, and the driver's
watchdog holds the robot where it stands.
"""

import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from njf_control.nodes.depth_watch import DepthWatch, watch_depth
from njf_control.nodes.goal_run import GoalRun, Outcome
from njf_control.nodes.robot_watch import RobotWatch
from njf_control.nodes.servo_messages import (
    command_msg,
    feedback_msg,
    goal_maker,
    jacobian_field_msg,
    result_msg,
)
from njf_control.nodes.servo_parameters import declare_parameters, servo_config, waypoint_config
from njf_control.nodes.servo_view import ServoView
from njf_control.robot import load_robot
from njf_control.servo import Reason, Servo, ServoStep
from njf_control.servo.correction import CorrectionConfig, JacobianCorrection
from njf_control.servo.goal import GoalError
from njf_control.servo.model import CheckpointModel
from njf_control.servo.session import EncodedImage, Session
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, JacobianField, SceneEncoding
from njf_perception.camera import Camera, pixel_grid
from njf_perception.depth_image import depth_at
from njf_perception.errors import CheckpointError, NjfError
from njf_perception.nodes.conversions import (
    camera_from_info,
    image_from_msg,
    ns_to_stamp,
    stamp_to_ns,
)
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Figures, Health
from njf_perception.nodes.encoding import encoding_from_msg
from njf_perception.nodes.lifecycle import GuardedLifecycleNode
from njf_perception.nodes.main import run
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

_CHECK_PERIOD_S = 0.05
_RESULT_KEPT_S = 30  # for who asks late; a goal image of 1 MB is kept as long
_SHOWN = 0.2  # confidence from which a point is worth publishing


class JacobianFieldNode(GuardedLifecycleNode):
    """See the module. `options` are those of rclpy's Node."""

    def __init__(self, **options: Any) -> None:
        super().__init__("jacobian_field", **options)
        declare_parameters(self)
        self._run: GoalRun | None = None
        self._correction: JacobianCorrection | None = None
        self._busy = self._active = False
        self._camera: Camera | None = None
        self._depth: DepthWatch | None = None
        self._problem = ""
        self._age_s = float("nan")
        self._field_s = -float("inf")  # when the last field was published
        self._steps = Figures()
        self._release: list[Callable[[], object]] = []
        DiagnosticsPublisher(self, "jacobian_field", self._health)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load robot and checkpoint, connect the topics."""
        return self.attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Take goals from now on."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Abort the goal and publish no more commands."""
        self._active = False
        self._finish(Outcome(Reason.NODE_ERROR, "the node was deactivated"))
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Disconnect."""
        return self.attempt(self._disconnect)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Abort the goal and disconnect."""
        return self.attempt(self._disconnect)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Abort the goal and disconnect."""
        return self.attempt(self._disconnect)

    def _configure(self) -> None:
        self._robot = load_robot(self._value("robot_file"))
        self._correction = None
        self._model = CheckpointModel(self._value("checkpoint"), self._robot)
        self._camera_name = self._value("camera") or self._robot.control_camera.name
        if self._model.camera_name != self._camera_name:
            raise CheckpointError(
                f"checkpoint has camera '{self._model.camera_name}', this node uses "
                f"'{self._camera_name}'. Use the checkpoint of this camera."
            )
        self._connect()

    def _connect(self) -> None:
        self._watch = RobotWatch(self, self._robot.channel_names)
        # First, since what is ready at once is handled in this order: depth before its encoding.
        times = self._value("depth_slop_s"), self._value("image_timeout_s")
        self._depth = watch_depth(self, self._robot, self._camera_name, *times)
        self._commands = self.create_publisher(Command, "command", 1)
        self._fields = self.create_publisher(JacobianField, "jacobian_field", 1)
        self._view = ServoView(self, self._camera_name)
        name, sensor = self._camera_name, qos_profile_sensor_data
        subscribe = self.create_subscription
        subscriptions = [
            subscribe(Image, f"{name}/image_raw", self._on_image, sensor),
            subscribe(CameraInfo, f"{name}/camera_info", self._on_info, sensor),
            subscribe(SceneEncoding, "perception/encoding", self._on_encoding, QoSProfile(depth=1)),
        ]
        server = ActionServer(
            self,
            VisualServo,
            "visual_servo",
            self._execute,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            result_timeout=_RESULT_KEPT_S,
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(_CHECK_PERIOD_S, self._check, clock=steady)
        self._release = [
            lambda: self.destroy_timer(timer),
            server.destroy,
            self._watch.close,
            self._view.close,
            lambda: [self.destroy_subscription(subscription) for subscription in subscriptions],
            lambda: self.destroy_publisher(self._commands),
            lambda: self.destroy_publisher(self._fields),
        ]

    def _disconnect(self) -> None:
        self._active = False
        self._finish(Outcome(Reason.NODE_ERROR, "the node was shut down"))
        while self._release:
            self._release.pop(0)()
        if self._depth is not None:
            self._depth.close()
        self._camera = self._depth = None

    # The action ---------------------------------------------------------------------------------

    def _on_goal(self, request: VisualServo.Goal) -> GoalResponse:
        if not self._active or self._busy:
            why = (
                "another goal is running; cancel it first" if self._busy else "the node is inactive"
            )
            self.get_logger().warning(f"goal rejected: {why}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        """Not in `_on_goal`: a goal whose client went away meanwhile is never executed."""
        self._busy = True
        handle.execute()

    async def _execute(self, handle: ServerGoalHandle) -> VisualServo.Result:
        """Run one goal. Awaits the outcome that `_finish` sets; never blocks the executor."""
        error_px, steps, elapsed_s = float("nan"), 0, 0.0
        begun = self._begin(handle)
        if isinstance(begun, GoalRun):
            await begun.ended
            error_px, steps, elapsed_s = begun.error_px, begun.session.servo.steps, begun.elapsed_s
        outcome = begun.outcome if isinstance(begun, GoalRun) else begun
        assert outcome is not None  # a run that ended has one
        self._busy = False
        self.get_logger().info(f"goal ended: {outcome.reason.name}, {outcome.message}")
        endings = {Reason.CONVERGED: handle.succeed, Reason.CANCELED: handle.canceled}
        endings.get(outcome.reason, handle.abort)()
        now = self.get_clock().now().to_msg()
        return result_msg(outcome.reason, outcome.message, error_px, steps, elapsed_s, now)

    def _begin(self, handle: ServerGoalHandle) -> GoalRun | Outcome:
        """Take up a goal; the outcome when that is not possible."""
        try:
            self._run = run = self._start(handle)
        except GoalError as error:
            return Outcome(Reason.INVALID_GOAL, str(error))
        except Exception as error:
            self.get_logger().error(traceback.format_exc())
            return Outcome(Reason.NODE_ERROR, f"{error!r}; see the node's log")
        self._check()
        return run

    def _start(self, handle: ServerGoalHandle) -> GoalRun:
        """Make the run of a goal.

        Raises:
            GoalError: the request is malformed.
        """
        request = handle.request
        config = servo_config(self, float(request.tolerance_px))
        make_goal = goal_maker(request, config.min_points)
        self._watch.begin()
        history = self._watch.history
        correction = self._correct(config.correction)
        servo = Servo(config, self._model.space, history, int(request.max_steps), correction)
        following = waypoint_config(self)
        session = Session(
            make_goal,
            LucasKanadeTracker,
            self._model,
            servo,
            following=following,
            depth=self._measured,
        )
        return GoalRun(handle, session, request.timeout_s or self._value("timeout_s"))

    def _correct(self, config: CorrectionConfig) -> JacobianCorrection:
        """What earlier goals have taught; begins anew when its settings have changed."""
        if self._correction is None or self._correction.config != config:
            self._correction = JacobianCorrection(config, len(self._robot.channel_names))
        return self._correction

    def _finish(self, outcome: Outcome) -> None:
        """End the running goal, if any; no command follows."""
        if self._run is not None:
            run, self._run = self._run, None
            run.end(outcome)

    def _check(self) -> None:
        """End the goal when it was canceled, or robot, camera or time say so."""
        if self._run is None:
            return
        if not self._watch.known:
            self._run.session.paired_s = time.monotonic()  # images wait for the driver
        outcome = self._run.overdue(self._value("image_timeout_s"))
        problem = self._watch.problem(self._value("robot_timeout_s"))
        if problem is not None and (outcome is None or outcome.reason is not Reason.CANCELED):
            outcome = Outcome(*problem)
        if outcome is None:
            return
        if outcome.reason is Reason.STALE_IMAGE and self._problem:
            outcome = Outcome(outcome.reason, f"{outcome.message}. {self._problem}")
        self._finish(outcome)

    # The loop -----------------------------------------------------------------------------------

    def _on_info(self, msg: CameraInfo) -> None:
        self._view.frame_id = msg.header.frame_id
        if self._camera is None:
            self._guarded(
                lambda: setattr(self, "_camera", camera_from_info(msg, self._camera_name))
            )

    def _on_image(self, msg: Image) -> None:
        if self._depth is not None:
            self._depth.see(msg)
        if self._run is not None and self._camera is not None and self._watch.known:
            self._guarded(lambda: self._track(msg))

    def _on_encoding(self, msg: SceneEncoding) -> None:
        if self._active:
            self._guarded(lambda: self._use(msg))

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a callback's work; what it raises ends the goal, not the node."""
        try:
            work()
        except GoalError as error:
            self._finish(Outcome(Reason.INVALID_GOAL, str(error)))
        except NjfError as error:
            self._report(str(error))
            self._finish(Outcome(Reason.NODE_ERROR, str(error)))
        except Exception as error:
            self.get_logger().error(traceback.format_exc())
            self._finish(Outcome(Reason.NODE_ERROR, f"{error!r}; see the node's log"))

    def _track(self, msg: Image) -> None:
        assert self._run is not None and self._camera is not None  # checked by the caller
        stamp_ns, begin_s = stamp_to_ns(msg.header.stamp), time.monotonic()
        step = self._run.session.on_image(stamp_ns, image_from_msg(msg), self._camera)
        self._watch.excuse(time.monotonic() - begin_s)
        self._answer(stamp_ns, step)

    def _use(self, msg: SceneEncoding) -> None:
        if msg.checkpoint_id != self._model.content_id:
            self._report(
                f"encodings come from checkpoint {msg.checkpoint_id}, this node has "
                f"{self._model.content_id}. Start perception with the same checkpoint."
            )
            return
        self._problem = ""
        encoding, camera = encoding_from_msg(msg, self._camera_name)
        encoded = EncodedImage(stamp_to_ns(msg.header.stamp), encoding, camera)
        if self._run is not None:
            begin_s = time.monotonic()
            step = self._run.session.on_encoding(encoded)
            self._watch.excuse(time.monotonic() - begin_s)
            self._answer(encoded.stamp_ns, step)
        if self._fields.get_subscription_count() > 0:
            self._publish_field(encoded, msg)

    def _measured(self, stamp_ns: int, camera: Camera) -> Float32[np.ndarray, "h w"] | None:
        """The depth image of an image [m], if the loop's camera measures depth."""
        return None if self._depth is None else self._depth.at(stamp_ns, camera)

    def _answer(self, stamp_ns: int, step: ServoStep | None) -> None:
        """Publish the command of a step, tell the client, and end the goal when it was the last."""
        if step is None or self._run is None:
            return
        self._check()
        run = self._run
        if run is None:
            return
        now = self.get_clock().now()
        command = command_msg(
            self._model.space, step, ns_to_stamp(stamp_ns), now.to_msg(), self.get_name()
        )
        self._commands.publish(command)
        self._view.show(run.session.pursued, ns_to_stamp(stamp_ns))
        self._age_s = (now.nanoseconds - stamp_ns) * 1e-9
        outcome = run.note(step)
        timings = run.session.timings
        self._steps.add(timings.track_s + timings.jacobian_s + timings.solve_s)
        run.handle.publish_feedback(feedback_msg(step, command, run.rate_hz))
        if outcome is not None:
            self._finish(outcome)

    def _publish_field(self, encoded: EncodedImage, msg: SceneEncoding) -> None:
        """Jacobians on a grid of pixels that are not likely beside the robot, or wrong."""
        now_s = time.monotonic()
        if now_s - self._field_s < 1.0 / self._value("field_rate_hz"):
            return
        self._field_s = now_s
        stride = self._value("field_stride_px")
        grid = pixel_grid(encoded.camera.width, encoded.camera.height)
        pixels = grid[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
        depth_m = self._measured(encoded.stamp_ns, encoded.camera)
        measured_m = None if depth_m is None else depth_at(depth_m, pixels)
        surface = self._model.evaluate(encoded.encoding, encoded.camera, pixels, measured_m)
        shown = surface.confidence > _SHOWN
        units = self._robot.channel_units
        self._fields.publish(
            jacobian_field_msg(surface, shown, self._model.space, units, msg.header)
        )

    # Reports ------------------------------------------------------------------------------------

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self.get_logger().error(problem)
            self._problem = problem

    def _health(self) -> Health:
        rate_hz, step_s = self._steps.read()
        values: dict[str, float | int | str] = {"rate_hz": rate_hz, "step_ms": step_s * 1e3}
        values["image_age_ms"] = self._age_s * 1e3
        if self._run is not None:
            timings = self._run.session.timings
            values["track_ms"] = timings.track_s * 1e3
            values["jacobian_ms"] = timings.jacobian_s * 1e3
            values["solve_ms"] = timings.solve_s * 1e3
            values["error_px"] = self._run.error_px
        if self._depth is not None:
            values["depth_images"] = self._depth.used
        if problem := self.refusal or self._problem:
            return Health(problem, error=True, values=values)
        if self._depth is not None and self._depth.problem:
            return Health(self._depth.problem, warning=True, values=values)
        idle = "waiting for a goal" if self._active else "not active"
        return Health("servoing" if self._run is not None else idle, values=values)


def main() -> int:
    """Run the node. One torch thread: the point batches are too small to share."""
    torch.set_num_threads(1)
    return run(JacobianFieldNode)


if __name__ == "__main__":
    raise SystemExit(main())
