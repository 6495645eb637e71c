"""The servo loop in closed loop with a planar arm before a pinhole camera, in closed form.

Latency, servo lag, resolution, noise, outliers and a wrong model are simulated; time is simulated
as well, so nothing here depends on the speed of the machine.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float

from njf_control.robot import load_robot
from njf_control.servo import (
    CommandSpace,
    Measurement,
    Reason,
    Servo,
    ServoConfig,
    ServoStep,
    SetpointHistory,
)
from njf_control.servo.progress import Progress, ProgressConfig
from njf_perception.camera import project

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
HALF_RANGE_RAD = 1.2
MAX_RATE = 2.5  # rad/s
LINKS_M = (0.07, 0.06, 0.05)
CAMERA_HEIGHT_M = 0.45
TILT_RAD = 0.35
DRIVER_PERIOD_S = 0.02
FRAME_PERIOD_S = 1 / 15


def finger_space(joints: int = 3) -> CommandSpace:
    """Commands of the arm: joint angles in +-1.2 rad."""
    return CommandSpace(
        names=tuple(f"joint_{index}" for index in range(joints)),
        center=np.zeros(joints),
        half_range=np.full(joints, HALF_RANGE_RAD),
        lower=-np.ones(joints),
        upper=np.ones(joints),
        max_rate=np.full(joints, MAX_RATE / HALF_RANGE_RAD),
    )


class PlanarArm:
    """Points on the links of a planar arm, in the frame of a tilted camera."""

    def __init__(self, rng: np.random.Generator, points_per_link: int = 30) -> None:
        joints = len(LINKS_M)
        self.link = np.repeat(np.arange(joints), points_per_link)
        along = rng.uniform(0, 1, len(self.link)) * np.array(LINKS_M)[self.link]
        across = rng.uniform(-0.008, 0.008, len(self.link))
        self.local = np.stack([along, across], axis=1)
        c, s = np.cos(TILT_RAD), np.sin(TILT_RAD)
        self._R = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        self._t = np.array([-0.06, 0.0, CAMERA_HEIGHT_M])

    def points_m(self, q: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 3"]:
        """Points in the camera frame at joint angles `q` [rad]."""
        return self._plane(q)[0] @ self._R.T + self._t

    def jacobian_m(self, q: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 3 k"]:
        """Derivative of `points_m` per normalised command (the range of +-1.2 rad is +-1)."""
        points, joints = self._plane(q)
        J = np.zeros((len(points), 3, len(q)))
        for j, origin in enumerate(joints):
            arm = points - origin
            turned = np.stack([-arm[:, 1], arm[:, 0], np.zeros(len(arm))], axis=1)
            J[:, :, j] = np.where((self.link >= j)[:, None], turned, 0.0) * HALF_RANGE_RAD
        return np.einsum("ij,njk->nik", self._R, J)

    def pixels(self, q: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 2"]:
        """Points in the image."""
        return project(self.points_m(q), K)

    def _plane(self, q: Float[np.ndarray, " k"]) -> tuple[np.ndarray, np.ndarray]:
        """Points and joint origins in the plane of the arm."""
        origin, angle, origins, points = np.zeros(3), 0.0, [], np.zeros((len(self.link), 3))
        for j, length in enumerate(LINKS_M):
            angle += q[j]
            x, y = (
                np.array([np.cos(angle), np.sin(angle), 0]),
                np.array([-np.sin(angle), np.cos(angle), 0]),
            )
            mine = self.link == j
            points[mine] = origin + self.local[mine, :1] * x + self.local[mine, 1:] * y
            origins.append(origin)
            origin = origin + length * x
        return points, np.array(origins)


@dataclass
class SimulatedRobot:
    """Driver and servos: set-points follow commands at a limited rate, joints follow set-points.

    Attributes:
        lag_s: time constant of the joints behind their set-points.
        tick_rad: resolution of the servos; zero for none.
    """

    q: Float[np.ndarray, " k"]
    lag_s: float = 0.03
    tick_rad: float = 0.0
    time_s: float = 10.0
    history: SetpointHistory = field(default_factory=SetpointHistory)

    def __post_init__(self) -> None:
        self.applied, self.asked = self.q.copy(), self.q.copy()
        self._report()

    def send(self, setpoint: Float[np.ndarray, " k"]) -> None:
        """The command that arrives now."""
        self.asked = setpoint

    def run(self, until_s: float) -> None:
        """Advance in driver cycles; applied set-points are reported at each."""
        while self.time_s < until_s - 1e-9:
            self.time_s += min(DRIVER_PERIOD_S, until_s - self.time_s)
            step = MAX_RATE * DRIVER_PERIOD_S
            self.applied = np.clip(self.asked, self.applied - step, self.applied + step)
            self._report()
            self.q = self.q + (self._on_bus - self.q) * (
                1 - np.exp(-DRIVER_PERIOD_S / max(self.lag_s, 1e-6))
            )

    def _report(self) -> None:
        tick = self.tick_rad
        self._on_bus = np.round(self.applied / tick) * tick if tick else self.applied
        self.history.add(int(self.time_s * 1e9), self._on_bus)


@dataclass
class View:
    """Makes measurements of the arm, as bad as asked."""

    arm: PlanarArm
    goal_px: Float[np.ndarray, "n 2"]
    rng: np.random.Generator
    noise_px: float = 0.0
    outliers: float = 0.0
    model_scale: float = 1.0

    def __post_init__(self) -> None:
        count = len(self.goal_px)
        self._bad = self.rng.uniform(size=count) < self.outliers
        self._bad_px = self.rng.uniform((0, 0), (320, 240), (count, 2))

    def measure(self, robot: SimulatedRobot) -> Measurement:
        """Measurement of the robot as it stands now."""
        current = self.arm.pixels(robot.q)
        current = current + self.rng.normal(0, self.noise_px, current.shape)
        return Measurement(
            stamp_ns=int(robot.time_s * 1e9),
            K=K,
            current_px=np.where(self._bad[:, None], self._bad_px, current),
            target=self.goal_px,
            weights=np.ones(len(current)),
            points_m=self.arm.points_m(robot.q),
            jacobian_m=self.arm.jacobian_m(robot.q) * self.model_scale,
        )


@dataclass
class Run:
    """A finished closed loop."""

    steps: list[ServoStep]
    setpoints: np.ndarray
    errors_deg: np.ndarray
    reason: Reason | None

    @property
    def final_deg(self) -> float:
        return float(self.errors_deg[-1].mean())


def close_loop(
    seed: int,
    noise_px: float = 0.2,
    goal_noise_px: float = 0.0,
    outliers: float = 0.0,
    model_scale: float = 1.0,
    config: ServoConfig | None = None,
    period_s: float = FRAME_PERIOD_S,
    latency_s: float = 0.04,
    frames: int = 150,
    max_steps: int = 0,
    farthest_rad: float = 0.45,
    lag_s: float = 0.03,
    tick_rad: float = 0.0,
) -> Run:
    """Start some way from a random goal and run until the servo ends.

    Images come every `period_s` and are answered `latency_s` after they were taken.
    """
    rng = np.random.default_rng(seed)
    arm = PlanarArm(rng)
    q_goal = rng.uniform(-1.0, 1.0, 3)
    q = np.clip(q_goal + rng.choice([-1, 1], 3) * rng.uniform(0.1, farthest_rad, 3), -1.15, 1.15)
    goal_px = arm.pixels(q_goal) + rng.normal(0, goal_noise_px, (len(arm.link), 2))
    robot = SimulatedRobot(q, lag_s, tick_rad)
    view = View(arm, goal_px, rng, noise_px, outliers, model_scale)
    servo = Servo(config or ServoConfig(), finger_space(), robot.history, max_steps)
    steps, errors, waiting = [], [], []
    for _ in range(frames):
        errors.append(np.rad2deg(np.abs(robot.q - q_goal)))
        waiting.append((robot.time_s + latency_s, view.measure(robot)))
        next_frame_s = robot.time_s + period_s
        while waiting and waiting[0][0] <= next_frame_s:
            answer_s, seen = waiting.pop(0)
            robot.run(answer_s)
            steps.append(servo.step(seen))
            robot.send(steps[-1].setpoint)
        robot.run(next_frame_s)
        if steps and steps[-1].reason is not None:
            break
    robot.run(robot.time_s + 0.5)
    errors.append(np.rad2deg(np.abs(robot.q - q_goal)))
    setpoints = np.array([step.setpoint for step in steps])
    return Run(steps, setpoints, np.array(errors), steps[-1].reason)


CONDITIONS: dict[str, dict[str, Any]] = {
    "quiet": {"noise_px": 0.0},
    "noise": {"noise_px": 0.5},
    "one frame late": {"latency_s": 0.08},
    "two frames late": {"latency_s": 0.15},
    "slow joints": {"lag_s": 0.1},
    "coarse servos": {"tick_rad": 0.0051183},
    "model too weak": {"model_scale": 0.6},
    "model too strong": {"model_scale": 1.6, "latency_s": 0.08},
    "fast camera": {"period_s": 1 / 30},
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_goal_is_reached_under_every_condition(name: str) -> None:
    runs = [close_loop(seed, **CONDITIONS[name]) for seed in range(12)]
    final = np.array([run.final_deg for run in runs])
    assert np.mean([run.errors_deg[0].mean() for run in runs]) > 12.0
    assert np.median(final) < 0.2, final
    assert final.max() < 0.6, final
    assert [run.reason for run in runs] == [Reason.CONVERGED] * 12
    assert max(len(run.steps) for run in runs) <= 60


@pytest.mark.parametrize("outliers", [0.1, 0.2])
def test_outlier_tracks_do_little_harm(outliers: float) -> None:
    runs = [close_loop(seed, 0.3, goal_noise_px=0.3, outliers=outliers) for seed in range(12)]
    final = np.array([run.final_deg for run in runs])
    assert np.median(final) < 0.4, final
    assert final.max() < 1.0, final
    assert all(run.steps[-1].used < 90 for run in runs)


def test_goal_pixels_off_by_noise_still_end_in_success() -> None:
    runs = [close_loop(seed, noise_px=0.3, goal_noise_px=0.5) for seed in range(12)]
    assert np.mean([run.reason is Reason.CONVERGED for run in runs]) >= 0.9
    assert np.median([run.final_deg for run in runs]) < 0.5


@pytest.mark.parametrize(("latency_s", "detour_rad"), [(0.05, 0.06), (0.15, 0.15)])
def test_latency_causes_no_oscillation(latency_s: float, detour_rad: float) -> None:
    """With motion counted twice the largest detours are 0.09 and 1.2 rad."""
    for seed in range(10):
        run = close_loop(seed, noise_px=0.0, latency_s=latency_s, lag_s=0.0, farthest_rad=0.15)
        path = np.abs(np.diff(run.setpoints, axis=0)).sum(axis=0)
        shortest = np.abs(run.setpoints[-1] - run.setpoints[0])
        assert (path < shortest + detour_rad).all(), (seed, path, shortest)


def test_unreachable_goal_stalls_at_the_limit() -> None:
    space = finger_space()
    narrow = CommandSpace(
        space.names,
        space.center,
        space.half_range,
        -0.3 * np.ones(3),
        0.3 * np.ones(3),
        space.max_rate,
    )
    rng = np.random.default_rng(0)
    arm, robot = PlanarArm(rng), SimulatedRobot(np.zeros(3))
    view = View(arm, arm.pixels(np.array([0.9, 0.0, 0.0])), rng)
    servo = Servo(ServoConfig(), narrow, robot.history)
    for _ in range(100):
        step = servo.step(view.measure(robot))
        robot.send(step.setpoint)
        robot.run(robot.time_s + FRAME_PERIOD_S)
        if step.reason is not None:
            break
    assert step.reason is Reason.STALLED
    assert "joint_0" in step.active_limits
    assert step.setpoint[0] == pytest.approx(0.3 * HALF_RANGE_RAD, abs=0.01)


def test_first_command_is_where_the_robot_stands() -> None:
    run = close_loop(3, noise_px=0.5)
    robot = SimulatedRobot(run.setpoints[0])
    np.testing.assert_array_equal(run.setpoints[0], robot.history.newest)


def test_steps_respect_range_and_rate() -> None:
    config = ServoConfig(max_step=0.12)
    for seed in range(10):
        run = close_loop(seed, noise_px=2.0, config=config, period_s=1 / 30)
        steps = np.abs(np.diff(run.setpoints, axis=0))
        assert (steps <= 0.12 * HALF_RANGE_RAD + 1e-9).all()
        assert (steps <= MAX_RATE * 0.1).all()
        assert (np.abs(run.setpoints) <= HALF_RANGE_RAD + 1e-9).all()


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10_000), st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
def test_bad_measurements_never_become_commands(seed: int, poison: float) -> None:
    rng = np.random.default_rng(seed)
    arm, robot = PlanarArm(rng, points_per_link=4), SimulatedRobot(rng.uniform(-1, 1, 3))
    good = View(arm, arm.pixels(rng.uniform(-1, 1, 3)), rng).measure(robot)
    fields = {
        name: np.array(getattr(good, name))
        for name in ("current_px", "target", "weights", "points_m", "jacobian_m")
    }
    for array in fields.values():
        array[rng.uniform(size=array.shape) < 0.2] = poison
    servo = Servo(ServoConfig(), finger_space(), robot.history)
    previous = servo.step(good).setpoint
    for frame in range(1, 4):
        stamp_ns = good.stamp_ns + frame * 66_000_000
        step = servo.step(replace(good, stamp_ns=stamp_ns, **fields))
        assert np.isfinite(step.setpoint).all()
        assert (np.abs(step.setpoint - previous) <= 0.12 * HALF_RANGE_RAD + 1e-9).all()
        assert (np.abs(step.setpoint) <= HALF_RANGE_RAD + 1e-9).all()
        previous = step.setpoint


def test_lost_tracks_hold_and_then_end_the_motion() -> None:
    rng = np.random.default_rng(1)
    arm, robot = PlanarArm(rng), SimulatedRobot(np.zeros(3))
    view = View(arm, arm.pixels(np.array([0.5, 0.2, 0.1])), rng)
    servo = Servo(ServoConfig(lost_steps=3), finger_space(), robot.history)
    blind = view.measure(robot)
    blind.weights[3:] = 0.0
    steps = [servo.step(blind) for _ in range(3)]
    assert [step.reason for step in steps] == [None, None, Reason.LOST_TRACKS]
    assert all((step.setpoint == robot.history.newest).all() for step in steps)
    assert steps[0].used == 3


def doubted(sure: int) -> tuple[Servo, SimulatedRobot, Measurement]:
    """A robot in view of a model that is sure of the first `sure` points only."""
    rng = np.random.default_rng(1)
    arm, robot = PlanarArm(rng), SimulatedRobot(np.zeros(3))
    seen = View(arm, arm.pixels(np.array([0.5, 0.2, 0.1])), rng).measure(robot)
    confidence = np.where(np.arange(len(seen.weights)) < sure, 0.9, 0.01)
    servo = Servo(ServoConfig(lost_steps=3), finger_space(), robot.history)
    return servo, robot, replace(seen, weights=seen.weights * confidence, confidence=confidence)


def test_a_model_that_doubts_every_point_holds_and_then_ends_the_motion() -> None:
    servo, robot, measurement = doubted(sure=3)
    steps = [servo.step(measurement) for _ in range(3)]
    assert [step.reason for step in steps] == [None, None, Reason.MODEL_UNSURE]
    assert all((step.setpoint == robot.history.newest).all() for step in steps)


def test_some_sure_points_are_enough_to_steer() -> None:
    servo, robot, measurement = doubted(sure=10)
    later = replace(measurement, stamp_ns=measurement.stamp_ns + 66_000_000)
    steps = [servo.step(each) for each in (measurement, later)]
    assert [step.reason for step in steps] == [None, None]
    assert (steps[-1].setpoint != robot.history.newest).any()


def test_points_that_are_not_visible_are_lost_not_doubted() -> None:
    servo, _, measurement = doubted(sure=0)
    confidence = np.where(np.arange(len(measurement.weights)) < 3, 0.01, np.nan)
    weights = np.nan_to_num(confidence)
    blind = replace(measurement, weights=weights, confidence=confidence)
    assert [servo.step(blind).reason for _ in range(3)][-1] is Reason.LOST_TRACKS


def test_step_limit_ends_the_motion() -> None:
    run = close_loop(0, max_steps=4)
    assert run.reason is Reason.TIMEOUT
    assert len(run.steps) == 4


def test_robot_that_does_not_follow_is_not_wound_up() -> None:
    """With the gate holding, what is asked stays within one step of what is applied."""
    rng = np.random.default_rng(2)
    arm, robot = PlanarArm(rng), SimulatedRobot(np.zeros(3))
    view = View(arm, arm.pixels(np.array([0.8, 0.4, 0.4])), rng)
    servo = Servo(ServoConfig(), finger_space(), robot.history)
    for _ in range(20):
        step = servo.step(view.measure(robot))
        robot.run(robot.time_s + FRAME_PERIOD_S)
    assert (np.abs(step.setpoint - robot.history.newest) <= 2 * 0.12 * HALF_RANGE_RAD).all()


def test_points_in_space_are_a_goal_too() -> None:
    rng = np.random.default_rng(5)
    arm, robot = PlanarArm(rng), SimulatedRobot(np.array([0.1, -0.3, 0.4]))
    q_goal = np.array([0.4, 0.0, 0.1])
    servo = Servo(ServoConfig(), finger_space(), robot.history)
    view = View(arm, arm.pixels(q_goal), rng, noise_px=0.2)
    for _ in range(60):
        step = servo.step(replace(view.measure(robot), target=arm.points_m(q_goal)))
        robot.send(step.setpoint)
        robot.run(robot.time_s + FRAME_PERIOD_S)
        if step.reason is not None:
            break
    assert step.reason is Reason.CONVERGED
    assert np.rad2deg(np.abs(robot.q - q_goal)).max() < 0.5


def test_history_answers_with_what_was_in_effect() -> None:
    history = SetpointHistory()
    with pytest.raises(LookupError, match="wait for the driver"):
        history.at(5)
    for stamp_ns, value in ((10, 1.0), (20, 2.0), (15, 9.0), (30, 3.0)):
        history.add(stamp_ns, np.array([value]))
    answers = {stamp: history.at(stamp)[0] for stamp in (5, 10, 19, 20, 29, 99)}
    assert answers == {5: 1.0, 10: 1.0, 19: 1.0, 20: 2.0, 29: 2.0, 99: 3.0}
    assert history.newest[0] == 3.0


def test_a_small_error_alone_is_not_the_end() -> None:
    progress = Progress(ProgressConfig())
    moving = [progress.update(0.1, np.array([0.05, 0.0])) for _ in range(20)]
    assert moving == [None] * 20
    resting = [progress.update(0.1, np.array([0.001, 0.0])) for _ in range(6)]
    assert resting[-1] is Reason.CONVERGED


@pytest.mark.parametrize(
    ("error_px", "correction", "steps", "reason"),
    [
        (1.0, 0.0, 24, Reason.CONVERGED),  # what is left, no command removes
        (1.0, 0.05, 47, Reason.STALLED),
        (0.3, 0.05, 47, Reason.CONVERGED),  # there, though some channel is not settled
        (5.0, 0.0, 24, Reason.STALLED),
    ],
)
def test_a_plateau_is_judged_by_height_and_correction(
    error_px: float, correction: float, steps: int, reason: Reason
) -> None:
    progress = Progress(ProgressConfig(tolerance_px=0.4, stall_steps=24))
    verdicts = [progress.update(error_px, np.array([correction])) for _ in range(steps)]
    assert verdicts == [None] * (steps - 1) + [reason]


def test_range_is_the_smaller_of_robots_and_models() -> None:
    robot = load_robot(Path(__file__).parents[3] / "config/robots/finger.yaml")
    space = CommandSpace.of(robot, np.array([0.2, 0.0, 0.0]), np.array([1.2, 1.0, 2.0]))
    np.testing.assert_allclose(space.lower, [-1.0, -1.0, -0.6])
    np.testing.assert_allclose(space.upper, [1.0 / 1.2, 1.0, 0.6])
    setpoint = np.array([0.3, -0.4, 0.5])
    np.testing.assert_allclose(space.setpoint(space.normalised(setpoint)), setpoint)
