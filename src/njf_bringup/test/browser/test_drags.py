"""From presses and drags on a picture to the points of a goal."""

import numpy as np
import pytest

from njf_bringup.browser.drags import Drag, goal_points, grip
from njf_control.servo.goal import GoalError
from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera


def test_a_press_takes_hold_of_a_corner_near_by(
    picture: np.ndarray, plate: FieldView, camera: Camera
) -> None:
    pressed = np.array([120.0, 120.0])
    spot = grip(picture, pressed, plate, camera)
    assert 0 < np.linalg.norm(spot - pressed) <= 7
    assert np.allclose(grip(picture, spot, plate, camera), spot, atol=7)


@pytest.mark.parametrize(
    ("pixel", "message"),
    [((30.0, 30.0), r"no robot at pixel \(30, 30\)"), ((170.0, 120.0), "too plain")],
)
def test_a_press_on_nothing_says_so(
    picture: np.ndarray, plate: FieldView, camera: Camera, pixel: tuple, message: str
) -> None:
    with pytest.raises(GoalError, match=message):
        grip(picture, np.array(pixel), plate, camera)


def test_points_of_a_goal_stay_together(picture: np.ndarray) -> None:
    drags = [
        Drag(picture, np.array([100.0, 100.0]), np.array([130.0, 90.0])),
        Drag(picture, np.array([220.0, 150.0]), np.array([220.0, 160.0])),
    ]
    now, then = goal_points(drags, picture)
    assert now.points.shape == then.points.shape == (18, 2)
    way = then.points - now.points
    assert np.allclose(way[:9], [30, -10], atol=0.1)
    assert np.allclose(way[9:], [0, 10], atol=0.1)
    assert np.abs(now.points[:9] - [100, 100]).max() < 2.1


def test_spots_are_found_again_after_the_robot_has_moved(picture: np.ndarray) -> None:
    drag = Drag(picture, np.array([100.0, 100.0]), np.array([130.0, 90.0]))
    now, then = goal_points([drag], np.roll(picture, 4, axis=1))
    assert np.allclose(now.points[0], [104, 100], atol=0.2)
    assert np.allclose(then.points[0], [130, 90])


def test_a_goal_that_is_not_there_any_more_says_what_to_do(picture: np.ndarray) -> None:
    drag = Drag(picture, np.array([100.0, 100.0]), np.array([130.0, 90.0]))
    with pytest.raises(GoalError, match=r"drag 1, pressed at pixel \(100, 100\).*draw them again"):
        goal_points([drag], np.ascontiguousarray(picture[::-1, ::-1]))
    with pytest.raises(GoalError, match="no goal yet"):
        goal_points([], picture)
