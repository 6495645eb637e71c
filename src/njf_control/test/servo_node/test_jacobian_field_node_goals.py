"""Goals of the node `jacobian_field` in a live graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from std_msgs.msg import Header

from njf_msgs.action import VisualServo
from njf_perception.nodes.conversions import image_to_msg, stamp_to_ns

pytestmark = pytest.mark.ros


def test_goal_is_answered_with_commands_and_feedback(world: Any) -> None:
    handle = world.send(world.goal(max_steps=5))
    assert handle.accepted
    result = world.result_of(handle)
    assert result.reason == VisualServo.Result.TIMEOUT, result.message
    assert result.steps == 5
    assert result.error_px == pytest.approx(12.0, abs=1.0)
    world.wait_for_commands(5)
    world.wait_until(lambda: len(world.feedback) >= 5)
    first, last = world.commands[0], world.commands[-1]
    assert list(first.channel_names) == world.channel_names
    np.testing.assert_allclose(first.values, world.APPLIED, atol=1e-12)
    assert np.abs(np.subtract(last.values, world.APPLIED)).max() > 1e-4
    stamps = [stamp_to_ns(command.image_stamp) for command in world.commands]
    assert stamps == sorted(set(stamps))
    assert all(stamp_to_ns(c.header.stamp) > stamp_to_ns(c.image_stamp) for c in world.commands)
    assert world.feedback[0].visible >= 4
    assert list(world.feedback[0].command.values) == list(first.values)
    world.require_silence()


def test_feedback_tells_the_rate_of_the_steps(world: Any) -> None:
    world.result_of(world.send(world.goal(max_steps=8)))
    world.wait_for_commands(8)
    world.wait_until(lambda: len(world.feedback) >= 8)
    assert world.feedback[0].rate_hz == 0.0
    sent_s = [stamp_to_ns(command.header.stamp) / 1e9 for command in world.commands]
    recent_s = [time_s for time_s in sent_s if sent_s[-1] - time_s <= 1.0]
    rate_hz = (len(recent_s) - 1) / (recent_s[-1] - recent_s[0])
    assert world.feedback[-1].rate_hz == pytest.approx(rate_hz, rel=0.3)


def test_demonstration_is_followed_from_its_first_waypoint(world: Any) -> None:
    goal = VisualServo.Goal(
        kind=VisualServo.Goal.DEMONSTRATION,
        demonstration=world.demonstration(0.0, 10.0, 20.0, 30.0),
        waypoint_spacing_px=10.0,
        max_steps=1,
    )
    result = world.result_of(world.send(goal))
    assert result.reason == VisualServo.Result.TIMEOUT
    assert "waypoint 1 of 3" in result.message
    assert result.error_px == pytest.approx(10.0, abs=1.0)
    world.wait_until(lambda: world.feedback)
    first = world.feedback[0]
    assert (first.waypoint, first.waypoints, first.correction) == (0, 3, 0.0)


def test_points_already_at_the_goal_are_success(world: Any) -> None:
    result = world.result_of(world.send(world.goal(shift_px=0.0)))
    assert result.reason == VisualServo.Result.CONVERGED, result.message
    assert result.error_px < 0.4


def test_second_goal_is_rejected_and_the_first_goes_on(world: Any) -> None:
    first = world.send(world.goal(max_steps=30))
    assert first.accepted
    assert not world.send(world.goal()).accepted
    world.wait_for_commands(2)
    assert world.result_of(first).reason != VisualServo.Result.NODE_ERROR
    assert world.send(world.goal(max_steps=1)).accepted


def test_cancel_ends_the_goal(world: Any) -> None:
    handle = world.send(world.goal())
    world.wait_for_commands(2)
    assert len(world.answer(handle.cancel_goal_async()).goals_canceling) == 1
    response = world.answer(handle.get_result_async())
    assert response.status == GoalStatus.STATUS_CANCELED
    assert response.result.reason == VisualServo.Result.CANCELED
    world.require_silence()


def unmatched(world: Any) -> VisualServo.Goal:
    goal = world.goal()
    goal.tracks_goal.ids = [1000 + i for i in range(len(goal.tracks_goal.ids))]
    return goal


def uneven(world: Any) -> VisualServo.Goal:
    goal = world.goal()
    goal.tracks_goal.u_px = goal.tracks_goal.u_px[:-1]
    return goal


def few_points(world: Any) -> VisualServo.Goal:
    now, then = unmatched(world).tracks_goal, world.demonstration(0.0, 9.0)
    return VisualServo.Goal(kind=VisualServo.Goal.DEMONSTRATION, tracks_now=now, demonstration=then)


def picture_goal(image: np.ndarray) -> VisualServo.Goal:
    picture = image_to_msg(image, Header(), "rgb8")
    return VisualServo.Goal(kind=VisualServo.Goal.GOAL_IMAGE, goal_image=picture)


def empty(kind: int, **fields: Any) -> Callable[[Any], VisualServo.Goal]:
    return lambda world: VisualServo.Goal(kind=kind, **fields)


BAD_GOALS: dict[str, tuple[Callable[[Any], VisualServo.Goal], str]] = {
    "unknown kind": (empty(7), "goal kind 7 is unknown"),
    "not a number": (empty(0, timeout_s=float("nan")), "timeout_s is nan"),
    "too few spots": (
        lambda world: world.goal(spots=[0, 0, 1]),
        "spots has 3 numbers, tracks_now 60",
    ),
    "spots in a picture": (
        empty(VisualServo.Goal.GOAL_IMAGE, spots=[0]),
        "they go with POINT_TRACKS",
    ),
    "no common id": (unmatched, "Give the same point the same id"),
    "uneven arrays": (uneven, "expected equally many"),
    "no demonstration": (empty(VisualServo.Goal.DEMONSTRATION), "demonstration is empty"),
    "few points": (few_points, "0 points visible in the last"),
    "no points": (empty(VisualServo.Goal.POINTS_3D), "none of the 0 points"),
    "image size": (
        lambda world: picture_goal(np.zeros((10, 10, 3), np.uint8)),
        "goal_image is 10x10 px, 'camera_0' sends 320x240",
    ),
    "image without motion": (lambda world: picture_goal(world.image), "usable points, at least"),
}


@pytest.mark.parametrize(("make_goal", "message"), BAD_GOALS.values(), ids=BAD_GOALS)
def test_wrong_goal_is_refused_in_words(
    world: Any, make_goal: Callable[[Any], VisualServo.Goal], message: str
) -> None:
    result = world.result_of(world.send(make_goal(world)))
    assert result.reason == VisualServo.Result.INVALID_GOAL, result.message
    assert message in result.message
    assert not world.commands
