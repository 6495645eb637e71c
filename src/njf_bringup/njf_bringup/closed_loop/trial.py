"""One goal: shown, left while its points are tracked, and servoed back to."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from njf_bringup.closed_loop.jacobians import Eyes
from njf_bringup.closed_loop.plant import Plant, Truth
from njf_bringup.closed_loop.showing import show
from njf_bringup.demo.goals import Trial
from njf_bringup.demo.legs import THROUGH_PX
from njf_control.robot import RobotConfig
from njf_control.servo import Reason, Servo, ServoConfig, ServoStep
from njf_control.servo.goal import Goal
from njf_control.servo.model import SurfaceJacobians, SurfaceModel
from njf_control.servo.progress import ProgressConfig
from njf_control.servo.session import EncodedImage, Session
from njf_perception.camera import Camera
from njf_perception.scene import Encoding
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

MAX_STEPS = 160
# A leg that does not end in the goal need not be finished.
_THROUGH = ProgressConfig(tolerance_px=THROUGH_PX, settle=0.02, hold_steps=2)


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
        replayed: errors when the goal's set-points are simply sent again, without a camera.
        joint_curve_deg, tip_curve_mm, error_curve_px: errors at every step.
        tip_path_m: the first tip in the world at every step and at rest after the last.
        used: points used at every step.
        steps: number of steps.
        legs: parts of the way, each with points of its own.
        points: points of the last leg, the one that ends in the goal.
        setpoint: in effect at the end [channel unit].
        duration_s: simulated time of the motion.
        shown_path_m: the first tip along the way that was shown; empty without one.
        stage_ms: mean processor time per step of the stages.
    """

    index: int
    reason: str
    start: Errors
    end: Errors
    replayed: Errors | None = None
    joint_curve_deg: list[float] = field(default_factory=list)
    tip_curve_mm: list[float] = field(default_factory=list)
    error_curve_px: list[float] = field(default_factory=list)
    tip_path_m: list[list[float]] = field(default_factory=list)
    used: list[int] = field(default_factory=list)
    steps: int = 0
    legs: int = 0
    points: int = 0
    setpoint: list[float] = field(default_factory=list)
    duration_s: float = 0.0
    shown_path_m: list[list[float]] = field(default_factory=list)
    stage_ms: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> "TrialResult":
        """Inverse of `as_dict`."""
        names = ("start", "end", "replayed")
        ends = {name: Errors(**content[name]) for name in names if content[name]}
        fields: dict[str, Any] = {**content, **ends}
        return TrialResult(**fields)


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
    replayed = replay(plant, trial)
    plant.place(trial.goal)
    shown = show(plant, trial)
    start = errors(plant.robot, plant.truth, shown.truth)
    result = TrialResult(index, Reason.TIMEOUT.name, start, start, legs=len(shown.legs))
    result.replayed = replayed
    begin_s, stages = plant.now_s, Stages()
    for number, leg in enumerate(shown.legs, 1):
        goal = leg.goal(plant.look().rgb, config.min_points)
        result.points = len(goal.start_px)
        through = number < len(shown.legs)
        leg_config = config.model_copy(update={"progress": _THROUGH}) if through else config
        servo_to(plant, eyes, goal, shown.truth, leg_config, result, stages)
    result.duration_s = plant.now_s - begin_s
    plant.rest()
    result.end = errors(plant.robot, plant.truth, shown.truth)
    result.setpoint = plant.applied.tolist()
    result.tip_path_m.append(np.round(plant.truth.tips[0], 6).tolist())
    return result


def replay(plant: Plant, trial: Trial) -> Errors:
    """Errors when the goal's set-points are simply sent again, disturbed and without a camera."""
    plant.place(trial.goal)
    goal = plant.truth
    plant.disturb(lambda view: None)
    return errors(plant.robot, plant.truth, goal)


def failed_trial(plant: Plant, trial: Trial, index: int) -> TrialResult:
    """The result of a goal that cannot be pursued: the robot stays at its start."""
    plant.place(trial.goal)
    goal = plant.truth
    plant.place(trial.start)
    start = errors(plant.robot, plant.truth, goal)
    tip = [plant.truth.tips[0].tolist()]
    setpoint = trial.start.tolist()
    invalid = Reason.INVALID_GOAL.name
    return TrialResult(index, invalid, start, start, tip_path_m=tip, setpoint=setpoint)


def servo_to(
    plant: Plant,
    eyes: Eyes,
    goal: Goal,
    truth: Truth,
    config: ServoConfig,
    result: TrialResult,
    stages: "Stages",
    max_steps: int = MAX_STEPS,
) -> None:
    """Run one session to its end, one image per step; notes every step in `result`."""
    servo = Servo(config, eyes.space, plant.history, max_steps - result.steps)
    model = _Timed(eyes.model, stages)
    session = Session(lambda image, camera: goal, LucasKanadeTracker, model, servo)
    while True:
        view = plant.look()
        with stages.measure("track"):
            session.on_image(view.stamp_ns, view.rgb, plant.camera)
        with stages.measure("encode"):
            encoding = eyes.encode(view, plant.camera)
        with stages.measure("step"):
            step = session.on_encoding(EncodedImage(view.stamp_ns, encoding, plant.camera))
        assert step is not None, "image and encoding came together"
        plant.submit(step.setpoint)
        _note(result, plant, truth, step)
        result.stage_ms = stages.mean_ms(result.steps)
        if step.reason is not None:
            result.reason = step.reason.name
            return
        with stages.measure("simulate"):
            plant.tick()


class Stages:
    """Processor time spent in the stages of the loop; the clock on the wall has other guests."""

    def __init__(self) -> None:
        self._total_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the duration of the block."""
        begin = time.thread_time()
        yield
        self._total_s[stage] += time.thread_time() - begin

    def mean_ms(self, steps: int) -> dict[str, float]:
        """Mean per step [ms]; what remains of a step without its Jacobians is the solver."""
        total = dict(self._total_s)
        total["solve"] = total.pop("step") - total.get("jacobian", 0.0)
        return {stage: 1e3 * seconds / steps for stage, seconds in total.items()}


@dataclass(frozen=True)
class _Timed:
    """A `SurfaceModel` whose time is taken."""

    model: SurfaceModel
    stages: Stages

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: Float[np.ndarray, "n 2"],
        measured_m: Float[np.ndarray, " n"] | None = None,
    ) -> SurfaceJacobians:
        """See `SurfaceModel`."""
        with self.stages.measure("jacobian"):
            return self.model.evaluate(encoding, camera, pixels, measured_m)


def _note(result: TrialResult, plant: Plant, goal: Truth, step: ServoStep) -> None:
    truth = plant.truth
    now = errors(plant.robot, truth, goal)
    result.joint_curve_deg.append(round(now.joint_deg, 4))
    result.tip_curve_mm.append(round(now.tip_mm, 4))
    result.error_curve_px.append(round(step.error_px, 4))
    result.tip_path_m.append(np.round(truth.tips[0], 6).tolist())
    result.used.append(step.used)
    result.steps += 1
