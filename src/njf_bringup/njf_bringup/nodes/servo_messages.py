"""VisualServo goals, feedback and results to and from the demo's own terms."""

import numpy as np
from std_msgs.msg import Header

from njf_bringup.demo.results import Outcome, Picture, Step
from njf_control.servo import Reason
from njf_msgs.action import VisualServo
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import image_to_msg, tracks_to_msg


def tracks_goal(now: Picture, goal: Picture, header: Header, timeout_s: float) -> VisualServo.Goal:
    """Bring the points of `now` to where they are in `goal`; tracks of both are in one order.

    The picture goes along, so that the node can measure against it on arrival.

    Raises:
        DataError: a picture has no tracks.
    """
    if now.tracks is None or goal.tracks is None:
        raise DataError("a servo goal by tracks needs tracked points in both pictures.")
    ids = np.arange(len(now.tracks.points))
    return VisualServo.Goal(
        header=header,
        kind=VisualServo.Goal.POINT_TRACKS,
        tracks_now=tracks_to_msg(ids, now.tracks, header),
        tracks_goal=tracks_to_msg(ids, goal.tracks, header),
        goal_image=image_to_msg(goal.image, header, "rgb8"),
        timeout_s=timeout_s,
    )


def image_goal(goal: Picture, header: Header, timeout_s: float) -> VisualServo.Goal:
    """Make the camera see `goal`; the node finds the correspondences itself."""
    return VisualServo.Goal(
        header=header,
        kind=VisualServo.Goal.GOAL_IMAGE,
        goal_image=image_to_msg(goal.image, header, "rgb8"),
        timeout_s=timeout_s,
    )


def step_of(feedback: VisualServo.Feedback, time_s: float) -> Step:
    """One control step, `time_s` after the goal was sent."""
    return Step(time_s, float(feedback.error_px), float(feedback.rate_hz))


def outcome_of(result: VisualServo.Result) -> Outcome:
    """How the motion ended."""
    return Outcome(
        reason=Reason(result.reason).name,
        message=result.message,
        error_px=float(result.error_px),
        steps=int(result.steps),
        elapsed_s=float(result.elapsed_s),
    )
