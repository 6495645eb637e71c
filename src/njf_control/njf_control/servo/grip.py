"""Taking hold of a spot of the robot: corners about it that can be followed and move as it does."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from njf_control.servo.goal import Goal
from njf_control.servo.model import SurfaceJacobians
from njf_control.servo.spots import Spots, middle_of
from njf_perception.trackers.base import Tracks

MOST_POINTS = 12  # of a spot; a servo needs four, and some get lost on the way
_PLENTY = 8  # with fewer, a spot is taken hold of anew
_REACH = 1 / 20  # of the image's width: how far from the middle of a spot its points may be
_APART_PX = 2.0  # nearer ones see the same
_QUALITY = 0.03  # of a corner, beside the best one
_LEAST_CONTRAST = 3.0  # grey levels, standard deviation of a patch that can be tracked
_PATCH_PX = 5  # half size of that patch, as the tracker's
_SAME_PART = 0.4  # of a motion: what moves more differently is another part
_SURE = 0.3  # least confidence of a new point

See = Callable[[Float[np.ndarray, "n 2"]], SurfaceJacobians]


def corners_near(
    image: UInt8[np.ndarray, "h w 3"],
    pixel: Float[np.ndarray, "2"],
    mask: UInt8[np.ndarray, "h w"] | None = None,
) -> Float32[np.ndarray, "n 2"]:
    """Points (u, v) [px] about `pixel` that can be tracked, the nearest first.

    Args:
        image: RGB.
        pixel: (u, v) [px].
        mask: where they may be (not 0); None: anywhere.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    near = np.zeros_like(grey)
    u, v = np.rint(pixel).astype(int).tolist()
    cv2.circle(near, (u, v), round(_REACH * grey.shape[1]), 255, -1)
    if mask is not None:
        near &= mask
    corners = cv2.goodFeaturesToTrack(grey, 0, _QUALITY, _APART_PX, mask=near, blockSize=5)
    points = np.zeros((0, 2), np.float32) if corners is None else corners[:, 0]
    points = points[[_contrast(grey, point) >= _LEAST_CONTRAST for point in points]]
    return points[np.argsort(np.linalg.norm(points - pixel, axis=1))]


def moves_alike(
    motions: Float[np.ndarray, "n ..."], reference: Float[np.ndarray, "..."]
) -> Bool[np.ndarray, " n"]:
    """Which motions per command are so near `reference` that one part may make them all."""
    apart = ((motions - reference) ** 2).sum(axis=tuple(range(1, motions.ndim)))
    return apart <= _SAME_PART**2 * (reference**2).sum()


def regripped(
    goal: Goal, tracks: Tracks, image: UInt8[np.ndarray, "h w 3"], see: See
) -> Goal | None:
    """The goal from the present image on, with new points where a spot has lost many.

    None when none has, when there is nothing new to hold, or when a spot is lost altogether.

    Args:
        goal: one with spots.
        tracks: of its points in `image`.
        image: RGB.
        see: what the model says at pixels of `image`.
    """
    spots, now = goal.spots, tracks.points.astype(np.float64)
    assert spots is not None, "only spots are taken hold of anew"
    seen = [tracks.visible & (spots.of_point == spot) for spot in range(len(spots))]
    if not all(mine.any() for mine in seen) or all(mine.sum() >= _PLENTY for mine in seen):
        return None
    held, middles = [], []
    for spot, mine in enumerate(seen):
        weights = tracks.confidence[mine].astype(np.float64) + 1e-3
        carried = (goal.start_px[mine], now[mine], weights, spots.middle_px[spot])
        middles.append(middle_of(*carried))
        held.append(_with_more(tracks.points[mine], middles[-1], image, see))
    if sum(map(len, held)) <= sum(mine.sum() for mine in seen):
        return None
    counts = list(map(len, held))
    start, middle = np.concatenate(held), np.array(middles)
    way = np.repeat(spots.target_px - middle, counts, axis=0)
    anew = Spots(np.repeat(np.arange(len(spots)), counts), middle, spots.target_px)
    return replace(
        goal, start_px=start, target=start + way, weights=np.ones(len(start)), spots=anew
    )


def _with_more(
    points: Float32[np.ndarray, "n 2"],
    middle_px: Float[np.ndarray, "2"],
    image: UInt8[np.ndarray, "h w 3"],
    see: See,
) -> Float32[np.ndarray, "m 2"]:
    """The points, and corners near the middle that move like them."""
    missing = MOST_POINTS - len(points)
    if len(points) >= _PLENTY:
        return points
    new = corners_near(image, middle_px)
    apart = np.linalg.norm(new[:, None] - points[None], axis=2).min(axis=1, initial=np.inf)
    new = new[apart >= _APART_PX]
    surface = see(np.concatenate([points, new]).astype(np.float64))
    count = len(points)
    known = np.average(
        surface.jacobian_m[:count], axis=0, weights=surface.confidence[:count] + 1e-3
    )
    alike = moves_alike(surface.jacobian_m[count:], known) & (surface.confidence[count:] >= _SURE)
    return np.concatenate([points, new[alike][:missing]])


def _contrast(grey: UInt8[np.ndarray, "h w"], point: Float32[np.ndarray, "2"]) -> float:
    column, row = np.maximum(np.rint(point).astype(int) - _PATCH_PX, 0)
    patch = grey[row : row + 2 * _PATCH_PX + 1, column : column + 2 * _PATCH_PX + 1]
    return float(patch.std())
