"""Taking hold of spots: of corners that move alike, and anew when many were lost."""

import cv2
import numpy as np
import pytest

from njf_control.servo.goal import Goal
from njf_control.servo.grip import MOST_POINTS, corners_near, moves_alike, regripped
from njf_control.servo.model import SurfaceJacobians
from njf_control.servo.spots import Spots
from njf_perception.trackers.base import Tracks

NOISE = np.random.default_rng(0).standard_normal((240, 320, 3)).astype(np.float32)
IMAGE = np.clip(128 + 200 * cv2.GaussianBlur(NOISE, (0, 0), 2.0), 0, 255).astype(np.uint8)
MIDDLE = np.array([160.0, 120.0])
TARGET = MIDDLE + [30.0, -10.0]


def see(pixels: np.ndarray) -> SurfaceJacobians:
    """Two parts side by side: right of column 168 everything moves the other way."""
    jacobian = np.zeros((len(pixels), 3, 2))
    jacobian[:, 0, 0] = np.where(pixels[:, 0] < 168, 0.1, -0.1)
    return SurfaceJacobians(np.ones((len(pixels), 3)), np.ones(len(pixels)), jacobian)


def goal_with(lost: int, shift: float = 0.0) -> tuple[Goal, Tracks]:
    """A spot of ten points that went `shift` to the left without turning; some are lost."""
    points = corners_near(IMAGE, MIDDLE)
    points = points[points[:, 0] < 168][:10]
    start = points + np.array([shift, 0], np.float32)
    target = start + (TARGET - start.mean(axis=0))
    seen = np.arange(10) >= lost
    goal = Goal(start, target, np.ones(10), spots=Spots.of(np.zeros(10, int), start, target))
    return goal, Tracks(points, seen, seen.astype(np.float32))


def test_the_nearest_corners_come_first_and_none_is_far() -> None:
    distances = np.linalg.norm(corners_near(IMAGE, MIDDLE) - MIDDLE, axis=1)
    assert (np.diff(distances) >= 0).all()
    assert len(distances) > MOST_POINTS and distances[-1] <= 17
    flat = np.full_like(IMAGE, 90)
    assert len(corners_near(flat, MIDDLE)) == 0


def test_other_directions_and_other_sizes_do_not_move_alike() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    motions = np.stack([reference, 1.2 * reference, 2 * reference, -reference])
    assert moves_alike(motions, reference).tolist() == [True, True, False, False]
    assert moves_alike(motions[:0], reference).shape == (0,)


def test_a_spot_that_lost_many_points_gets_new_ones_and_keeps_its_way() -> None:
    goal, tracks = goal_with(lost=6, shift=5.0)
    anew = regripped(goal, tracks, IMAGE, see)
    assert anew is not None and anew.spots is not None
    assert len(anew.start_px) == MOST_POINTS
    assert anew.start_px[:4] == pytest.approx(tracks.points[6:])
    assert anew.start_px[:, 0].max() < 168  # what is right of it is another part
    assert goal.spots is not None
    assert anew.spots.middle_px[0] == pytest.approx(goal.spots.middle_px[0] - [5, 0], abs=1e-3)
    assert anew.spots.target_px[0] == pytest.approx(TARGET)


def test_points_of_which_the_model_is_unsure_are_not_taken() -> None:
    def unsure(pixels: np.ndarray) -> SurfaceJacobians:
        seen = see(pixels)
        return SurfaceJacobians(seen.points_m, np.full(len(pixels), 0.2), seen.jacobian_m)

    goal, tracks = goal_with(lost=6)
    assert regripped(goal, tracks, IMAGE, unsure) is None


@pytest.mark.parametrize("lost", [0, 2, 10])
def test_enough_points_and_none_at_all_are_left_as_they_are(lost: int) -> None:
    assert regripped(*goal_with(lost), IMAGE, see) is None


def test_each_spot_is_taken_hold_of_for_itself() -> None:
    left, right = goal_with(lost=0)[1].points, np.array([[60.0, 60.0]], np.float32)
    right = corners_near(IMAGE, right[0].astype(float))[:9]
    start = np.concatenate([left, right])
    target = start.astype(np.float64)
    spots = Spots.of(np.repeat([5, 7], [len(left), len(right)]), start, target)
    seen = np.arange(len(start)) < len(left) + 3  # of the second spot three are left
    goal = Goal(start, target, np.ones(len(start)), spots=spots)
    anew = regripped(goal, Tracks(start, seen, seen.astype(np.float32)), IMAGE, see)
    assert anew is not None and anew.spots is not None
    assert np.bincount(anew.spots.of_point).tolist() == [10, MOST_POINTS]
