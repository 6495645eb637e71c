"""Saved goals as messages, and how they are pursued, with a robot that is only pictures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from std_msgs.msg import Header

from njf_bringup.demo.results import Outcome, Picture, Step
from njf_bringup.goals import PointPaths, TaughtGoal, image_goal, tracks_goal
from njf_bringup.nodes.goal_messages import goal_message
from njf_bringup.nodes.taught_run import TaughtRun
from njf_msgs.action import VisualServo
from njf_perception.errors import DataError
from njf_perception.trackers.lucas_kanade import pick_points

pytestmark = pytest.mark.ros

Disc = Callable[[float, float], np.ndarray]
GOAL = VisualServo.Goal


@pytest.fixture
def wave(disc: Disc) -> TaughtGoal:
    """The disc goes to the right and up, in 900 steps."""
    mask = np.zeros((240, 320), bool)
    mask[90:150, 80:140] = True
    points = pick_points(disc(0, 0), mask, 30)
    way = np.linspace([0, 0], [20, -30], 900).astype(np.float32)
    shape = 900, len(points)
    paths = PointPaths(
        np.arange(900) / 20,
        np.arange(len(points)),
        points + way[:, None],
        np.ones(shape, bool),
        np.ones(shape, np.float32),
    )
    return TaughtGoal("demonstration", disc(0, 0), disc(0, 20), paths)


class Robot:
    """A client whose robot stands where it is told, and goes to the start when asked to."""

    def __init__(self, disc: Disc, right_px: float, first_reason: str = "CONVERGED") -> None:
        self.disc, self.right_px, self.first_reason = disc, right_px, first_reason
        self.goals: list[VisualServo.Goal] = []

    def picture_at_rest(self) -> Picture:
        return Picture(1, self.disc(0.0, self.right_px))

    def goal_header(self, stamp_ns: int) -> Header:
        return Header(frame_id="camera")

    def servo(
        self,
        goal: VisualServo.Goal,
        on_step: Callable[[Step], None],
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> Outcome:
        self.goals.append(goal)
        if goal.kind == GOAL.GOAL_IMAGE and self.first_reason == "CONVERGED":
            self.right_px = 0.4
        reason = self.first_reason if len(self.goals) == 1 else "CONVERGED"
        return Outcome(reason, "why", 0.2, 10, 2.0)


def test_a_way_is_followed_from_where_it_begins(disc: Disc, wave: TaughtGoal) -> None:
    robot = Robot(disc, right_px=0.5)
    outcome = TaughtRun(robot, 60.0, 0.3).run("wave", wave)  # type: ignore[arg-type]
    (goal,) = robot.goals
    assert goal.kind == GOAL.DEMONSTRATION and (goal.timeout_s, outcome.legs) == (60.0, 1)
    assert goal.tolerance_px == pytest.approx(0.3) and len(goal.demonstration) == 600
    assert wave.paths is not None
    last = list(goal.demonstration)[-1]
    np.testing.assert_allclose(last.u_px, wave.paths.end.points[:, 0])
    np.testing.assert_allclose(goal.tracks_now.u_px, wave.paths.start.points[:, 0] + 0.5, atol=0.3)
    assert goal.goal_image.width == 320


def test_a_robot_that_stands_elsewhere_goes_to_the_start_first(
    disc: Disc, wave: TaughtGoal
) -> None:
    said: list[str] = []
    robot = Robot(disc, right_px=30.0)
    outcome = TaughtRun(robot, 60.0, say=said.append).run("wave", wave)  # type: ignore[arg-type]
    assert [goal.kind for goal in robot.goals] == [GOAL.GOAL_IMAGE, GOAL.DEMONSTRATION]
    assert bytes(robot.goals[0].goal_image.data) == disc(0, 0).tobytes()
    assert (outcome.legs, outcome.steps) == (2, 20) and "going there first" in said[0]


def test_a_start_that_is_not_reached_ends_it(disc: Disc, wave: TaughtGoal) -> None:
    stopped = Robot(disc, 30.0, "ESTOPPED")
    outcome = TaughtRun(stopped, 60.0).run("wave", wave)  # type: ignore[arg-type]
    assert outcome.reason == "ESTOPPED" and outcome.message == "on the way to the start: why"
    assert len(stopped.goals) == 1
    stalled = Robot(disc, 30.0, "STALLED")
    with pytest.raises(DataError, match="Move the robot to where the goal was taught"):
        TaughtRun(stalled, 60.0).run("wave", wave)  # type: ignore[arg-type]
    unasked = Robot(disc, 30.0)
    with pytest.raises(DataError, match=r"30\.\d px from where they begin"):
        TaughtRun(unasked, 60.0, approach=False).run("wave", wave)  # type: ignore[arg-type]
    assert unasked.goals == []


def test_every_kind_becomes_its_message(disc: Disc, wave: TaughtGoal) -> None:
    image = goal_message(image_goal(disc(0, 9)), None, Header(), 5.0)
    assert image.kind == GOAL.GOAL_IMAGE and len(image.tracks_now.ids) == 0
    start, end = np.array([[100.0, 120]]), np.array([[130.0, 120]])
    picked = tracks_goal(disc(0, 0), start, end)
    assert picked.paths is not None
    tracks = goal_message(picked, picked.paths.start, Header(), 5.0)
    assert tracks.kind == GOAL.POINT_TRACKS and tracks.goal_image.height == 0
    assert (tracks.tracks_now.u_px[0], tracks.tracks_goal.u_px[0]) == (100, 130)
    assert len(tracks.spots) == 0
    spots = tracks_goal(disc(0, 0), start, end, spots=np.array([5]))
    assert spots.paths is not None
    assert list(goal_message(spots, spots.paths.start, Header(), 5.0).spots) == [5]
    with pytest.raises(DataError, match="neither a picture nor points"):
        goal_message(replace(wave, paths=None, goal=None), None, Header(), 5.0)
