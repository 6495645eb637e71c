"""One accepted `VisualServo` goal while it runs: its session, its limits in time, its end."""

import time
from collections import deque
from dataclasses import dataclass, field

from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from njf_control.servo import Reason, ServoStep
from njf_control.servo.session import Session

_MESSAGES = {
    Reason.CONVERGED: "the points are where the goal wants them",
    Reason.STALLED: (
        "the error stopped shrinking above the tolerance; the goal may be out of reach "
        "(see active_limits) or the model does not fit"
    ),
    Reason.TIMEOUT: (
        "the limit of steps, or of the time for one waypoint, was reached; allow more or come "
        "nearer first"
    ),
    Reason.LOST_TRACKS: "too few points are visible; give points that stay in view",
    Reason.MODEL_UNSURE: (
        "the points are visible, but the model does not recognise the robot at them (confidence "
        "below min_confidence); check light, camera pose and checkpoint, and that the points are "
        "on the robot"
    ),
}


@dataclass(frozen=True)
class Outcome:
    """Why a goal ended, in a code and in words."""

    reason: Reason
    message: str


@dataclass(eq=False)
class GoalRun:
    """State of the running goal."""

    handle: ServerGoalHandle
    session: Session
    timeout_s: float
    began_s: float = field(default_factory=time.monotonic)
    error_px: float = float("nan")
    outcome: Outcome | None = None
    ended: Future = field(default_factory=Future)
    _steps_s: deque[float] = field(default_factory=deque)

    @property
    def elapsed_s(self) -> float:
        """Time since the goal was taken up [s]."""
        return time.monotonic() - self.began_s

    @property
    def rate_hz(self) -> float:
        """Of the steps of the last second [Hz]; 0 with fewer than two."""
        if len(self._steps_s) < 2:
            return 0.0
        return (len(self._steps_s) - 1) / (self._steps_s[-1] - self._steps_s[0])

    def note(self, step: ServoStep) -> Outcome | None:
        """Count a step; the outcome when it was the last one."""
        now_s = time.monotonic()
        self._steps_s.append(now_s)
        while now_s - self._steps_s[0] > 1.0:
            self._steps_s.popleft()
        self.error_px = step.error_px
        if step.reason is None:
            return None
        place = f", waypoint {step.waypoint + 1} of {step.waypoints}" if step.waypoints else ""
        what = f"{_MESSAGES[step.reason]} (error {step.error_px:.2f} px{place})"
        return Outcome(step.reason, what)

    def end(self, outcome: Outcome) -> None:
        """Set the outcome and wake whoever awaits `ended`."""
        self.outcome = outcome
        self.ended.set_result(None)

    def overdue(self, image_timeout_s: float) -> Outcome | None:
        """The outcome when the goal was canceled or something takes too long."""
        if self.handle.is_cancel_requested:
            return Outcome(Reason.CANCELED, "canceled on request")
        silent_s = time.monotonic() - self.session.paired_s
        if silent_s > image_timeout_s:
            return Outcome(
                Reason.STALE_IMAGE,
                f"no fresh image and encoding for {silent_s:.2f} s; check camera and perception",
            )
        if self.elapsed_s > self.timeout_s:
            return Outcome(
                Reason.TIMEOUT,
                f"not reached in {self.timeout_s:g} s; error {self.error_px:.2f} px is left",
            )
        return None
