"""From drags on the camera's picture to the points of a servo goal.

A drag says where one spot of the robot should go and nothing about how the robot turns on its way.
So it takes hold of what can be followed about the spot and goes with it: the points are one spot of
the goal. Two drags on one part say how that part is to be turned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from njf_bringup.browser.surface import spacing_px
from njf_bringup.goals.point_paths import FEWEST_POINTS
from njf_control.servo.goal import GoalError
from njf_control.servo.grip import MOST_POINTS, corners_near, moves_alike
from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera, project
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

SHORTEST_PX = 2.0  # less is a click


@dataclass(frozen=True)
class Drag:
    """A spot of the robot, and how far it should go.

    Attributes:
        image: RGB picture in which the spot was pressed.
        points_px: what is followed there (u, v) [px].
        way_px: from there to the target (u, v) [px].
    """

    image: UInt8[np.ndarray, "h w 3"]
    points_px: Float32[np.ndarray, "n 2"]
    way_px: Float[np.ndarray, "2"]

    @property
    def begin_px(self) -> Float[np.ndarray, "2"]:
        """The middle of the spot where it was pressed [px]."""
        return self.points_px.mean(axis=0).astype(np.float64)

    @property
    def end_px(self) -> Float[np.ndarray, "2"]:
        """Where the middle should go [px]."""
        return self.begin_px + self.way_px


def grip(
    image: UInt8[np.ndarray, "h w 3"],
    pixel: Float[np.ndarray, "2"],
    field: FieldView,
    camera: Camera,
) -> Float32[np.ndarray, "n 2"]:
    """What a press at `pixel` takes hold of: the corners next to it on the same part of the robot.

    Args:
        image: RGB.
        pixel: where it was pressed (u, v) [px].
        field: points of the robot's surface.
        camera: that sees them.

    Raises:
        GoalError: there is no robot, or too little that can be tracked.
    """
    u, v = round(float(pixel[0])), round(float(pixel[1]))
    seen = project(field.points_m, camera.K)
    if not len(seen) or np.linalg.norm(seen - pixel, axis=1).min() > spacing_px(seen):
        raise GoalError(
            f"the model sees no robot at pixel ({u}, {v}). Press on a part that moves; switch the "
            "colours to 'channels' to see which parts those are."
        )
    points = corners_near(image, pixel, _same_part(image.shape[:2], seen, field, pixel))
    points = points[:MOST_POINTS]
    if len(points) < FEWEST_POINTS:
        raise GoalError(
            f"the surface at pixel ({u}, {v}) is too plain to be followed: {len(points)} corners, "
            f"at least {FEWEST_POINTS} are needed. Press where there are edges or marks."
        )
    return points


def _same_part(
    shape: tuple[int, ...],
    seen: Float[np.ndarray, "n 2"],
    field: FieldView,
    pixel: Float[np.ndarray, "2"],
) -> UInt8[np.ndarray, "h w"]:
    """Mask of the surface that moves like the point next to `pixel`: 255 there, else 0."""
    nearest = int(np.argmin(np.linalg.norm(seen - pixel, axis=1)))
    alike = moves_alike(field.motion_m, field.motion_m[nearest])
    mask = np.zeros(shape, np.uint8)
    radius = max(round(spacing_px(seen) / 2), 1)
    for u, v in np.rint(seen[alike]).astype(int).tolist():
        cv2.circle(mask, (u, v), radius, 255, -1)
    return mask


def goal_points(
    drags: Sequence[Drag], image: UInt8[np.ndarray, "h w 3"]
) -> tuple[Tracks, Tracks, Int64[np.ndarray, " n"]]:
    """Points of a goal in the newest image, where they should go, and the spot of each.

    The robot may have moved since a drag was drawn: its spot is looked for in `image`.

    Raises:
        GoalError: no drag, or a spot that is not found any more.
    """
    if not drags:
        raise GoalError("there is no goal yet. Press on the robot and drag to where it should go.")
    now, then, spots = [], [], []
    for number, drag in enumerate(drags):
        tracks = _found(number + 1, drag, image)
        now.append(tracks.points[tracks.visible])
        then.append((drag.points_px + drag.way_px).astype(np.float32)[tracks.visible])
        spots.append(np.full(len(now[-1]), number))
    return _certain(np.concatenate(now)), _certain(np.concatenate(then)), np.concatenate(spots)


def _found(number: int, drag: Drag, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
    tracker = LucasKanadeTracker()
    tracker.start(drag.image, drag.points_px)
    tracks = tracker.update(image)
    if tracks.visible.sum() < FEWEST_POINTS:
        u, v = np.rint(drag.begin_px).astype(int)
        raise GoalError(
            f"the spot of drag {number}, pressed at pixel ({u}, {v}), is not there any more: the "
            "robot has moved. Clear the drags and draw them again."
        )
    return tracks


def _certain(points: Float32[np.ndarray, "n 2"]) -> Tracks:
    return Tracks(points, np.ones(len(points), bool), np.ones(len(points), np.float32))
