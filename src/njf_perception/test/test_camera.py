"""The pinhole camera: its conventions, stated as tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from njf_perception.camera import Camera, invert, pixel_grid, project, transform

K = np.array([[300.0, 0.0, 159.5], [0.0, 310.0, 119.5], [0.0, 0.0, 1.0]])


def camera() -> Camera:
    return Camera("camera_0", 320, 240, K, np.eye(4))


def pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    T = np.eye(4)
    T[:3, :3] = q * np.sign(np.linalg.det(q))
    T[:3, 3] = rng.normal(size=3)
    return T


def test_the_optical_axis_meets_the_principal_point():
    np.testing.assert_allclose(camera().project(np.array([0.0, 0.0, 2.0])), [159.5, 119.5])


def test_x_is_right_and_y_is_down():
    u, v = camera().project(np.array([0.1, 0.2, 1.0]))
    assert (u, v) == pytest.approx((159.5 + 30.0, 119.5 + 62.0))


def test_points_at_or_behind_the_camera_have_no_pixel():
    pixels = project(np.array([[0.1, 0.1, 0.0], [0.1, 0.1, -1.0]]), K)
    assert np.isnan(pixels).all()


@given(u=st.floats(-50, 400), v=st.floats(-50, 300), depth=st.floats(0.01, 100))
def test_rays_and_projection_are_inverse(u, v, depth):
    pixel = np.array([u, v])
    ray = camera().rays(pixel)
    assert ray[2] == 1.0
    np.testing.assert_allclose(camera().project(ray * depth), pixel, atol=1e-9)


def test_scaling_keeps_what_is_seen_at_relative_positions():
    small = camera().scaled(80, 60)
    point = np.array([0.05, -0.08, 0.7])
    full, quarter = camera().project(point), small.project(point)
    # The middle of the first pixel of the small image is the middle of 4 x 4 full pixels.
    np.testing.assert_allclose((quarter + 0.5) * 4 - 0.5, full)
    np.testing.assert_allclose(small.scaled(320, 240).K, K)
    assert (small.width, small.height, small.name) == (80, 60, "camera_0")


def test_pixel_grid_holds_integer_centres_row_by_row():
    grid = pixel_grid(3, 2)
    assert grid.shape == (2, 3, 2)
    assert grid[1, 2].tolist() == [2.0, 1.0]


@given(seed=st.integers(0, 1000))
def test_inverse_undoes_a_transform(seed):
    T, points = pose(seed), np.random.default_rng(seed + 1).normal(size=(5, 3))
    np.testing.assert_allclose(transform(invert(T), transform(T, points)), points, atol=1e-12)
    np.testing.assert_allclose(invert(T), np.linalg.inv(T), atol=1e-12)
