"""From drags on the camera's picture to the points of a servo goal.

A drag says where one spot of the robot should go and nothing about how the robot turns on its way.
So it becomes a few points very near each other, which all go the same way: what the turning does to
their distances stays below the tolerance. Two drags on one part say how that part is to be turned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from njf_bringup.browser.surface import spacing_px
from njf_control.servo.goal import GoalError
from njf_control.visualization.field import FieldView
from njf_perception.camera import Camera, project
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker

SHORTEST_PX = 2.0  # less is a click
_SNAP_PX = 6  # a press catches the best corner so near
_LEAST_CONTRAST = 3.0  # grey levels, standard deviation of a patch that can be tracked
_PATCH_PX = 5  # half size of that patch, as the tracker's
# Nine, of which a servo needs four: some are lost where the spot is at the robot's edge.
_CLUSTER_PX = 1.5 * np.array([(u, v) for v in (0, -1, 1) for u in (0, -1, 1)], np.float32)


@dataclass(frozen=True)
class Drag:
    """A spot of the robot, and where it should go.

    Attributes:
        image: RGB picture in which the spot was pressed.
        begin_px, end_px: the spot there, and its target (u, v) [px].
    """

    image: UInt8[np.ndarray, "h w 3"]
    begin_px: Float[np.ndarray, "2"]
    end_px: Float[np.ndarray, "2"]


def grip(
    image: UInt8[np.ndarray, "h w 3"],
    pixel: Float[np.ndarray, "2"],
    field: FieldView,
    camera: Camera,
) -> Float[np.ndarray, "2"]:
    """The spot that a press at `pixel` takes hold of: the best corner near by.

    Args:
        image: RGB.
        pixel: where it was pressed (u, v) [px].
        field: points of the robot's surface.
        camera: that sees them.

    Raises:
        GoalError: there is no robot, or nothing that can be tracked.
    """
    u, v = round(float(pixel[0])), round(float(pixel[1]))
    seen = project(field.points_m, camera.K)
    if not len(seen) or np.linalg.norm(seen - pixel, axis=1).min() > spacing_px(seen):
        raise GoalError(
            f"the model sees no robot at pixel ({u}, {v}). Press on a part that moves; switch the "
            "colours to 'channels' to see which parts those are."
        )
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    near = np.zeros_like(grey)
    cv2.circle(near, (u, v), _SNAP_PX, 255, -1)
    corners = cv2.goodFeaturesToTrack(grey, 1, 0.01, 1, mask=near, blockSize=5)
    spot = np.asarray(pixel, np.float64) if corners is None else corners[0, 0].astype(np.float64)
    column, row = np.maximum(np.rint(spot).astype(int) - _PATCH_PX, 0)
    patch = grey[row : row + 2 * _PATCH_PX + 1, column : column + 2 * _PATCH_PX + 1]
    if patch.std() < _LEAST_CONTRAST:
        raise GoalError(
            f"the surface at pixel ({u}, {v}) is too plain to be followed. Press on an edge, a "
            "corner or a mark."
        )
    return spot


def goal_points(drags: Sequence[Drag], image: UInt8[np.ndarray, "h w 3"]) -> tuple[Tracks, Tracks]:
    """Points of a goal in the newest image, and where they should go, in the same order.

    The robot may have moved since a drag was drawn: its spot is looked for in `image`.

    Raises:
        GoalError: no drag, or a spot that is not found any more.
    """
    if not drags:
        raise GoalError("there is no goal yet. Press on the robot and drag to where it should go.")
    now = np.concatenate([_found(number, drag, image) for number, drag in enumerate(drags, 1)])
    offsets = np.tile(_CLUSTER_PX, (len(drags), 1))
    ends = np.repeat([drag.end_px for drag in drags], len(_CLUSTER_PX), axis=0)
    return _certain(now), _certain((ends + offsets).astype(np.float32))


def _found(
    number: int, drag: Drag, image: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "n 2"]:
    tracker = LucasKanadeTracker()
    tracker.start(drag.image, (drag.begin_px + _CLUSTER_PX).astype(np.float32))
    tracks = tracker.update(image)
    if not tracks.visible.all():
        u, v = np.rint(drag.begin_px).astype(int)
        raise GoalError(
            f"the spot of drag {number}, pressed at pixel ({u}, {v}), is not there any more: the "
            "robot has moved. Clear the drags and draw them again."
        )
    return tracks.points


def _certain(points: Float32[np.ndarray, "n 2"]) -> Tracks:
    return Tracks(points, np.ones(len(points), bool), np.ones(len(points), np.float32))
