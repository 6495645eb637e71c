"""Lifecycle node `shadow`: gives the solver a goal while a recording plays, and keeps the score.

The goal is the recording's last image. The solver answers every image as if it drove the robot,
but on `shadow/command`, where no driver listens.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from njf_bringup.json_file import write_json
from njf_bringup.nodes.servo_messages import image_goal, outcome_of
from njf_bringup.shadow_report import ShadowRun
from njf_control.robot import RobotConfig, load_robot
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, CommandApplied, SceneEncoding
from njf_perception.errors import ConfigError
from njf_perception.message_image import decode_rgb
from njf_perception.nodes.action_client import ThreadSafeActionClient
from njf_perception.nodes.conversions import stamp_to_ns
from njf_perception.nodes.lifecycle import GuardedLifecycleNode
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_training.recording.playback import Playback
from njf_training.recording.topics import RECORDED_COMMAND

GOALS = ("last", "none")
SHADOW_COMMAND = "shadow/command"


class ShadowNode(GuardedLifecycleNode):
    """Sends the goal again whenever it ended, until the recording does."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("shadow", parameter_overrides=overrides)
        declare(self, "robot_file", "", "robot configuration file [path]", read_only=True)
        declare(self, "bag", "", "recording that is played [path]", read_only=True)
        declare(self, "goal", "last", "last: the recording's last image; none [-]", read_only=True)
        declare(self, "output", "", "JSON to write at the end; empty: none [path]", read_only=True)
        declare(self, "goal_timeout", 60.0, "longest pursuit of the goal [s]", 1.0, 600.0)
        self._run: ShadowRun | None = None
        self._active = self._busy = False
        self._told = ""
        self._goal: VisualServo.Goal | None = None

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Find the goal in the recording, and listen."""
        return self.attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send the goal with the first image."""
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Send no more goals."""
        self._active = False
        return super().on_deactivate(state)

    def destroy_node(self) -> None:
        """Tell the score on every path out."""
        found, self._run = self._run, None
        try:
            if found is not None and found.encodings:
                print(found.text(), flush=True)
                output = self._value("output")
                if output:
                    write_json(Path(output), found.figures())
        finally:
            super().destroy_node()

    def _configure(self) -> None:
        wish = self._value("goal")
        if wish not in GOALS:
            raise ConfigError(f"goal is '{wish}'; expected {' or '.join(GOALS)}. Choose one.")
        robot = load_robot(self._value("robot_file"))
        camera = robot.control_camera.name
        if wish == "last":
            timeout_s = self._value("goal_timeout")
            bag = Path(self._value("bag"))
            self._goal = image_goal(last_image(bag, robot), Header(), timeout_s)
        self._run = score = ShadowRun((robot.upper - robot.lower) / 2)
        self._client = ThreadSafeActionClient(self, VisualServo, "visual_servo")
        sensor = qos_profile_sensor_data
        self.create_subscription(Image, f"{camera}/image_raw", self._on_image, sensor)
        self.create_subscription(
            SceneEncoding, "perception/encoding", partial(_count, score, "encodings"), 1, raw=True
        )
        self.create_subscription(
            Command, RECORDED_COMMAND, partial(_count, score, "recorded_commands"), 10, raw=True
        )
        names = robot.channel_names
        self.create_subscription(Command, SHADOW_COMMAND, partial(_note_command, score, names), 10)
        self.create_subscription(
            CommandApplied, "command_applied", partial(_note_applied, score, names), 10
        )

    def _on_image(self, msg: Image) -> None:
        goal = self._goal
        if goal is None or not self._active or self._busy or not self._client.server_is_ready():
            return
        self._busy = True
        goal.header = msg.header
        self._client.send_goal_async(goal).add_done_callback(self._on_answer)

    def _on_answer(self, sent: Future) -> None:
        handle: Any = sent.result()
        if handle is None or not handle.accepted:
            self._busy = False
            return
        handle.get_result_async().add_done_callback(self._on_result)

    def _on_result(self, done: Future) -> None:
        answer: Any = done.result()
        outcome = outcome_of(answer.result)
        if self._run is not None:
            endings = self._run.endings
            endings[outcome.reason] = endings.get(outcome.reason, 0) + 1
        text = f"goal ended: {outcome.reason}, {outcome.message}"
        if text != self._told:  # a robot that stands still ends every goal alike
            self._told = text
            self.get_logger().info(text)
        self._busy = False


def last_image(bag: Path, robot: RobotConfig) -> np.ndarray:
    """The last image of the robot's control camera in a recording, RGB.

    Raises:
        DataError: there is no such image, or it is damaged.
    """
    wanted = f"{robot.control_camera.name}/image_raw"
    playback, last = Playback(bag, robot), None
    for due in playback:
        if due.name == wanted:
            last = due
    assert last is not None  # Playback found some
    return decode_rgb(playback.decode(last), last.message.topic, last.message.type_name)


def _count(score: ShadowRun, name: str, _: bytes) -> None:
    setattr(score, name, getattr(score, name) + 1)


def _note_command(score: ShadowRun, names: list[str], msg: Command) -> None:
    values = dict(zip(msg.channel_names, msg.values, strict=True))
    score.commands.append((stamp_to_ns(msg.image_stamp), [values[name] for name in names]))


def _note_applied(score: ShadowRun, names: list[str], msg: CommandApplied) -> None:
    values = dict(zip(msg.channel_names, msg.applied, strict=True))
    score.applied.append((stamp_to_ns(msg.header.stamp), [values[name] for name in names]))


def main() -> int:
    """Entry point of the process."""
    return run(ShadowNode)


if __name__ == "__main__":
    raise SystemExit(main())
