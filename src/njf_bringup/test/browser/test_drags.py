"""From presses and drags on a picture to the points of a goal."""

from dataclasses import replace

import numpy as np
import pytest

from njf_bringup.browser.drags import Drag, goal_points, grip
from njf_control.servo.goal import GoalError
from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera, project


def drag(picture: np.ndarray, begin: tuple[float, float], way: tuple[float, float]) -> Drag:
    around = np.array([(u, v) for v in (-4, 0, 4) for u in (-4, 0, 4)])
    return Drag(picture, (np.array(begin) + around).astype(np.float32), np.array(way))


def test_a_press_takes_hold_of_corners_about_it(
    picture: np.ndarray, plate: FieldView, camera: Camera
) -> None:
    pressed = np.array([120.0, 120.0])
    points = grip(picture, pressed, plate, camera)
    distances = np.linalg.norm(points - pressed, axis=1)
    assert 4 <= len(points) <= 12
    assert distances.max() <= 17  # a 20th of 320 px, and a pixel
    assert np.linalg.norm(Drag(picture, points, np.zeros(2)).begin_px - pressed) < 5


def test_a_press_holds_to_the_part_that_was_pressed(
    picture: np.ndarray, plate: FieldView, camera: Camera
) -> None:
    """The plate is in two, side by side: what is left of column 120 stands still."""
    still = project(plate.points_m, camera.K)[:, 0] < 120
    motion = plate.motion_m.copy()
    motion[still] = 0.0
    points = grip(picture, np.array([123.0, 112.0]), replace(plate, motion_m=motion), camera)
    assert points[:, 0].min() >= 119  # half the field's spacing beyond it
    both = grip(picture, np.array([123.0, 112.0]), plate, camera)
    assert both[:, 0].min() < points[:, 0].min()


@pytest.mark.parametrize(
    ("pixel", "message"),
    [((30.0, 30.0), r"no robot at pixel \(30, 30\)"), ((170.0, 120.0), "too plain")],
)
def test_a_press_on_nothing_says_so(
    picture: np.ndarray, plate: FieldView, camera: Camera, pixel: tuple, message: str
) -> None:
    with pytest.raises(GoalError, match=message):
        grip(picture, np.array(pixel), plate, camera)


def test_points_of_a_drag_are_one_spot(picture: np.ndarray) -> None:
    drags = [drag(picture, (100, 100), (30, -10)), drag(picture, (220, 150), (0, 10))]
    now, then, spots = goal_points(drags, picture)
    assert now.points.shape == then.points.shape == (18, 2)
    assert spots.tolist() == [0] * 9 + [1] * 9
    way = then.points - now.points
    assert np.allclose(way[:9], [30, -10], atol=0.1)
    assert np.allclose(way[9:], [0, 10], atol=0.1)


def test_spots_are_found_again_after_the_robot_has_moved(picture: np.ndarray) -> None:
    pressed = drag(picture, (100, 100), (30, -10))
    now, then, _ = goal_points([pressed], np.roll(picture, 4, axis=1))
    assert np.allclose(now.points, pressed.points_px + [4, 0], atol=0.2)
    assert np.allclose(then.points.mean(axis=0), pressed.end_px)
    assert np.allclose(pressed.end_px, [130, 90])


def test_points_that_are_hidden_now_are_left_out(picture: np.ndarray) -> None:
    hidden = picture.copy()
    hidden[94:106, 106:118] = picture[200:212, 200:212]
    pressed = drag(picture, (100, 100), (30, -10))
    apart = pressed.begin_px + 2.5 * (pressed.points_px - pressed.begin_px)
    pressed = replace(pressed, points_px=apart.astype(np.float32))
    now, then, spots = goal_points([pressed], hidden)
    assert len(now.points) == len(then.points) == len(spots) == 8
    assert np.allclose(then.points - now.points, [30, -10], atol=0.5)


def test_a_goal_that_is_not_there_any_more_says_what_to_do(picture: np.ndarray) -> None:
    pressed = drag(picture, (100, 100), (30, -10))
    with pytest.raises(GoalError, match=r"drag 1, pressed at pixel \(100, 100\).*draw them again"):
        goal_points([pressed], np.ascontiguousarray(picture[::-1, ::-1]))
    with pytest.raises(GoalError, match="no goal yet"):
        goal_points([], picture)
