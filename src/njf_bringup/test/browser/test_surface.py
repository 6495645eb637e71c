"""Geometry of the 3D scene."""

import numpy as np
import pytest

from njf_bringup.browser.surface import (
    filled,
    frustum,
    grain,
    photo_colors,
    spacing_px,
    to_world,
    upright,
    viewpoint,
)
from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera, project


def test_the_filled_surface_lies_where_the_field_lies(plate: FieldView, camera: Camera) -> None:
    dense = filled(plate, camera)
    assert len(dense.points_m) == 16 * len(plate.points_m)
    assert spacing_px(project(dense.points_m, camera.K)) == pytest.approx(4.0)
    assert np.allclose(dense.points_m[:, 2], 0.5)
    assert np.allclose(dense.motion_m[:, 0, 0], plate.motion_m[0, 0, 0])


def test_a_field_of_one_point_cannot_be_filled(plate: FieldView, camera: Camera) -> None:
    one = FieldView(plate.points_m[:1], plate.motion_m[:1], plate.confidence[:1])
    assert filled(one, camera) is one


def test_points_have_the_colours_of_the_picture(plate: FieldView, camera: Camera) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:, :160, 0] = 255
    colors = photo_colors(plate.points_m, camera, picture)
    left = plate.points_m[:, 0] < 0
    assert np.allclose(colors[left], [1, 0, 0]) and np.allclose(colors[~left], 0)
    behind = plate.points_m + [5.0, 0, 0]
    assert np.allclose(photo_colors(behind, camera, picture), 128 / 255)


def test_a_camera_is_drawn_where_it_stands(camera: Camera) -> None:
    ends = frustum(upright(), camera.K, 0.1)
    assert np.allclose(ends[:4, 0], [0, 0, 0.5])
    assert np.allclose(ends[:, 1, 1], 0.1)  # it looks along y
    assert ends[0, 1, 2] > 0.5 > ends[2, 1, 2]  # its picture's top is above


def test_the_first_view_shows_the_whole_surface(plate: FieldView, camera: Camera) -> None:
    T = upright()
    points = to_world(plate.points_m, T)
    eye, center = viewpoint(points, T)
    assert np.allclose(center, points.mean(axis=0))
    radius = np.linalg.norm(points - center, axis=1).max()
    assert 2 * radius < np.linalg.norm(eye - center) < 3 * radius
    assert eye[1] < center[1]  # from the camera's side
    assert grain(plate, camera) == pytest.approx(16 * 0.5 / 300)
