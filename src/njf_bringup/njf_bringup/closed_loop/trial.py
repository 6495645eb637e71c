"""One goal: shown, left while its points are tracked, and servoed back to."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from njf_bringup.closed_loop.jacobians import Eyes
from njf_bringup.closed_loop.plant import Plant, Truth, View
from njf_bringup.demo.goals import Trial
from njf_control.robot import RobotConfig
from njf_control.servo import Reason, Servo, ServoConfig, ServoStep
from njf_control.servo.goal import Goal, goal_from_tracks, require_points
from njf_control.servo.session import EncodedImage, Session, Timings
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points

TRACKING_SPEED = 0.3  # away from the goal, as in the demo [half range / s]
POINTS = 120
FEWEST_POINTS = 12
MAX_STEPS = 160


@dataclass
class Errors:
    """Distance from the goal.

    Attributes:
        joint_deg, max_joint_deg: mean and largest over the servos' joints [deg]; NaN without any.
        tip_mm: mean over the tips [mm].
        tips_mm: every tip [mm].
    """

    joint_deg: float
    max_joint_deg: float
    tip_mm: float
    tips_mm: list[float]


@dataclass
class TrialResult:
    """How one goal went.

    Attributes:
        index: number of the goal.
        reason: name of the `Reason` why the motion ended.
        start, end: errors before and after, at rest.
        joint_curve_deg, tip_curve_mm, error_curve_px: errors at every step.
        used: points used at every step.
        steps: number of steps.
        points: points of the goal.
        duration_s: simulated time of the motion.
        stage_ms: mean duration per step of the stages on this machine.
    """

    index: int
    reason: str
    start: Errors
    end: Errors
    joint_curve_deg: list[float] = field(default_factory=list)
    tip_curve_mm: list[float] = field(default_factory=list)
    error_curve_px: list[float] = field(default_factory=list)
    used: list[int] = field(default_factory=list)
    steps: int = 0
    points: int = 0
    duration_s: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> "TrialResult":
        """Inverse of `as_dict`."""
        ends = {name: Errors(**content[name]) for name in ("start", "end")}
        return TrialResult(**(content | ends))


@dataclass(frozen=True)
class Shown:
    """A goal that was shown: its truth, its picture, and the points tracked away from it."""

    truth: Truth
    picture: UInt8[np.ndarray, "h w 3"]
    then: Tracks
    now: Tracks


def errors(robot: RobotConfig, truth: Truth, goal: Truth) -> Errors:
    """How far `truth` is from `goal`."""
    servos = np.array([unit == "rad" for unit in robot.channel_units])
    joints = np.degrees(np.abs(truth.position - goal.position))[servos]
    tips = 1e3 * np.linalg.norm(truth.tips - goal.tips, axis=1)
    has = len(joints) > 0
    return Errors(
        joint_deg=float(joints.mean()) if has else float("nan"),
        max_joint_deg=float(joints.max()) if has else float("nan"),
        tip_mm=float(tips.mean()),
        tips_mm=tips.tolist(),
    )


def run_trial(
    plant: Plant, eyes: Eyes, trial: Trial, config: ServoConfig, index: int = 0
) -> TrialResult:
    """Show the goal, drive to the start and servo back.

    Raises:
        DataError: nothing to track is seen in the goal picture.
        GoalError: too few points survive the way from goal to start.
    """
    plant.place(trial.goal)
    shown = show(plant, trial)
    start = errors(plant.robot, plant.truth, shown.truth)
    goal = goal_of(shown, config.min_points)
    result = TrialResult(index, Reason.TIMEOUT.name, start, start, points=len(goal.start_px))
    begin_s = plant.now_s
    servo_to(plant, eyes, lambda image, camera: goal, shown.truth, config, result)
    result.duration_s = plant.now_s - begin_s
    plant.rest()
    result.end = errors(plant.robot, plant.truth, shown.truth)
    return result


def failed_trial(plant: Plant, trial: Trial, index: int) -> TrialResult:
    """The result of a goal that cannot be pursued: the robot stays at its start."""
    plant.place(trial.goal)
    goal = plant.truth
    plant.place(trial.start)
    start = errors(plant.robot, plant.truth, goal)
    return TrialResult(index, Reason.INVALID_GOAL.name, start, start)


def show(plant: Plant, trial: Trial) -> Shown:
    """Photograph the pose in which the robot stands, then track its points to the start pose.

    The demo finds the robot in the picture by comparing it with the background; here the renderer
    says where it is.

    Raises:
        DataError: too few points can be tracked.
    """
    plant.rest()
    truth, view = plant.truth, plant.look()
    points = pick_points(view.rgb, view.robot, POINTS)
    if len(points) < FEWEST_POINTS:
        raise DataError(
            f"only {len(points)} points to track on the robot, wants {FEWEST_POINTS}. "
            "Does the camera see the robot?"
        )
    tracker = LucasKanadeTracker()
    tracks = [tracker.start(view.rgb, points)]
    plant.move(trial.start, TRACKING_SPEED, lambda seen: tracks.append(tracker.update(seen.rgb)))
    return Shown(truth, view.rgb, tracks[0], tracks[-1])


def goal_of(shown: Shown, min_points: int) -> Goal:
    """The goal as the action server makes it of tracks with a goal image."""
    ids = np.arange(len(shown.then.points))
    goal = goal_from_tracks(ids, shown.now, ids, shown.then)
    return replace(
        require_points(goal, min_points, "the way from the goal"), reference=shown.picture
    )


def servo_to(
    plant: Plant,
    eyes: Eyes,
    make_goal: Callable[[UInt8[np.ndarray, "h w 3"], Camera], Goal],
    truth: Truth,
    config: ServoConfig,
    result: TrialResult,
    on_view: Callable[[View], None] = lambda _: None,
) -> None:
    """Run one session to its end, one image per step; notes every step in `result`."""
    servo = Servo(config, eyes.space, plant.history, MAX_STEPS)
    session = Session(make_goal, LucasKanadeTracker, eyes.model, servo)
    stages = _Stages()
    while True:
        view = plant.look()
        on_view(view)
        session.on_image(view.stamp_ns, view.rgb, plant.camera)
        with stages.measure("encode"):
            encoding = eyes.encode(view, plant.camera)
        step = session.on_encoding(EncodedImage(view.stamp_ns, encoding, plant.camera))
        assert step is not None, "image and encoding came together"
        plant.submit(step.setpoint)
        _note(result, errors(plant.robot, plant.truth, truth), step)
        stages.add_session(session.timings)
        if step.reason is not None:
            result.reason = step.reason.name
            result.stage_ms = stages.mean_ms(result.steps)
            return
        with stages.measure("simulate"):
            plant.tick()


class _Stages:
    """Time spent in the stages of the loop on this machine."""

    def __init__(self) -> None:
        self._total_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the duration of the block."""
        begin = time.perf_counter()
        yield
        self._total_s[stage] += time.perf_counter() - begin

    def add_session(self, timings: Timings) -> None:
        """Add what the session measured in its last step."""
        self._total_s["track"] += timings.track_s
        self._total_s["jacobian"] += timings.jacobian_s
        self._total_s["solve"] += timings.solve_s

    def mean_ms(self, steps: int) -> dict[str, float]:
        """Mean per step [ms]."""
        return {stage: 1e3 * total / steps for stage, total in self._total_s.items()}


def _note(result: TrialResult, now: Errors, step: ServoStep) -> None:
    result.joint_curve_deg.append(round(now.joint_deg, 4))
    result.tip_curve_mm.append(round(now.tip_mm, 4))
    result.error_curve_px.append(round(step.error_px, 4))
    result.used.append(step.used)
    result.steps += 1
