"""Fields as colours, arrows and pictures."""

import numpy as np
import pytest

from njf_control.visualization.colors import channel_color, influence_colors
from njf_control.visualization.field import FieldView, arrows, spread_out
from njf_control.visualization.overlay import GOAL, NOW, PREDICTED, Aim, Flow, draw_overlay

K = np.array([[200.0, 0, 80], [0, 200, 60], [0, 0, 1]])


def _field() -> FieldView:
    """Two points 1 m away: the first moves with channel 0 along x, the second with 1 along y."""
    motion = np.zeros((2, 3, 2))
    motion[0, 0, 0], motion[1, 1, 1] = 0.02, 0.01
    points = np.array([[-0.2, 0.0, 1.0], [0.2, 0.0, 1.0]])
    return FieldView(points, motion, np.array([0.9, 0.4]))


def test_sixteen_channels_have_sixteen_colours():
    colors = np.array([channel_color(i) for i in range(16)])
    gaps = np.abs(colors[:, None] - colors[None]).max(-1) + np.eye(16)
    assert gaps.min() > 0.1


def test_a_point_has_the_colour_of_the_channel_that_moves_it():
    influence = np.array([[0.02, 0.0], [0.0, 0.02], [0.0, 0.0]])
    colors = influence_colors(influence)
    np.testing.assert_allclose(colors[0], channel_color(0), atol=1e-9)
    np.testing.assert_allclose(colors[1], channel_color(1), atol=1e-9)
    assert np.ptp(colors[2]) == 0.0 and colors[2, 0] > 0.8, "pale grey rests"
    assert influence_colors(np.zeros((0, 3))).shape == (0, 3)
    assert np.isfinite(influence_colors(np.zeros((4, 2)))).all()


def test_motion_is_seen_where_the_camera_sees_it():
    begin, flow = _field().flow_px(np.array([0.5, -1.0]), K)
    np.testing.assert_allclose(begin, [[40, 60], [120, 60]])
    np.testing.assert_allclose(flow, [[2, 0], [0, -2]], atol=1e-12)
    np.testing.assert_allclose(_field().influence_m, [[0.02, 0], [0, 0.01]])


def test_pixels_find_the_point_beside_them():
    near = _field().nearest(np.array([[50.0, 70], [110, 50], [0, 0]]), K)
    np.testing.assert_allclose(near.points_m[:, 0], [-0.2, 0.2, -0.2])
    assert len(_field().sure(0.5).points_m) == 1


def test_the_longest_arrow_is_as_long_as_asked_and_noise_has_none():
    points = np.zeros((3, 3))
    motion = np.array([[0.02, 0, 0], [0, 0.01, 0], [0, 0, 1e-4]])
    begin, end = arrows(points, motion, 0.03)
    np.testing.assert_allclose(end - begin, [[0.03, 0, 0], [0, 0.015, 0]])
    assert len(arrows(points, np.zeros((3, 3)), 0.03)[0]) == 0


@pytest.mark.parametrize(("count", "at_most"), [(0, 5), (3, 5), (5, 5), (103, 10)])
def test_few_are_chosen_evenly(count, at_most):
    chosen = spread_out(count, at_most)
    assert len(chosen) == min(count, at_most) == len(set(chosen.tolist()))
    if count > at_most:
        assert np.ptp(np.diff(chosen)) <= 1 and chosen[-1] < count


def test_the_overlay_shows_field_goal_and_motion_and_leaves_the_photo_alone():
    photo = np.zeros((120, 160, 3), np.uint8)
    aim = Aim(np.array([[20.0, 20]]), np.array([[40.0, 20]]), np.array([True]))
    flow = Flow(np.array([[100.0, 100]]), np.array([[0.0, -3]]), np.array([[5.0, 0]]))
    picture = draw_overlay(photo, K, _field(), 12, aim, flow)
    assert photo.max() == 0
    first = picture[60, 40].astype(float)
    np.testing.assert_allclose(first / first.max(), np.array(channel_color(0)) / 0.8, atol=0.02)
    assert picture[60, 80].max() == 0, "nothing is known between the two points"
    assert tuple(picture[20, 20]) == NOW and tuple(picture[20, 40]) == GOAL
    assert picture[93:99, 100].min(axis=1).max() > 200, "white upward: measured"
    np.testing.assert_allclose(picture[100, 108], PREDICTED, atol=40)
    unknown = draw_overlay(photo, K, None, 12)
    assert (unknown == photo).all()


def test_what_does_not_count_is_not_drawn():
    photo = np.zeros((120, 160, 3), np.uint8)
    aim = Aim(np.full((2, 2), 20.0), np.array([[np.nan, 1], [50, 50]]), np.array([True, False]))
    assert (draw_overlay(photo, K, None, 12, aim) == photo).all()
