"""Goals, commands, feedback and results of `VisualServo`, to and from the servo's own terms."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point32
from jaxtyping import Bool, Float, UInt8
from std_msgs.msg import Header

from njf_control.servo import CommandSpace, Reason, ServoStep
from njf_control.servo.goal import (
    Goal,
    GoalError,
    goal_from_demonstration,
    goal_from_images,
    goal_from_points,
    goal_from_tracks,
    require_image_size,
    require_points,
)
from njf_control.servo.model import SurfaceJacobians
from njf_control.servo.session import GoalMaker
from njf_control.servo.waypoints import SPACING_PX
from njf_msgs.action import VisualServo
from njf_msgs.msg import Command, JacobianField
from njf_perception.camera import Camera
from njf_perception.errors import DataError
from njf_perception.nodes.conversions import float_array, image_from_msg, tracks_from_msg


def goal_maker(request: VisualServo.Goal, min_points: int) -> GoalMaker:
    """What turns the request into points, once the first image is there.

    Raises:
        GoalError: the request is malformed whatever the image shows.
    """
    for name in ("tolerance_px", "timeout_s", "waypoint_spacing_px"):
        value = getattr(request, name)
        if not (math.isfinite(value) and value >= 0):
            raise GoalError(f"{name} is {value}; expected a finite number, 0 for the default.")
    makers = {
        VisualServo.Goal.POINT_TRACKS: _from_tracks,
        VisualServo.Goal.GOAL_IMAGE: _from_image,
        VisualServo.Goal.POINTS_3D: _from_points,
        VisualServo.Goal.DEMONSTRATION: _from_demonstration,
    }
    if request.kind not in makers:
        raise GoalError(
            f"goal kind {request.kind} is unknown; expected POINT_TRACKS (0), GOAL_IMAGE (1), "
            "POINTS_3D (2) or DEMONSTRATION (3)."
        )
    _require_spots_alone(request)
    try:
        return makers[request.kind](request, min_points)
    except DataError as error:
        raise GoalError(str(error)) from None


def _require_spots_alone(request: VisualServo.Goal) -> None:
    """Spots say that it does not matter how the robot turns; pictures and ways say how."""
    alone = request.kind == VisualServo.Goal.POINT_TRACKS and request.goal_image.height == 0
    if len(request.spots) and not alone:
        raise GoalError(
            f"spots came with goal kind {request.kind} and a goal_image of height "
            f"{request.goal_image.height}; they go with POINT_TRACKS (0) and without goal_image. "
            "Leave spots empty."
        )


def _from_tracks(request: VisualServo.Goal, min_points: int) -> GoalMaker:
    """A goal image beside the tracks is optional; the goal's points are then refined in it."""
    now, target = tracks_from_msg(request.tracks_now), tracks_from_msg(request.tracks_goal)
    spots = np.array(request.spots, np.int64) if len(request.spots) else None
    goal = goal_from_tracks(*now, *target, spots)
    return _refined(request, require_points(goal, min_points, "the pair of tracks"))


def _from_demonstration(request: VisualServo.Goal, min_points: int) -> GoalMaker:
    """Tracks over time; a goal image beside them refines where they end."""
    frames = [tracks_from_msg(tracks) for tracks in request.demonstration]
    if not frames:
        raise GoalError("demonstration is empty. Send the tracked points of every frame in order.")
    now = tracks_from_msg(request.tracks_now) if len(request.tracks_now.ids) else frames[0]
    spacing_px = request.waypoint_spacing_px or SPACING_PX
    goal = goal_from_demonstration(*now, frames, spacing_px, min_points)
    return _refined(request, goal)


def _refined(request: VisualServo.Goal, goal: Goal) -> GoalMaker:
    """The goal, with the request's goal image when there is one."""
    if request.goal_image.height > 0:
        goal = replace(goal, reference=image_from_msg(request.goal_image))

    def make(image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> Goal:
        if goal.reference is not None:
            require_image_size(goal.reference, image.shape, camera.name)
        return goal

    return make


def _from_image(request: VisualServo.Goal, min_points: int) -> GoalMaker:
    goal_image = image_from_msg(request.goal_image)

    def make(image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> Goal:
        require_image_size(goal_image, image.shape, camera.name)
        goal = goal_from_images(image, goal_image)
        return require_points(goal, min_points, "comparing goal_image with the present image")

    return make


def _from_points(request: VisualServo.Goal, min_points: int) -> GoalMaker:
    now_m, goal_m = _positions(request.points_now), _positions(request.points_goal)

    def make(image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> Goal:
        goal = goal_from_points(now_m, goal_m, camera)
        return require_points(goal, min_points, "the list of 3D points")

    return make


def _positions(points: Iterable[Point32]) -> Float[np.ndarray, "n 3"]:
    rows = [(point.x, point.y, point.z) for point in points]
    return np.array(rows, np.float64).reshape(-1, 3)


def command_msg(
    space: CommandSpace, step: ServoStep, image_stamp: Time, now: Time, source: str
) -> Command:
    """Set-points that answer the image taken at `image_stamp`."""
    return Command(
        header=Header(stamp=now),
        channel_names=list(space.names),
        values=step.setpoint.tolist(),
        image_stamp=image_stamp,
        source=source,
    )


def feedback_msg(step: ServoStep, command: Command, rate_hz: float) -> VisualServo.Feedback:
    """What one step did."""
    return VisualServo.Feedback(
        header=Header(stamp=command.image_stamp),
        error_px=step.error_px,
        max_error_px=step.max_error_px,
        visible=step.used,
        command=command,
        active_limits=list(step.active_limits),
        condition=step.condition,
        rate_hz=rate_hz,
        waypoint=step.waypoint,
        waypoints=step.waypoints,
        correction=step.correction,
    )


def result_msg(
    reason: Reason, message: str, error_px: float, steps: int, elapsed_s: float, now: Time
) -> VisualServo.Result:
    """How a motion ended."""
    return VisualServo.Result(
        header=Header(stamp=now),
        reason=int(reason),
        message=message,
        error_px=error_px,
        steps=steps,
        elapsed_s=elapsed_s,
    )


def jacobian_field_msg(
    surface: SurfaceJacobians,
    shown: Bool[np.ndarray, " n"],
    space: CommandSpace,
    units: Sequence[str],
    header: Header,
) -> JacobianField:
    """The points of `surface` that are `shown`, with Jacobians per channel unit."""
    jacobian = surface.jacobian_m[shown] / space.half_range
    points = surface.points_m[shown].tolist()
    return JacobianField(
        header=header,
        channel_names=list(space.names),
        channel_units=list(units),
        points=[Point32(x=x, y=y, z=z) for x, y, z in points],
        jacobian=float_array(jacobian),
        confidence=float_array(surface.confidence[shown]),
    )
