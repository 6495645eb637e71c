"""The node `jacobian_field` when something about it stops: its goal ends and says why."""

import time
from typing import Any

import numpy as np
import pytest

from njf_msgs.action import VisualServo
from njf_msgs.msg import SafetyState
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

pytestmark = pytest.mark.ros


@pytest.mark.fault
def test_camera_that_falls_silent_ends_the_goal(world: Any) -> None:
    handle = world.send(world.goal())
    world.wait_for_commands(2)
    world.hurry()
    world.seeing = False
    result = world.result_of(handle)
    assert result.reason == VisualServo.Result.STALE_IMAGE
    assert "check camera and perception" in result.message
    world.require_silence()


def test_work_that_takes_long_is_no_silence_of_the_driver(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node has one thread: while it compares pictures it hears nobody."""
    start = LucasKanadeTracker.start

    def slowly(self: LucasKanadeTracker, image: np.ndarray, points: np.ndarray) -> Tracks:
        time.sleep(2.5 * world.HURRIED_S)
        return start(self, image, points)

    monkeypatch.setattr(LucasKanadeTracker, "start", slowly)
    world.hurry()
    result = world.result_of(world.send(world.goal(max_steps=2)))
    assert (result.reason, result.steps) == (VisualServo.Result.TIMEOUT, 2)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (SafetyState.ESTOP, VisualServo.Result.ESTOPPED),
        (SafetyState.FAULT, VisualServo.Result.ROBOT_FAULT),
        (SafetyState.INACTIVE, VisualServo.Result.ROBOT_NOT_READY),
    ],
)
def test_robot_that_stops_ends_the_goal(world: Any, state: int, reason: int) -> None:
    handle = world.send(world.goal())
    world.wait_for_commands(2)
    world.state = state
    result = world.result_of(handle)
    assert result.reason == reason, result.message
    assert "because" in result.message
    world.require_silence()


@pytest.mark.fault
def test_driver_that_falls_silent_ends_the_goal(world: Any) -> None:
    handle = world.send(world.goal())
    world.wait_for_commands(2)
    world.hurry()
    world.driving = False
    result = world.result_of(handle)
    assert result.reason == VisualServo.Result.ROBOT_NOT_READY
    assert "Start the driver" in result.message
    refused = world.result_of(world.send(world.goal()))
    assert refused.reason == VisualServo.Result.ROBOT_NOT_READY
    assert refused.steps == 0
    world.require_silence()


@pytest.mark.fault
def test_driver_of_another_robot_is_refused(world: Any) -> None:
    world.channel_names = ["a", "b", "c"]
    time.sleep(0.5)  # until the node has heard of them
    result = world.result_of(world.send(world.goal()))
    assert result.reason == VisualServo.Result.ROBOT_NOT_READY
    assert "same robot file" in result.message
    assert not world.commands


@pytest.mark.fault
def test_encodings_of_another_checkpoint_are_refused(world: Any) -> None:
    world.checkpoint_id = "another"
    time.sleep(0.5)
    result = world.result_of(world.send(world.goal()))
    assert result.reason == VisualServo.Result.STALE_IMAGE
    assert "checkpoint another" in result.message
    assert not world.commands


@pytest.mark.fault
def test_deactivation_aborts_the_goal(world: Any) -> None:
    handle = world.send(world.goal())
    world.wait_for_commands(2)
    assert world.change(world.DEACTIVATE)
    result = world.result_of(handle)
    assert result.reason == VisualServo.Result.NODE_ERROR
    assert "deactivated" in result.message
    assert not world.send(world.goal()).accepted
    world.require_silence()
    assert world.change(world.ACTIVATE)
    assert world.result_of(world.send(world.goal(max_steps=2))).steps == 2
