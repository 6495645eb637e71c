"""The solver: derivatives against differences, steps against SciPy, limits against anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import lsq_linear, minimize

from njf_control.solver import (
    CommandRange,
    CommandRate,
    Damping,
    Solution,
    Status,
    StayNear,
    TrackPixels,
    TrackPoints,
    solve,
)
from njf_control.solver.limits import combine
from njf_perception.camera import project

K = np.array([[300.0, 0.0, 160.0], [0.0, 310.0, 120.0], [0.0, 0.0, 1.0]])
EXACT = 1e9  # Huber scale that leaves plain least squares


def make_task(
    seed: int, channels: int, points: int = 40, huber_px: float = EXACT, noise_px: float = 0.0
) -> tuple[TrackPixels, np.ndarray]:
    """A task whose targets lie a random true step away, and that step."""
    rng = np.random.default_rng(seed)
    X = rng.uniform((-0.1, -0.1, 0.4), (0.1, 0.1, 0.6), (points, 3))
    J = rng.normal(0, 0.05, (points, 3, channels))
    truth = rng.uniform(-0.3, 0.3, channels) / np.sqrt(channels)
    current = project(X, K) + 0.7  # a bias of the surface: only the motion counts
    target = current + project(X + J @ truth, K) - project(X, K)
    target = target + rng.normal(0, noise_px, target.shape)
    return TrackPixels(J, X, K, target, current, np.ones(points), huber_px), truth


def box(low: float, high: float, channels: int) -> list[CommandRange]:
    return [
        CommandRange(
            np.zeros(channels), np.full(channels, float(low)), np.full(channels, float(high))
        )
    ]


@pytest.mark.parametrize("channels", range(1, 17))
def test_perspective_motion_is_recovered_exactly(channels: int) -> None:
    task, truth = make_task(channels, channels)
    solution = solve([task], [], box(-1, 1, channels), channels, max_iterations=10)
    assert solution.status is Status.SOLVED
    np.testing.assert_allclose(solution.delta, truth, atol=1e-6)
    assert solution.residual_px < 1e-4
    assert solution.active == ("",) * channels


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_damping_does_not_depend_on_the_scale_of_the_weights(scale: float) -> None:
    """A model that is less sure of all points alike takes the same step."""
    rng = np.random.default_rng(0)
    X = rng.uniform((-0.1, -0.1, 0.4), (0.1, 0.1, 0.6), (30, 3))
    J, weights = rng.normal(0, 0.05, (30, 3, 4)), rng.uniform(0.1, 1.0, 30)
    current = project(X, K)
    target = current + rng.normal(0, 9, current.shape)

    def step(w: np.ndarray, damping: float) -> np.ndarray:
        task = TrackPixels(J, X, K, target, current, w)
        return solve([task], [Damping(damping)], box(-1, 1, 4), 4).delta

    np.testing.assert_allclose(step(scale * weights, 0.3), step(weights, 0.3), rtol=1e-6)
    assert np.abs(step(weights, 0.3) - step(weights, 0.003)).max() > 0.01, "damping matters here"


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([TrackPixels, TrackPoints]))
def test_task_derivative_matches_finite_differences(seed: int, kind: type) -> None:
    rng = np.random.default_rng(seed)
    X = rng.uniform((-0.2, -0.2, 0.3), (0.2, 0.2, 0.8), (7, 3))
    J = rng.normal(0, 0.05, (7, 3, 4))
    if kind is TrackPixels:
        task = TrackPixels(J, X, K, rng.normal(0, 9, (7, 2)), rng.normal(0, 9, (7, 2)), np.ones(7))
    else:
        task = TrackPoints(J, X, K, X + rng.normal(0, 0.02, (7, 3)), np.ones(7))
    u = rng.normal(0, 0.3, 4)
    _, A = task.linearise(u)
    for channel in range(4):
        h = np.eye(4)[channel] * 1e-6
        numeric = (task.linearise(u + h)[0] - task.linearise(u - h)[0]) / 2e-6
        np.testing.assert_allclose(A[:, :, channel], numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_bounded_step_equals_scipys(seed: int) -> None:
    channels = 1 + seed
    task, _ = make_task(seed, channels, noise_px=1.0)
    bound = 0.5 * float(np.abs(make_task(seed, channels)[1]).max())
    solution = solve([task], [], box(-bound, bound, channels), channels, max_iterations=30)

    def residuals(u: np.ndarray) -> np.ndarray:
        return task.linearise(u)[0].ravel()

    # At the optimum the bounded linear least-squares problem is solved by no further step.
    A = task.linearise(solution.delta)[1].reshape(-1, channels)
    b = A @ solution.delta - residuals(solution.delta)
    linear = lsq_linear(A, b, (-bound, bound), tol=1e-14)
    np.testing.assert_allclose(solution.delta, linear.x, atol=1e-5)
    oracle = minimize(
        lambda u: 0.5 * np.sum(residuals(u) ** 2),
        np.zeros(channels),
        bounds=[(-bound, bound)] * channels,
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    mine = 0.5 * np.sum(residuals(solution.delta) ** 2)
    assert mine <= oracle.fun * (1 + 1e-6)
    at_bound = np.isclose(np.abs(solution.delta), bound, atol=1e-9)
    assert solution.active == tuple("range" if hit else "" for hit in at_bound)
    assert any(solution.active)


def test_robust_weights_ignore_outliers() -> None:
    clean, truth = make_task(3, 3, points=60, huber_px=1.0, noise_px=0.3)
    rng = np.random.default_rng(0)
    X, J = clean._X, clean._J
    current = project(X, K)
    target = project(X + J @ truth, K) + rng.normal(0, 0.3, current.shape)
    target[:12] += (80.0, -50.0)
    errors = {}
    for huber_px in (1.0, EXACT):
        task = TrackPixels(J, X, K, target, current, np.ones(60), huber_px)
        delta = solve([task], [], box(-1, 1, 3), 3, max_iterations=40).delta
        errors[huber_px] = np.abs(delta - truth).max()
    assert errors[1.0] < 0.02
    assert errors[EXACT] > 5 * errors[1.0]


def test_weightless_and_broken_points_do_not_count() -> None:
    task, truth = make_task(5, 3)
    target = task._targets + project(task._X, K)
    X, J, weights = task._X.copy(), task._J.copy(), np.ones(40)
    X[0], J[1], target[2], weights[3] = np.nan, np.inf, np.nan, np.nan
    X[4, 2], weights[5], target[5] = -1.0, 0.0, 1e6
    broken = TrackPixels(J, X, K, target, project(task._X, K), weights, EXACT)
    solution = solve([broken], [], box(-1, 1, 3), 3, max_iterations=10)
    np.testing.assert_allclose(solution.delta, truth, atol=1e-6)
    assert np.isnan(broken.residuals_px(truth)[:6]).all()
    assert broken.residuals_px(truth)[6:].max() < 1e-6


def test_points_in_space_are_reached() -> None:
    rng = np.random.default_rng(8)
    X = rng.uniform((-0.1, -0.1, 0.4), (0.1, 0.1, 0.6), (20, 3))
    J, truth = rng.normal(0, 0.05, (20, 3, 3)), np.array([0.2, -0.1, 0.3])
    task = TrackPoints(J, X, K, X + J @ truth, np.ones(20))
    np.testing.assert_allclose(solve([task], [], box(-1, 1, 3), 3).delta, truth, atol=1e-6)


def test_stay_near_decides_what_the_task_leaves_open() -> None:
    X, J = np.array([[0.0, 0.0, 0.5]] * 5), np.zeros((5, 3, 2))
    J[:, 0, 0] = 0.1  # the second channel moves nothing
    current = project(X, K)
    task = TrackPixels(J, X, K, current + (6.0, 0.0), current, np.ones(5), EXACT)
    preferred = np.array([0.0, -0.4])
    solution = solve([task], [StayNear(preferred, 1e-6)], box(-1, 1, 2), 2)
    np.testing.assert_allclose(solution.delta, [0.1, -0.4], atol=1e-4)
    assert solution.condition == np.inf


def test_damping_is_relative() -> None:
    steps = []
    for points in (10, 1000):
        X = np.tile([0.0, 0.0, 0.5], (points, 1))
        J = np.zeros((points, 3, 1))
        J[:, 0, 0] = 0.1
        current = project(X, K)
        task = TrackPixels(J, X, K, current + (6.0, 0.0), current, np.ones(points), EXACT)
        steps.append(solve([task], [Damping(0.1)], box(-1, 1, 1), 1).delta[0])
    np.testing.assert_allclose(steps, 0.1 / 1.1, rtol=1e-9)


def test_later_limit_wins_a_contradiction() -> None:
    outside = CommandRange(np.array([1.5]), np.array([-1.0]), np.array([1.0]))
    bounds = combine([outside, CommandRate(np.array([0.1]))], 1)
    assert bounds.lower == bounds.upper == -0.1


VALUES = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(deadline=None, max_examples=300)
@given(st.data(), st.integers(1, 16), st.integers(0, 6))
def test_limits_hold_and_steps_are_finite_whatever_comes_in(
    data: st.DataObject, channels: int, points: int
) -> None:
    def draw(*shape: int) -> np.ndarray:
        return data.draw(arrays(np.float64, shape, elements=VALUES))

    weights = np.abs(draw(points))
    X, J = draw(points, 3), draw(points, 3, channels)
    task = data.draw(st.sampled_from([TrackPixels, TrackPoints]))
    if task is TrackPixels:
        made = TrackPixels(J, X, K, draw(points, 2), draw(points, 2), weights)
    else:
        made = TrackPoints(J, X, K, draw(points, 3), weights)
    setpoint = np.clip(np.nan_to_num(draw(channels)), -1, 1)
    limits = [
        CommandRange(setpoint, -np.ones(channels), np.ones(channels)),
        CommandRate(np.full(channels, 0.1)),
    ]
    solution = solve([made], [Damping()], limits, channels)
    check_limits(solution, setpoint, 0.1)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 100_000), st.integers(1, 16), st.floats(1e-4, 1e4))
def test_limits_hold_exactly_for_sensible_tasks(seed: int, channels: int, scale: float) -> None:
    task, _ = make_task(seed, channels, points=1 + seed % 20, huber_px=1.0, noise_px=scale)
    rng = np.random.default_rng(seed)
    setpoint = rng.uniform(-1, 1, channels)
    max_step = float(rng.uniform(0, 0.3))
    limits = [
        CommandRange(setpoint, -np.ones(channels), np.ones(channels)),
        CommandRate(np.full(channels, max_step)),
    ]
    solution = solve([task], [Damping()], limits, channels)
    assert solution.status is Status.SOLVED
    check_limits(solution, setpoint, max_step)


def check_limits(solution: Solution, setpoint: np.ndarray, max_step: float) -> None:
    assert np.isfinite(solution.delta).all()
    assert (np.abs(solution.delta) <= max_step).all()
    assert (np.abs(setpoint + solution.delta) <= 1 + 1e-15).all()
    assert (solution.status is Status.SOLVED) or not solution.delta.any()


@pytest.mark.parametrize(
    ("bound", "status"), [(np.nan, Status.NOT_FINITE), (np.inf, Status.SOLVED)]
)
def test_bounds_may_be_infinite_but_not_nan(bound: float, status: Status) -> None:
    task, _ = make_task(1, 2)
    solution = solve([task], [Damping()], [CommandRate(np.array([bound, 1.0]))], 2)
    assert solution.status is status


def test_no_points_is_no_data() -> None:
    empty = TrackPixels(
        np.zeros((0, 3, 2)), np.zeros((0, 3)), K, np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)
    )
    solution = solve([empty], [Damping()], box(-1, 1, 2), 2)
    assert solution.status is Status.NO_DATA
    assert not solution.delta.any()


def test_wrong_shape_is_an_error() -> None:
    zeros = np.zeros((4, 3))
    with pytest.raises(Exception, match="jacobian_m"):
        TrackPixels(np.zeros((4, 2, 3)), zeros, K, np.zeros((4, 2)), np.zeros((4, 2)), np.ones(4))
