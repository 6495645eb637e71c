"""The online correction: what it learns, and what it is worth in a closed loop."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float

from njf_control.servo import CommandSpace, Measurement, Reason, Servo, ServoConfig, SetpointHistory
from njf_control.servo.correction import CorrectionConfig, JacobianCorrection
from njf_control.servo.motion import MotionWindow, Sight
from njf_perception.camera import project

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
CHANNELS, POINTS, FRAME_NS = 3, 30, 66_000_000
ON = CorrectionConfig(enabled=True)


def motions(
    M: Float[np.ndarray, "k k"], count: int, rng: np.random.Generator, noise_px: float = 0.0
) -> JacobianCorrection:
    """A correction that has seen `count` random motions of a robot whose Jacobians are A M."""
    correction = JacobianCorrection(ON, CHANNELS)
    A = rng.normal(0, 40.0, (POINTS, 2, CHANNELS))
    for _ in range(count):
        du = rng.normal(0, 0.04, CHANNELS)
        dp = A @ M @ du + rng.normal(0, noise_px, (POINTS, 2))
        correction.update(A, du, dp, np.ones(POINTS))
    return correction


def off_by(share: float, rng: np.random.Generator) -> Float[np.ndarray, "k k"]:
    """A well-conditioned matrix whose entries are off by `share` (standard deviation)."""
    while True:
        M = np.eye(CHANNELS) + share * rng.normal(size=(CHANNELS, CHANNELS))
        if np.linalg.cond(M) < 5:
            return M


def test_matrix_is_found_from_motions() -> None:
    rng = np.random.default_rng(0)
    M = off_by(0.3, rng)
    state = motions(M, 20, rng, noise_px=0.3).state
    np.testing.assert_allclose(state.matrix, M, atol=0.06)
    assert state.trusted and state.updates == 20
    assert state.deviation == pytest.approx(np.linalg.norm(M - np.eye(3), 2), abs=0.06)
    assert state.condition == pytest.approx(np.linalg.cond(M), rel=0.1)


def test_directions_without_excitation_stay_as_the_model_says() -> None:
    """One direction of motion shows what M does to it and nothing else."""
    rng = np.random.default_rng(1)
    M, du = off_by(0.3, rng), np.array([0.06, 0.0, 0.0])
    correction = JacobianCorrection(ON, CHANNELS)
    for _ in range(10):
        A = rng.normal(0, 40.0, (POINTS, 2, CHANNELS))
        correction.update(A, du, A @ M @ du, np.ones(POINTS))
    expected = np.eye(3)
    expected[:, 0] = M[:, 0]
    np.testing.assert_allclose(correction.state.matrix, expected, atol=0.03)


def test_without_excitation_it_decays_to_identity() -> None:
    rng = np.random.default_rng(2)
    correction = motions(off_by(0.3, rng), 10, rng)
    learnt = correction.state.deviation
    for _ in range(10_000):
        correction._forget(ON.idle_forgetting)
    correction.idle()
    assert learnt > 0.2 and correction.state.deviation < 1e-3 * learnt


def test_outliers_among_the_points_do_little_harm() -> None:
    rng = np.random.default_rng(3)
    M, correction = off_by(0.3, rng), JacobianCorrection(ON, CHANNELS)
    for _ in range(20):
        A = rng.normal(0, 40.0, (POINTS, 2, CHANNELS))
        du = rng.normal(0, 0.04, CHANNELS)
        dp = A @ M @ du
        dp[: POINTS // 6] = rng.normal(0, 30.0, (POINTS // 6, 2))
        correction.update(A, du, dp, np.ones(POINTS))
    np.testing.assert_allclose(correction.state.matrix, M, atol=0.12)


def test_matrix_that_predicts_worse_is_not_applied() -> None:
    """A robot that suddenly behaves as the model says is not steered by what was true before."""
    rng = np.random.default_rng(4)
    correction = motions(np.diag([1.0, 1.0, -0.5]), 20, rng)
    A = rng.normal(0, 40.0, (POINTS, 2, CHANNELS))
    for _ in range(6):
        du = rng.normal(0, 0.04, CHANNELS)
        correction.update(A, du, A @ du, np.ones(POINTS))
        if not correction.state.trusted:
            break
    J = rng.normal(size=(4, 3, CHANNELS))
    assert not correction.state.trusted
    np.testing.assert_array_equal(correction.apply(J), J)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([np.nan, np.inf, 1e200, 1e-200, 0.0, -1.0]))
def test_anything_seen_leaves_a_finite_bounded_matrix(seed: int, poison: float) -> None:
    rng = np.random.default_rng(seed)
    correction = JacobianCorrection(ON, CHANNELS)
    for _ in range(5):
        arrays = [
            rng.normal(0, 40.0, (POINTS, 2, CHANNELS)),
            rng.normal(0, 0.1, CHANNELS),
            rng.normal(0, 20.0, (POINTS, 2)),
            rng.uniform(0, 1, POINTS),
        ]
        for array in arrays:
            array[rng.uniform(size=array.shape) < 0.1] = poison
        with np.errstate(all="ignore"):
            correction.update(*arrays)
    values = np.linalg.svd(correction.state.matrix, compute_uv=False)
    assert values.max() <= 3.0 + 1e-9 and values.min() >= 1 / 3 - 1e-9


def sight(stamp_ns: int, setpoint: float, anchored: bool = False, shift_px: float = 0.0) -> Sight:
    points = np.full((2, 2), shift_px)
    one = np.ones(2)
    return Sight(
        stamp_ns,
        setpoint * np.ones(1),
        points,
        np.array([anchored, False]),
        one,
        np.ones((2, 2, 1)),
    )


def test_small_motions_are_added_up_until_they_count() -> None:
    window = MotionWindow(excitation=0.02, window_s=0.5)
    steps = [window.add(sight(i * FRAME_NS, 0.008 * i, shift_px=float(i))) for i in range(4)]
    assert steps[:3] == [None] * 3
    assert steps[3] is not None
    np.testing.assert_allclose(steps[3].du, 0.024)
    np.testing.assert_allclose(steps[3].dp, 3.0)


def test_a_jump_to_another_reference_is_no_motion() -> None:
    window = MotionWindow(excitation=0.02, window_s=0.5)
    window.add(sight(0, 0.0))
    window.add(sight(FRAME_NS, 0.01, anchored=True))
    motion = window.add(sight(2 * FRAME_NS, 0.03))
    assert motion is not None
    np.testing.assert_array_equal(motion.weights, [0.0, 1.0])


def test_a_motion_that_takes_too_long_is_dropped() -> None:
    window = MotionWindow(excitation=0.02, window_s=0.5)
    window.add(sight(0, 0.0))
    assert window.add(sight(600_000_000, 0.01)) is None
    assert window.add(sight(700_000_000, 0.025)) is None
    assert window.add(sight(800_000_000, 0.031)) is not None


@dataclass
class Plant:
    """Points that commands move along straight lines; the real robot does M of what is asked.

    Attributes:
        M: what the model does not know.
        T_seen_model: where the camera has been moved to since the model was trained.
    """

    M: Float[np.ndarray, "k k"]
    rng: np.random.Generator
    T_seen_model: Float[np.ndarray, "4 4"] | None = None

    def __post_init__(self) -> None:
        self._X = self.rng.uniform((-0.08, -0.08, 0.4), (0.08, 0.08, 0.5), (POINTS, 3))
        # Every channel moves the points behind it about an axis of its own.
        axes = self.rng.normal(size=(CHANNELS, 3)) * (0.3, 0.3, 1.0)
        arms = self._X[:, None] - self.rng.uniform(-0.1, 0.1, (CHANNELS, 3)) - (0, 0, 0.45)
        self.J = np.cross(axes / np.linalg.norm(axes, axis=1)[:, None], arms).transpose(0, 2, 1)
        self.J[: POINTS // 3, :, -1] = 0.0

    def points_m(self, u: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 3"]:
        return self._X + self.J @ self.M @ u

    def pixels(self, u: Float[np.ndarray, " k"]) -> Float[np.ndarray, "n 2"]:
        T = np.eye(4) if self.T_seen_model is None else self.T_seen_model
        return project(self.points_m(u) @ T[:3, :3].T + T[:3, 3], K)


def servo_errors(
    plant: Plant, enabled: bool, frames: int, noise_px: float = 0.1
) -> tuple[Float[np.ndarray, " frames"], Reason | None]:
    """Distance from the goal [normalised] per image; images are answered one frame late."""
    rng = np.random.default_rng(0)
    goal, history, one = np.array([0.2, -0.15, 0.25]), SetpointHistory(), np.ones(CHANNELS)
    space = CommandSpace(("a", "b", "c"), 0 * one, one, -one, one, 2 * one)
    config = ServoConfig(correction=CorrectionConfig(enabled=enabled))
    servo, u, asked, reason = Servo(config, space, history), -goal, -goal, None
    errors = []
    for frame in range(1, frames + 1):
        history.add(frame * FRAME_NS, u)
        errors.append(float(np.linalg.norm(u - goal)))
        pixels = plant.pixels(u) + rng.normal(0, noise_px, (POINTS, 2))
        step = servo.step(
            Measurement(
                stamp_ns=frame * FRAME_NS,
                K=K,
                current_px=pixels,
                target=plant.pixels(goal),
                weights=np.ones(POINTS),
                points_m=plant.points_m(u),
                jacobian_m=plant.J,
            )
        )
        u, asked = asked, step.setpoint
        reason = step.reason if reason is None else reason
    return np.array(errors), reason


@pytest.mark.parametrize("kind", ["weak", "wrong sign", "forty percent"])
def test_wrong_model_gets_at_least_twice_as_near(kind: str) -> None:
    without, corrected = [], []
    for seed in range(4):
        M = {
            "weak": np.diag([1.0, 0.15, 1.0]),
            "wrong sign": np.diag([1.0, 1.0, -0.4]),
            "forty percent": off_by(0.4, np.random.default_rng(seed)),
        }[kind]
        for enabled, ends in ((False, without), (True, corrected)):
            plant = Plant(M, np.random.default_rng(seed))
            ends.append(servo_errors(plant, enabled, 24)[0][-1])
    assert np.mean(corrected) < 0.5 * np.mean(without), (without, corrected)


@pytest.mark.parametrize("noise_px", [0.1, 0.6])
def test_right_model_is_not_harmed(noise_px: float) -> None:
    errors = np.array(
        [
            [
                servo_errors(Plant(np.eye(3), np.random.default_rng(seed)), on, 24, noise_px)[0]
                for on in (False, True)
            ]
            for seed in range(4)
        ]
    )
    without, corrected = errors[..., 10:].mean(axis=(0, 2))
    assert corrected < 1.1 * without


def test_moved_camera_is_absorbed() -> None:
    """Turned by 5 degrees about its axis and shifted by 2 cm."""
    angle = np.radians(5.0)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[0, 3] = 0.02
    rng = np.random.default_rng
    ends = [servo_errors(Plant(np.eye(3), rng(seed), T), True, 24) for seed in range(4)]
    print(
        [e[0][-1] for e in ends],
        [servo_errors(Plant(np.eye(3), rng(seed), T), False, 24)[0][-1] for seed in range(4)],
    )
    assert max(errors[-1] for errors, _ in ends) < 0.01
    assert all(reason is Reason.CONVERGED for _, reason in ends)
