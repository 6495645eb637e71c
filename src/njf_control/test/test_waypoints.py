"""Demonstrations: which frames become waypoints, and how a session follows them."""

import numpy as np
import pytest
import torch
from jaxtyping import Float

from njf_control.servo import CommandSpace, Reason, Servo, ServoConfig, ServoStep, SetpointHistory
from njf_control.servo.goal import goal_from_demonstration, goal_from_waypoints
from njf_control.servo.model import SurfaceJacobians
from njf_control.servo.session import EncodedImage, Session
from njf_control.servo.waypoints import (
    WaypointConfig,
    WaypointFollower,
    Waypoints,
    demonstration_from_video,
    select_waypoints,
)
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_perception.scene import Encoding
from njf_perception.trackers.base import Tracks

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
CAMERA = Camera("camera_0", 320, 240, K, np.eye(4))
START = np.array([[100.0, 100.0], [120.0, 90.0], [140.0, 120.0], [90.0, 130.0]], np.float32)
FRAME_NS = 50_000_000


def tracks(points: Float[np.ndarray, "n 2"], lost: int = 0) -> Tracks:
    seen = np.arange(len(points)) >= lost
    return Tracks(points.astype(np.float32), seen, seen.astype(np.float32))


def line(*shifts_px: float, lost: int = 0) -> list[Tracks]:
    """Frames in which all points are shifted to the right."""
    return [tracks(START + (shift, 0.0), lost) for shift in shifts_px]


def shifts(waypoints: Waypoints) -> list[float]:
    return [float(points[-1, 0] - START[-1, 0]) for points in waypoints.points_px]


def test_waypoints_are_spaced_by_motion_and_end_with_the_last_frame() -> None:
    assert shifts(select_waypoints(line(*range(0, 32, 2)), spacing_px=8.0)) == [
        8.0,
        16.0,
        24.0,
        30.0,
    ]
    chosen = select_waypoints(line(*range(0, 28, 2)), spacing_px=8.0)
    assert shifts(chosen) == [8.0, 16.0, 26.0], "two waypoints that are close are one"
    assert (chosen.weights == 1.0).all()


def test_jitter_at_rest_makes_no_waypoints() -> None:
    rng = np.random.default_rng(0)
    frames = [tracks(START + rng.normal(0, 0.3, START.shape)) for _ in range(200)]
    assert len(select_waypoints([*frames, *line(20.0)], spacing_px=8.0)) == 1


def test_a_detour_that_returns_is_not_cut() -> None:
    chosen = select_waypoints(line(0, 5, 10, 15, 20, 15, 10, 5, 0), spacing_px=9.0)
    assert shifts(chosen) == [10.0, 20.0, 10.0, 0.0]


def test_frames_with_few_points_are_no_waypoints() -> None:
    frames = [*line(0), *line(10, lost=2), *line(20)]
    assert shifts(select_waypoints(frames, spacing_px=8.0, min_points=3)) == [20.0]


@pytest.mark.parametrize("frames", [[], line(0, 10, lost=1)])
def test_demonstration_without_an_end_is_refused(frames: list[Tracks]) -> None:
    with pytest.raises(DataError, match="stay in view to the end"):
        select_waypoints(frames, min_points=4)


def follower(**settings: float) -> WaypointFollower:
    points = np.stack([START + np.array([10.0 * i, 0.0], np.float32) for i in range(1, 8)])
    weights = np.ones((7, 4), np.float32)
    return WaypointFollower(Waypoints(points, weights), WaypointConfig.model_validate(settings))


def at(shift_px: float) -> Float[np.ndarray, "n 2"]:
    return START.astype(np.float64) + (shift_px, 0.0)


def test_only_forward_and_only_so_far() -> None:
    following = follower(look_ahead=2)
    assert not following.advance(0, at(0.0), np.ones(4)) and following.index == 0
    assert following.advance(1, at(28.0), np.ones(4)) and following.index == 3
    assert not following.advance(2, at(10.0), np.ones(4)) and following.index == 3
    assert not following.advance(3, at(70.0), np.ones(4)), "beyond what may be passed at once"
    assert following.advance(4, at(60.0), np.ones(4)) and following.last
    assert not following.advance(5, at(70.0), np.ones(4)), "the loop says when the end is reached"
    np.testing.assert_allclose(following.target_px, at(70.0))


def test_a_way_that_turns_back_is_not_cut_short() -> None:
    shifts_px = (10.0, 20.0, 10.0, 0.0, -10.0)
    points = np.stack([START + np.array([shift, 0.0], np.float32) for shift in shifts_px])
    way = Waypoints(points, np.ones((5, 4), np.float32))
    following = WaypointFollower(way, WaypointConfig.model_validate({"look_ahead": 3}))
    passed = [
        (following.advance(i, at(shift), np.ones(4)), following.index)
        for i, shift in enumerate((0.0, 9.5, 19.0, 0.5))
    ]
    assert passed == [(False, 0), (True, 1), (True, 2), (True, 4)]


def test_invisible_points_reach_nothing() -> None:
    assert not follower().advance(0, at(10.0), np.zeros(4))


def test_time_counts_anew_at_every_waypoint_but_the_last() -> None:
    following, second = follower(timeout_s=1.0, look_ahead=0), 1_000_000_000
    following.advance(5 * second, at(0.0), np.ones(4))
    assert not following.overdue(6 * second) and following.overdue(6 * second + 1)
    following.advance(6 * second, at(10.0), np.ones(4))
    assert not following.overdue(7 * second)
    while not following.last:
        following.skip(8 * second)
    assert not following.overdue(99 * second)


def test_points_are_matched_by_id_and_must_be_seen_at_both_ends() -> None:
    now = tracks(START, lost=1)
    frames = [(np.array([9, 4, 8, 7]), tracks(START[::-1] + 10.0 * i)) for i in range(3)]
    goal = goal_from_demonstration(np.array([7, 8, 4, 9]), now, frames, 8.0, 2)
    np.testing.assert_allclose(goal.start_px, START[1:])
    np.testing.assert_allclose(goal.target, START[[1, 2, 3]] + 20.0)
    assert goal.path is not None and goal.path.points_px.shape == (2, 3, 2)


class Table:
    """A plane half a metre away that two channels shift: 60 px per unit, obstacles or not."""

    def __init__(self, stuck: bool = False) -> None:
        self.u, self.stuck, self.path = np.zeros(2), stuck, [np.zeros(2)]

    def start(self, image: np.ndarray, points: np.ndarray) -> Tracks:
        self._points = points - (60.0 * self.u).astype(np.float32)
        return tracks(points)

    def update(self, image: np.ndarray) -> Tracks:
        return tracks(self._points + 60.0 * self.u)

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: np.ndarray,
        measured_m: np.ndarray | None = None,
    ) -> SurfaceJacobians:
        J = np.zeros((len(pixels), 3, 2))
        J[:, 0, 0] = J[:, 1, 1] = 0.1
        return SurfaceJacobians(0.5 * camera.rays(pixels), np.ones(len(pixels)), J)


def follow(table: Table, waypoints: Waypoints, **settings: float) -> list[ServoStep]:
    one, image = np.ones(2), np.zeros((240, 320, 3), np.uint8)
    history, steps = SetpointHistory(), []
    space = CommandSpace(("a", "b"), 0 * one, one, -one, one, 2 * one)
    session = Session(
        lambda *_: goal_from_waypoints(START, waypoints),
        lambda: table,
        table,
        Servo(ServoConfig(), space, history),
        following=WaypointConfig.model_validate(settings),
    )
    encoding = Encoding(torch.zeros(4, 2, 2), torch.zeros(3))
    for frame in range(1, 400):
        history.add(frame * FRAME_NS, table.u)
        session.on_image(frame * FRAME_NS, image, CAMERA)
        step = session.on_encoding(EncodedImage(frame * FRAME_NS, encoding, CAMERA))
        assert step is not None
        steps.append(step)
        if step.reason is not None:
            break
        if not table.stuck:
            table.u = step.setpoint
        table.path.append(table.u)
    return steps


def around_a_corner() -> Waypoints:
    """Twenty pixels to the right, then twenty downwards."""
    way = [(2.0 * i, 0.0) for i in range(11)] + [(20.0, 2.0 * i) for i in range(1, 11)]
    images = [np.zeros((240, 320, 3), np.uint8)] * len(way)

    class Shown(Table):
        def update(self, image: np.ndarray) -> Tracks:
            self.u = np.array(way[len(self.path)]) / 60.0
            self.path.append(self.u)
            return super().update(image)

    return demonstration_from_video(images, START, Shown, spacing_px=6.0)


def test_session_follows_a_demonstration_to_its_end() -> None:
    table, waypoints = Table(), around_a_corner()
    steps = follow(table, waypoints)
    assert steps[-1].reason is Reason.CONVERGED
    np.testing.assert_allclose(60.0 * table.u, [20.0, 20.0], atol=0.5)
    places = [step.waypoint for step in steps]
    assert places == sorted(places) and set(places) == set(range(len(waypoints)))
    assert steps[-1].waypoints == len(waypoints)
    # The straight line would pass the corner at 14 px.
    corner_px = np.linalg.norm(60.0 * np.array(table.path) - (20.0, 0.0), axis=1).min()
    assert corner_px < 6.0


def test_robot_that_stands_still_does_not_reach_the_first_waypoint() -> None:
    late = follow(Table(stuck=True), around_a_corner(), timeout_s=0.5)
    assert late[-1].reason is Reason.TIMEOUT and late[-1].waypoint == 0
    stalled = follow(Table(stuck=True), around_a_corner(), timeout_s=60.0)
    assert stalled[-1].reason is Reason.STALLED and stalled[-1].waypoint == 0
