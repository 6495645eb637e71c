"""A user of the graph: an onlooker who also moves the robot by set-points."""

import time
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from rclpy.qos import DurabilityPolicy, QoSProfile

from njf_bringup.demo.results import Picture
from njf_bringup.nodes.onlooker import Onlooker
from njf_control.robot import RobotConfig
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_perception.errors import CommandRejectedError
from njf_training.explore import SettleDetector

STREAM_PERIOD_S = 1 / 40
SETTLE_S = 0.2  # of standing still, at least
TOLERANCE = 0.01  # of half the range: what counts as standing still
SILENCE_S = 20.0  # that a motion may be late; generous, for a machine that is starting up
STOPPED = {
    SafetyState.INACTIVE: "INACTIVE",
    SafetyState.ESTOP: "ESTOP",
    SafetyState.FAULT: "FAULT",
}


class RobotClient(Onlooker):
    """Moves a robot and watches it; a context manager.

    Args:
        robot: the robot.
        check: called while waiting; raises when the graph has broken.
    """

    def __init__(self, robot: RobotConfig, check: Callable[[], None]) -> None:
        self._half_range = (robot.upper - robot.lower) / 2
        self._settle_s = max(SETTLE_S, robot.rest_s)
        self._applied: CommandApplied | None = None
        self._safety: SafetyState | None = None
        super().__init__(robot, check, "demo")
        self._commands = self.node.create_publisher(Command, "command", 1)

    def measured(self) -> Float[np.ndarray, " n"]:
        """What the motors measured last [channel unit]."""
        return self._values("measured")

    # Moving -------------------------------------------------------------------------------------

    def move(
        self,
        target: Float[np.ndarray, " n"],
        speed: float,
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> None:
        """Stream set-points in a straight line to `target` and wait until the robot stands there.

        Args:
            target: absolute set-points [channel unit].
            speed: of the fastest channel [half range / s].
            on_picture: gets the newest image whenever there is a new one.

        Raises:
            CommandRejectedError: the robot is stopped, or does not arrive.
        """
        origin = self._values("applied")
        self._engage(origin)
        begin_s = time.monotonic()
        duration_s = float((np.abs(target - origin) / self._half_range).max()) / speed
        settled = SettleDetector(self._settle_s, TOLERANCE * self._half_range, target)
        seen_ns = self._frame_ns
        while True:
            elapsed_s = time.monotonic() - begin_s
            part = min(1.0, elapsed_s / max(duration_s, 1e-3))
            self._send(origin + part * (target - origin))
            if part == 1.0 and settled.update(
                elapsed_s, self._values("applied"), self._values("measured")
            ):
                return
            if self._frame_ns > seen_ns:
                picture = self.next_picture()
                seen_ns = picture.stamp_ns
                on_picture(picture)
            self._check_moving(elapsed_s - duration_s)
            time.sleep(STREAM_PERIOD_S)

    def _engage(self, here: Float[np.ndarray, " n"]) -> None:
        """Ask for where the robot stands until the driver obeys; only then may a motion begin.

        Set-points sent before the driver listens are lost, and the first one that it hears must
        be near the robot.
        """
        begin_s = time.monotonic()
        while self._safety is None or self._safety.state != SafetyState.RUNNING:
            self._send(here)
            self._check_moving(time.monotonic() - begin_s)
            time.sleep(STREAM_PERIOD_S)

    def settle(self) -> None:
        """Wait until the robot stands still, wherever that is."""
        here = self._values("applied")
        settled = SettleDetector(self._settle_s, TOLERANCE * self._half_range, here)
        begin_s = time.monotonic()
        # The watchdog moves the set-point to where it holds, so only the measured motion counts.
        while not settled.update(time.monotonic(), here, self._values("measured")):
            self._check_moving(time.monotonic() - begin_s)
            time.sleep(STREAM_PERIOD_S)

    # Inside -------------------------------------------------------------------------------------

    def _meet(self) -> None:
        super()._meet()
        self._wait(lambda: self._applied is not None, "command_applied")

    def _subscribe(self) -> None:
        super()._subscribe()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        subscribe = self.node.create_subscription
        subscribe(CommandApplied, "command_applied", self._take("_applied"), 10)
        subscribe(SafetyState, "safety_state", self._take("_safety"), latched)

    def _values(self, what: str) -> Float[np.ndarray, " n"]:
        applied = self._applied
        assert applied is not None  # __enter__ waited for it
        by_name = dict(zip(applied.channel_names, getattr(applied, what), strict=True))
        return np.array([by_name[name] for name in self._robot.channel_names])

    def _send(self, setpoint: Float[np.ndarray, " n"]) -> None:
        command = Command(source="demo", channel_names=self._robot.channel_names)
        command.header.stamp = self.node.get_clock().now().to_msg()
        command.values = [float(value) for value in setpoint]
        self._commands.publish(command)

    def _check_moving(self, overdue_s: float) -> None:
        self._check()
        if self._safety is not None and self._safety.state in STOPPED:
            raise CommandRejectedError(
                f"the robot is {STOPPED[self._safety.state]}: {self._safety.reason}"
            )
        if overdue_s > SILENCE_S:
            reason = self._applied.reason if self._applied is not None else ""
            raise CommandRejectedError(f"the robot does not arrive. The driver says: '{reason}'")
