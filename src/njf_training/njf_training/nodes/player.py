"""Lifecycle node `player`: plays a recording with /clock, for nodes that run with use_sim_time.

Sensors and states come back under their names and with their stamps. Nothing that moves a robot
does: recorded commands go to `recorded/command`.
"""

import importlib
import threading
import time
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMsg
from std_msgs.msg import Header

from njf_control.robot import load_robot
from njf_perception.bag import header_stamp_ns
from njf_perception.errors import ConfigError, DataError, NjfError
from njf_perception.message_image import COMPRESSED_TYPE, IMAGE_TYPE, decode_depth, decode_rgb
from njf_perception.nodes.conversions import image_to_msg, ns_to_stamp
from njf_perception.nodes.lifecycle import GuardedLifecycleNode
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_training.recording.playback import Due, Playback

CLOCK_PERIOD_S = 0.01
_END_CHECK_S = 0.1
_LATCHED = ("/tf_static", "safety_state")


class PlayerNode(GuardedLifecycleNode):
    """Plays when activated, stops when deactivated, ends its process after the last message."""

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("player", parameter_overrides=overrides)
        declare(self, "robot_file", "", "robot configuration file [path]", read_only=True)
        declare(self, "bag", "", "bag folder or data file to play [path]", read_only=True)
        declare(self, "rate", 1.0, "recorded seconds per second [-]", 0.01, 100.0, True)
        declare(self, "patience", 30.0, "longest wait for who reads the images [s]", 0.0, 600.0)
        self._playback: Playback | None = None
        self._outputs: dict[str, Publisher] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._failure: NjfError | None = None
        self._ended = False
        self._played = self._told_ns = 0
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._clock_output = self.create_publisher(ClockMsg, "/clock", qos)
        # Its own clock stands still until it plays.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_END_CHECK_S, self._check, clock=steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Look through the bag and announce its topics."""
        return self.attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Play from the beginning."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._play, name="play")
        self._thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop playing."""
        self._stop()
        return super().on_deactivate(state)

    def destroy_node(self) -> None:
        """Stop playing on every path out."""
        self._stop()
        super().destroy_node()

    def _configure(self) -> None:
        bag = self._value("bag")
        if not bag:
            raise ConfigError("bag is empty; expected a bag to play. Pass it.")
        path = Path(bag)
        robot = load_robot(self._value("robot_file"))
        rate = self._value("rate")
        self._playback = Playback(path, robot, rate)
        self._image_name = f"{robot.control_camera.name}/image_raw"
        for name, type_name in self._playback.types.items():
            latched = name in _LATCHED
            durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
            qos = QoSProfile(depth=10, durability=durability)
            kind = IMAGE_TYPE if type_name == COMPRESSED_TYPE else type_name
            self._outputs[name] = self.create_publisher(message_class(kind), name, qos)
        self.get_logger().info(
            f"{bag}: {self._playback.duration_s:.1f} s, plays {', '.join(sorted(self._outputs))}"
        )

    def _play(self) -> None:
        """Body of the playing thread."""
        assert self._playback is not None  # configured
        try:
            self._wait_for_readers()
            begin_s = time.monotonic()
            for due in self._playback:
                if not self._wait_for(due, begin_s):
                    return
                self._tell_time(due.clock_ns)
                self._show(due)
        except NjfError as error:
            self._failure = error
        self._ended = not self._stopping.is_set()

    def _wait_for_readers(self) -> None:
        deadline_s = time.monotonic() + self._value("patience")
        images = self._outputs[self._image_name]
        while images.get_subscription_count() == 0 and time.monotonic() < deadline_s:
            if self._stopping.wait(_END_CHECK_S):
                return

    def _wait_for(self, due: Due, begin_s: float) -> bool:
        """Until a message is due, with a clock that goes on; False when told to stop."""
        rate = self._value("rate")
        while not self._stopping.is_set():
            left_s = begin_s + due.after_s - time.monotonic()
            if left_s <= 0:
                return True
            if left_s > CLOCK_PERIOD_S and self._played:
                self._tell_time(due.clock_ns - int(left_s * rate * 1e9))
            self._stopping.wait(min(left_s, CLOCK_PERIOD_S))
        return False

    def _tell_time(self, time_ns: int) -> None:
        if time_ns > self._told_ns:  # messages are written nearly in order
            self._told_ns = time_ns
            self._clock_output.publish(ClockMsg(clock=ns_to_stamp(time_ns)))

    def _show(self, due: Due) -> None:
        message = due.message
        is_compressed = message.type_name == COMPRESSED_TYPE
        self._outputs[due.name].publish(self._raw(due) if is_compressed else message.data)
        self._played += 1

    def _raw(self, due: Due) -> Any:
        """The raw image of a compressed one."""
        assert self._playback is not None  # configured
        topic, type_name = due.message.topic, due.message.type_name
        decoded = self._playback.decode(due)
        stamp = ns_to_stamp(header_stamp_ns(due.message.data))
        header = Header(stamp=stamp, frame_id=decoded.header.frame_id)
        if "compressedDepth" in decoded.format:
            return image_to_msg(decode_depth(decoded, topic, type_name), header, "16UC1")
        return image_to_msg(decode_rgb(decoded, topic, type_name), header, "rgb8")

    def _check(self) -> None:
        """End the process after the last message."""
        if self._failure is not None:
            raise self._failure
        if self._ended:
            self.get_logger().info(f"played {self._played} messages; the recording is at its end")
            self.context.try_shutdown()

    def _stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def message_class(type_name: str) -> type:
    """The class of a message type such as "sensor_msgs/msg/Image".

    Raises:
        DataError: its package is not installed.
    """
    package, _, name = type_name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        raise DataError(
            f"{type_name} cannot be played: its package {package} is not installed. Install it."
        ) from None


def main() -> int:
    """Entry point of the process."""
    return run(PlayerNode)


if __name__ == "__main__":
    raise SystemExit(main())
