"""What a servo motion is to reach: points to follow from the first image, and their targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from njf_control.servo.spots import Spots
from njf_control.servo.waypoints import Waypoints, select_waypoints
from njf_perception.camera import Camera, project
from njf_perception.correspondence import correspond
from njf_perception.errors import NjfError
from njf_perception.trackers.base import Tracks

_OFF_PX = 1.0  # a point that is further from its target was not brought there
_FEWEST_OFF = 4  # fewer may be wrong matches


class GoalError(NjfError):
    """A goal that cannot be pursued; the message says why and what to send instead."""


@dataclass(frozen=True)
class Goal:
    """Points in the image in which the motion begins, and where they should go.

    Attributes:
        start_px: points to track [px].
        target: where each should be: pixels, or points in the camera frame [m].
        weights: confidence of each pair, 0..1.
        reference: the goal image, when the targets were found in one.
        path: the way to the target, when it matters; ends there.
        spots: what the points are parts of, when only that has a target.
    """

    start_px: Float32[np.ndarray, "n 2"]
    target: Float[np.ndarray, "n 2"] | Float[np.ndarray, "n 3"]
    weights: Float[np.ndarray, " n"]
    reference: UInt8[np.ndarray, "h w 3"] | None = None
    path: Waypoints | None = None
    spots: Spots | None = None


def goal_from_tracks(
    ids_now: Int64[np.ndarray, " n"],
    now: Tracks,
    ids_goal: Int64[np.ndarray, " m"],
    goal: Tracks,
    spots: Int64[np.ndarray, " s"] | None = None,
) -> Goal:
    """Bring tracked points to goal pixels, matched by id; points not visible are left out.

    `spots` gives for each of `now` the number of its spot; without, each counts by itself.

    Raises:
        GoalError: no point is visible both now and in the goal, or not each has its spot.
    """
    if spots is not None and len(spots) != len(ids_now):
        raise GoalError(
            f"spots has {len(spots)} numbers, tracks_now {len(ids_now)} points. Give each point "
            "the number of its spot, or no spots."
        )
    _, first, second = np.intersect1d(ids_now, ids_goal, return_indices=True)
    both = now.visible[first] & goal.visible[second]
    first, second = first[both], second[both]
    if len(first) == 0:
        raise GoalError(
            f"tracks_now has {len(ids_now)} points, tracks_goal {len(ids_goal)}, and no id is "
            "visible in both. Give the same point the same id in both."
        )
    weights = (now.confidence[first] * goal.confidence[second]).astype(np.float64)
    target = goal.points[second].astype(np.float64)
    start = now.points[first]
    parts = None if spots is None else Spots.of(spots[first], start, target)
    return Goal(start, target, weights, spots=parts)


def goal_from_waypoints(start_px: Float32[np.ndarray, "n 2"], waypoints: Waypoints) -> Goal:
    """Bring points along waypoints to the last one; points not visible there are left out."""
    seen = waypoints.weights[-1] > 0
    path = waypoints.keep(seen)
    target, weights = path.points_px[-1].astype(np.float64), path.weights[-1].astype(np.float64)
    return Goal(start_px[seen], target, weights, path=path)


def goal_from_demonstration(
    ids_now: Int64[np.ndarray, " n"],
    now: Tracks,
    demonstration: Sequence[tuple[Int64[np.ndarray, " m"], Tracks]],
    spacing_px: float,
    min_points: int,
) -> Goal:
    """Bring tracked points along tracks of the same points over time, matched by id.

    Raises:
        DataError: the demonstration is empty, or ends with fewer than `min_points` points.
    """
    frames = [_aligned(ids_now, now, ids, tracks) for ids, tracks in demonstration]
    return goal_from_waypoints(now.points, select_waypoints(frames, spacing_px, min_points))


def _aligned(
    ids_now: Int64[np.ndarray, " n"], now: Tracks, ids: Int64[np.ndarray, " m"], tracks: Tracks
) -> Tracks:
    """Tracks in the order of `ids_now`; not visible where they or the present ones are not."""
    _, mine, theirs = np.intersect1d(ids_now, ids, return_indices=True)
    points, visible = now.points.copy(), np.zeros(len(ids_now), bool)
    confidence = np.zeros(len(ids_now), np.float32)
    points[mine] = tracks.points[theirs]
    visible[mine] = tracks.visible[theirs] & now.visible[mine]
    confidence[mine] = tracks.confidence[theirs] * now.confidence[mine]
    return Tracks(points, visible, confidence)


def goal_from_points(
    now_m: Float[np.ndarray, "n 3"], goal_m: Float[np.ndarray, "m 3"], camera: Camera
) -> Goal:
    """Bring surface points to goal points, both in the camera frame [m], paired by order.

    Raises:
        GoalError: the counts differ, a point is not finite, or none is seen by the camera.
    """
    if len(now_m) != len(goal_m) or not np.isfinite([now_m, goal_m]).all():
        raise GoalError(
            f"points_now has {len(now_m)} points, points_goal {len(goal_m)}; expected equally "
            "many finite points. Give every point its target at the same index."
        )
    start_px = project(now_m, camera.K)
    size = (camera.width - 1, camera.height - 1)
    with np.errstate(invalid="ignore"):
        seen = ((start_px >= 0) & (start_px <= size)).all(axis=1) & (goal_m[:, 2] > 0)
    if not seen.any():
        raise GoalError(
            f"none of the {len(now_m)} points lies in the image of '{camera.name}'. Give points "
            "in the camera's optical frame (z forward), in metres."
        )
    return Goal(start_px[seen].astype(np.float32), goal_m[seen], np.ones(int(seen.sum())))


def goal_from_images(
    image: UInt8[np.ndarray, "h w 3"], goal_image: UInt8[np.ndarray, "h w 3"]
) -> Goal:
    """Bring what both images show to where the goal image shows it. May have no points."""
    found = correspond(image, goal_image)
    weights = found.confidence.astype(np.float64)
    return Goal(found.now, found.goal.astype(np.float64), weights, reference=goal_image)


def extended(goal: Goal, tracks: Tracks, found: Goal) -> Goal | None:
    """The visible points of a goal that was reached, and those of `found` that say otherwise.

    A part of the robot that had no point is not seen to be off. Once the rest has arrived, `found`
    (the same images compared anew) sees only such parts. None when there are too few.
    """
    off = np.linalg.norm(found.target - found.start_px, axis=1) > _OFF_PX
    if np.count_nonzero(off) < _FEWEST_OFF:
        return None
    kept = tracks.visible
    return Goal(
        start_px=np.concatenate([tracks.points[kept], found.start_px[off]]),
        target=np.concatenate([goal.target[kept], found.target[off]]),
        weights=np.concatenate([goal.weights[kept], found.weights[off]]),
        reference=goal.reference,
    )


def require_points(goal: Goal, minimum: int, what: str) -> Goal:
    """The goal, when it has enough points to steer by.

    Raises:
        GoalError: it has fewer than `minimum`.
    """
    if len(goal.start_px) < minimum:
        raise GoalError(
            f"{what} gives {len(goal.start_px)} usable points, at least {minimum} are needed. "
            "Give more points on the moving parts."
        )
    return goal


def require_image_size(
    goal_image: UInt8[np.ndarray, "h w 3"], image_shape: Sequence[int], camera_name: str
) -> None:
    """Refuse a goal image that this camera cannot have taken.

    Raises:
        GoalError: another size than the camera's images.
    """
    if goal_image.shape[:2] != tuple(image_shape[:2]):
        raise GoalError(
            f"goal_image is {goal_image.shape[1]}x{goal_image.shape[0]} px, '{camera_name}' sends "
            f"{image_shape[1]}x{image_shape[0]}. Send an image of the same camera at the same size."
        )
