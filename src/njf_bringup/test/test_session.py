"""The demo's way back, leg by leg, with a robot that is only pictures."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from std_msgs.msg import Header

from njf_bringup.demo.goal_kind import GoalKind
from njf_bringup.demo.goals import Trial
from njf_bringup.demo.legs import THROUGH_PX, TRACKING_SPEED
from njf_bringup.demo.results import Outcome, Picture, Step
from njf_bringup.nodes.session import Session
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_msgs.action import VisualServo

pytestmark = pytest.mark.ros

GREY = 90
NOISE = np.random.default_rng(0).standard_normal((120, 400, 3)).astype(np.float32)
TEXTURE = np.clip(128 + 200 * cv2.GaussianBlur(NOISE, (0, 0), 2.0), 0, 255).astype(np.uint8)


def robot(step: int) -> np.ndarray:
    """A textured robot before a grey wall; from step 5 on, two thirds of it are hidden."""
    image = np.full((120, 160, 3), GREY, np.uint8)
    left = 20 if step < 5 else 90
    image[20:100, left:140] = TEXTURE[20:100, 200 - 2 * step :][:, left:140]
    return image


class Pictures:
    """A client whose robot shows `robot`; what it is asked to do is noted."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons, self.goals, self._step, self._stamp_ns = reasons, [], 0, 0

    def move(
        self,
        target: np.ndarray,
        speed: float,
        on_picture: Callable[[Picture], None] = lambda _: None,
    ) -> None:
        if speed == TRACKING_SPEED:
            for self._step in range(1, 8):
                on_picture(self.picture_at_rest())
        else:  # the sweep, in which the wall is seen
            on_picture(Picture(0, np.full((120, 160, 3), GREY, np.uint8)))

    def picture_at_rest(self) -> Picture:
        self._stamp_ns += 1
        return Picture(self._stamp_ns, robot(self._step))

    def settle(self) -> None:
        pass

    def goal_header(self, stamp_ns: int) -> Header:
        return Header()

    def servo(
        self,
        goal: VisualServo.Goal,
        on_step: Callable[[Step], None],
        on_picture: Callable[[Picture], None],
    ) -> Outcome:
        self.goals.append(goal)
        self._step = 5 if len(self.goals) == 1 else 0
        on_picture(self.picture_at_rest())
        on_step(Step(0.5, 1.0, 20.0))
        return Outcome(self.reasons.pop(0), "", 0.1, 10, 2.0)


def run(client: Pictures, kind: GoalKind = GoalKind.TRACKS):  # noqa: ANN201
    finger = load_robot(robot_file("finger"))
    session = Session(client, finger)  # type: ignore[arg-type]
    trial = Trial(np.zeros(3), np.zeros(3))
    return session.run(trial, kind, lambda step: None, film=True)


def test_the_legs_of_the_way_are_goals_one_after_the_other() -> None:
    client = Pictures(["STALLED", "CONVERGED"])
    record = run(client)
    assert [goal.kind for goal in client.goals] == [VisualServo.Goal.POINT_TRACKS] * 2
    assert [goal.tolerance_px for goal in client.goals] == [THROUGH_PX, 0.0]
    assert record.outcome == Outcome("CONVERGED", "", 0.1, 20, 4.0, legs=2)
    assert [step.time_s for step in record.steps] == [0.5, 2.5]
    assert record.start.stamp_ns == record.legs_ns[0] < record.legs_ns[1] < record.end.stamp_ns
    # The last leg's points are the goal's own, and they have come back.
    assert record.end.targets is record.goal.tracks
    assert record.start.error_px > 2 and record.end.error_px < 0.5
    assert len(record.film) == 6


def test_a_stopped_robot_is_not_asked_for_the_next_leg() -> None:
    client = Pictures(["ESTOPPED"])
    record = run(client)
    assert record.outcome.reason == "ESTOPPED"
    assert len(client.goals) == 1


def test_legs_shown_as_images_have_their_own_images() -> None:
    client = Pictures(["CONVERGED", "CONVERGED"])
    run(client, GoalKind.IMAGE)
    first, second = client.goals
    assert first.kind == second.kind == VisualServo.Goal.GOAL_IMAGE
    assert bytes(first.goal_image.data) == robot(5).tobytes()
    assert bytes(second.goal_image.data) == robot(0).tobytes()
