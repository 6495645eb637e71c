"""Saved goals as `VisualServo` goals."""

import numpy as np
from std_msgs.msg import Header

from njf_bringup.goals.point_paths import PointPaths
from njf_bringup.goals.taught import TaughtGoal
from njf_bringup.nodes.servo_messages import image_goal
from njf_msgs.action import VisualServo
from njf_msgs.msg import PointTracks
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import image_to_msg, tracks_to_msg
from njf_perception.trackers.base import Tracks

_FRAMES = 600  # of a demonstration that are sent; waypoints are chosen among them


def goal_message(
    goal: TaughtGoal,
    now: Tracks | None,
    header: Header,
    timeout_s: float,
    tolerance_px: float = 0.0,
) -> VisualServo.Goal:
    """The goal for a robot whose image shows the goal's points at `now`.

    Args:
        goal: what was taught. A goal picture goes along with points, so that the node can measure
            against it on arrival.
        now: the goal's points in the present image, in its order; not needed for a goal image.
        header: stamp and frame of that image.
        timeout_s: longest time [s]; 0: the node's own.
        tolerance_px: mean error that is reached [px]; 0: the node's own.

    Raises:
        DataError: there is neither a picture to reach nor a point.
    """
    if goal.paths is None or now is None:
        if goal.goal is None:
            raise DataError("the goal has neither a picture nor points. Teach it anew.")
        return image_goal(goal.goal, header, timeout_s, tolerance_px)
    message = VisualServo.Goal(header=header, timeout_s=timeout_s, tolerance_px=tolerance_px)
    message.tracks_now = tracks_to_msg(goal.paths.ids, now, header)
    if goal.goal is not None:
        message.goal_image = image_to_msg(goal.goal, header, "rgb8")
    if goal.paths.is_way:
        message.kind = VisualServo.Goal.DEMONSTRATION
        message.demonstration = _frames(goal.paths, header)
    else:
        message.kind = VisualServo.Goal.POINT_TRACKS
        message.spots = [] if goal.paths.spots is None else goal.paths.spots.tolist()
        message.tracks_goal = tracks_to_msg(goal.paths.ids, goal.paths.end, header)
    return message


def start_message(goal: TaughtGoal, header: Header, timeout_s: float) -> VisualServo.Goal:
    """The goal that brings the robot to the picture in which another one begins.

    Raises:
        DataError: the goal has no such picture.
    """
    if goal.start is None:
        raise DataError("the goal has no picture of where it begins. Bring the robot there first.")
    return image_goal(goal.start, header, timeout_s)


def _frames(paths: PointPaths, header: Header) -> list[PointTracks]:
    """The way, thinned out evenly where it is long; its end is always there."""
    frames = paths.frames
    count = min(len(frames), _FRAMES)
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    return [tracks_to_msg(paths.ids, frames[index], header) for index in chosen]
