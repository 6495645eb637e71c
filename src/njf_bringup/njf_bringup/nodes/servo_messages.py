"""VisualServo goals, feedback and results to and from the demo's own terms."""

import numpy as np
from jaxtyping import UInt8
from std_msgs.msg import Header

from njf_bringup.demo.results import Outcome, Step
from njf_control.servo import Reason
from njf_msgs.action import VisualServo
from njf_perception.nodes.conversions import image_to_msg, tracks_to_msg
from njf_perception.trackers.base import Tracks


def tracks_goal(
    now: Tracks,
    then: Tracks,
    image: UInt8[np.ndarray, "h w 3"],
    header: Header,
    timeout_s: float,
    tolerance_px: float = 0.0,
) -> VisualServo.Goal:
    """Bring points from where they are now to where they were then, in `image`; both in one order.

    The image goes along, so that the node can measure against it on arrival. A `tolerance_px` of
    zero is the node's own.
    """
    ids = np.arange(len(now.points))
    goal = image_goal(image, header, timeout_s, tolerance_px)
    goal.kind = VisualServo.Goal.POINT_TRACKS
    goal.tracks_now = tracks_to_msg(ids, now, header)
    goal.tracks_goal = tracks_to_msg(ids, then, header)
    return goal


def image_goal(
    image: UInt8[np.ndarray, "h w 3"], header: Header, timeout_s: float, tolerance_px: float = 0.0
) -> VisualServo.Goal:
    """Make the camera see `image`; the node finds the correspondences itself."""
    return VisualServo.Goal(
        header=header,
        kind=VisualServo.Goal.GOAL_IMAGE,
        goal_image=image_to_msg(image, header, "rgb8"),
        timeout_s=timeout_s,
        tolerance_px=tolerance_px,
    )


def step_of(feedback: VisualServo.Feedback, time_s: float) -> Step:
    """One control step, `time_s` after the goal was sent."""
    place = int(feedback.waypoint), int(feedback.waypoints)
    return Step(time_s, float(feedback.error_px), float(feedback.rate_hz), *place)


def outcome_of(result: VisualServo.Result) -> Outcome:
    """How the motion ended."""
    return Outcome(
        reason=Reason(result.reason).name,
        message=result.message,
        error_px=float(result.error_px),
        steps=int(result.steps),
        elapsed_s=float(result.elapsed_s),
    )
