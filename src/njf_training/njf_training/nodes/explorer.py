"""Explorer node: moves a robot through a random plan and has every settled state recorded."""

import sys
import time
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from tqdm import tqdm

from njf_control.robot import load_robot
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_msgs.srv import Capture
from njf_perception.errors import CommandRejectedError, DataError, StaleDataError
from njf_perception.nodes.conversions import stamp_to_ns
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare
from njf_perception.nodes.services import Handshake
from njf_training.explore import PlannedState, SettleDetector, plan

STARTUP_TIMEOUT_S = 60.0  # for the driver and the recorder to appear, as the supervisor allows
SILENCE_TIMEOUT_S = 3.0  # of command_applied; safety is the driver's watchdog, not this
CAPTURE_ATTEMPTS = 3
CAPTURE_GRACE_S = 2.0  # beyond its own timeout, before the recorder counts as gone
STATE_NAMES = {
    SafetyState.INACTIVE: "INACTIVE",
    SafetyState.ESTOP: "ESTOP",
    SafetyState.FAULT: "FAULT",
}


class Explorer(Node):
    """Streams the current set-point all the time; callbacks only decide what comes next."""

    def __init__(self) -> None:
        """Plan; the motion starts as soon as driver and recorder answer."""
        super().__init__("explorer")
        self._robot = load_robot(declare(self, "robot_file", "", "robot configuration file [path]"))
        self._total = declare(self, "states", 100, "settled states to record [count]", 1, 1_000_000)
        steps = declare(
            self, "steps_per_trajectory", 9, "small steps after a jump [count]", 0, 10_000
        )
        seed = declare(self, "seed", 0, "of the random plan [count]", 0, 2**31)
        first = declare(self, "first_trajectory", 0, "to continue a plan [count]", 0, 1_000_000)
        rate_hz = declare(self, "command_rate_hz", 40.0, "of the command stream [Hz]", 25.0, 200.0)
        settle_s = declare(
            self, "settle_time", 0.08, "stillness of the channels before an image [s]", 0.0, 10.0
        )
        self._settle_s = max(settle_s, self._robot.rest_s)
        self._tolerance = declare(
            self,
            "settle_tolerance",
            0.006,  # more than a servo's count of 0.29 degrees for ranges of 1.8 rad
            "spread that counts as still [of half range]",
            1e-4,
            0.5,
        )
        self._settle_timeout_s = declare(
            self, "settle_timeout", 5.0, "longest motion to one state [s]", 0.5, 60.0
        )
        self._capture_timeout_s = declare(
            self, "capture_timeout", 2.0, "longest wait for images [s]", 0.1, 60.0
        )
        self._plan = plan(self._robot, self._total, steps, seed, first)
        self._state: PlannedState | None = None
        self._settled: SettleDetector | None = None
        self._setpoint: Float[np.ndarray, " n"] | None = None
        self._safety: SafetyState | None = None
        self._why_altered = ""
        self._attempts = 0
        self._capture: Future | None = None
        self._started_s = self._last_applied_s = self._phase_since_s = time.monotonic()
        self._done = 0
        self._bar = tqdm(
            total=self._total,
            unit="state",
            desc="exploring",
            mininterval=0.5 if sys.stderr.isatty() else 10.0,
        )
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._commands = self.create_publisher(Command, "command", 1)
        self._client = self.create_client(Capture, "capture")
        self._recorder = Handshake(self, "recorder")  # after the client: see there
        self.create_subscription(CommandApplied, "command_applied", self._on_applied, 10)
        self.create_subscription(SafetyState, "safety_state", self._on_safety, latched)
        self.create_timer(1 / rate_hz, self._tick)

    def destroy_node(self) -> None:
        """Leave the progress bar in order; what was captured is in the bag already."""
        elapsed_s = self._bar.format_dict["elapsed"]
        self._bar.close()
        rate_hz = self._done / elapsed_s
        print(
            f"{self._done} states in {elapsed_s:.1f} s ({rate_hz:.2f} per second)",
            flush=True,
        )
        super().destroy_node()

    # The stream ---------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._check_driver()
        self._check_progress()
        if self._setpoint is not None:
            self._publish(self._setpoint)

    def _publish(self, setpoint: Float[np.ndarray, " n"]) -> None:
        message = Command()
        message.header.stamp = self.get_clock().now().to_msg()
        message.channel_names = self._robot.channel_names
        message.values = [float(value) for value in setpoint]
        message.source = "explorer"
        self._commands.publish(message)

    # The driver ---------------------------------------------------------------------------------

    def _on_safety(self, message: SafetyState) -> None:
        self._safety = message

    def _on_applied(self, message: CommandApplied) -> None:
        self._last_applied_s = time.monotonic()
        self._why_altered = message.reason
        applied = self._ordered(message.channel_names, message.applied)
        measured = self._ordered(message.channel_names, message.measured)
        if self._setpoint is None:
            if np.all(np.isfinite(measured)):
                self._setpoint = measured  # the gate wants the first command near it
        elif self._state is None:
            if self._is_running and self._recorder.poll() and self._client.service_is_ready():
                self._recorder.close()
                self._bar.reset()  # its clock starts with the motion
                self._go_to_next()
        elif self._settled is not None:
            # The driver's own time: messages may arrive late and in bunches.
            cycle_s = stamp_to_ns(message.header.stamp) * 1e-9
            if self._settled.update(cycle_s, applied, measured):
                self._settled = None
                self._request_capture()

    @property
    def _is_running(self) -> bool:
        return self._safety is not None and self._safety.state == SafetyState.RUNNING

    def _ordered(self, names: Iterable[str], values: Iterable[float]) -> Float[np.ndarray, " n"]:
        by_name = dict(zip(names, values, strict=True))
        if set(by_name) != set(self._robot.channel_names):
            raise DataError(
                f"command_applied has channels {sorted(by_name)}, but the robot file says "
                f"{self._robot.channel_names}. Start driver and explorer with the same robot file."
            )
        return np.array([by_name[name] for name in self._robot.channel_names])

    def _check_driver(self) -> None:
        now_s = time.monotonic()
        starting = self._state is None and now_s - self._started_s < STARTUP_TIMEOUT_S
        if self._safety is not None and self._safety.state in STATE_NAMES and not starting:
            name = STATE_NAMES[self._safety.state]
            raise CommandRejectedError(
                f"the driver went to {name}: {self._safety.reason or 'no reason given'}. "
                "Expected READY or RUNNING. Clear the cause, then explore again."
            )
        if now_s - self._last_applied_s > SILENCE_TIMEOUT_S and not starting:
            raise StaleDataError(
                f"no command_applied for {now_s - self._last_applied_s:.1f} s; expected one per "
                "driver cycle. Is the driver active?"
            )
        if self._state is None and not starting:
            missing = "recorder's capture service" if self._is_running else "driver in RUNNING"
            raise StaleDataError(
                f"no {missing} within {STARTUP_TIMEOUT_S:.0f} s. Start it (`njf explore` does)."
            )

    # The plan -----------------------------------------------------------------------------------

    def _go_to_next(self) -> None:
        self._state = next(self._plan, None)
        if self._state is None:
            self.context.try_shutdown()
            return
        self._attempts = 0
        self._setpoint = self._state.setpoint
        self._wait_until_settled()

    def _wait_until_settled(self) -> None:
        assert self._state is not None
        half_range = (self._robot.upper - self._robot.lower) / 2
        tolerance = self._tolerance * half_range
        self._settled = SettleDetector(self._settle_s, tolerance, self._state.setpoint)
        self._phase_since_s = time.monotonic()

    def _request_capture(self) -> None:
        assert self._state is not None
        request = Capture.Request()
        request.not_before = self.get_clock().now().to_msg()
        request.timeout_s = float(self._capture_timeout_s)
        request.trajectory = self._state.trajectory
        request.step = self._state.step
        self._phase_since_s = time.monotonic()
        self._capture = self._client.call_async(request)
        self._capture.add_done_callback(self._on_captured)

    def _on_captured(self, future: Future) -> None:
        self._capture = None
        response = future.result()
        if response is not None and response.success:
            self._count_state()
            self._go_to_next()
            return
        self._attempts += 1
        if self._attempts >= CAPTURE_ATTEMPTS:
            reason = response.message if response is not None else "the recorder went away"
            raise StaleDataError(f"capture failed {self._attempts} times: {reason}")
        self._wait_until_settled()

    def _count_state(self) -> None:
        self._done += 1
        per_minute = 60 * self._done / self._bar.format_dict["elapsed"]
        self._bar.set_postfix_str(f"{per_minute:.0f} states/min", refresh=False)
        self._bar.update()

    def _check_progress(self) -> None:
        waited_s = time.monotonic() - self._phase_since_s
        if self._settled is not None and waited_s > self._settle_timeout_s + self._settle_s:
            altered = self._why_altered or "commands were applied unaltered"
            raise StaleDataError(
                f"the robot did not settle within {self._settle_timeout_s:.1f} s ({altered}). "
                "Check motors and limits."
            )
        if self._capture is not None and waited_s > self._capture_timeout_s + CAPTURE_GRACE_S:
            raise StaleDataError(
                f"the recorder did not answer for {waited_s:.1f} s. Look at its output."
            )


def main() -> int:
    """Entry point of the process."""
    return run(Explorer)


if __name__ == "__main__":
    raise SystemExit(main())
