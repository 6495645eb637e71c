"""Where points of an earlier picture are now, however far the robot has gone since.

Near by, the tracker finds them in one step. Those that it loses are carried along with the
correspondences of both pictures around them, and then aligned patch by patch.
"""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from pydantic import Field

from njf_perception.config import Config
from njf_perception.correspondence import correspond
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, carried_warps
from njf_perception.trackers.patches import align, identity_warps, make_templates, smooth_grey

_AGREEMENT_PX = 2.0


class RelocationConfig(Config):
    """Settings; the defaults suit 320 x 240 to 640 x 480 images."""

    tracked_share: float = Field(
        default=0.8, ge=0, le=1, description="points tracked in one step that make it enough"
    )
    patch_radius_px: int = Field(default=5, ge=2, description="half size of the patches [px]")
    reach_px: float = Field(
        default=25.0, gt=0, description="a correspondence further off says nothing of a point [px]"
    )
    shift_px: float = Field(
        default=4.0, gt=0, description="largest correction by the patch, at its edge [px]"
    )
    correlation: float = Field(default=0.85, ge=0, le=1, description="smallest fit of a patch")


def relocate(
    picture: UInt8[np.ndarray, "h w 3"],
    points: Float32[np.ndarray, "n 2"],
    image: UInt8[np.ndarray, "k l 3"],
    config: RelocationConfig | None = None,
) -> Tracks:
    """Points (u, v) [px] of `picture`, found in a later `image` of the same fixed camera (RGB).

    Raises:
        DataError: the images differ in size.
    """
    if picture.shape != image.shape:
        raise DataError(
            f"The picture has {picture.shape[1]} x {picture.shape[0]} px, the image "
            f"{image.shape[1]} x {image.shape[0]}. Compare images of one camera at one size."
        )
    config = config or RelocationConfig()
    tracker = LucasKanadeTracker()
    tracker.start(picture, points)
    near = tracker.update(image)
    if near.visible.sum() >= config.tracked_share * len(points):
        return near
    return _better(_carried(picture, points, image, config), near)


def _carried(
    picture: UInt8[np.ndarray, "h w 3"],
    points: Float32[np.ndarray, "n 2"],
    image: UInt8[np.ndarray, "h w 3"],
    config: RelocationConfig,
) -> Tracks:
    """Points moved as the matches near each of them, and aligned; not visible without such."""
    matches = correspond(picture, image)
    if len(matches.now) == 0:
        return Tracks(points, np.zeros(len(points), bool), np.zeros(len(points), np.float32))
    warps = carried_warps(identity_warps(points), matches.now, matches.goal)
    templates = make_templates(smooth_grey(picture), points, config.patch_radius_px)
    aligned, fit = align(templates, smooth_grey(image), warps, iterations=10)
    apart = np.linalg.norm(points[:, None] - matches.now, axis=2).min(axis=1)
    shift = np.linalg.norm(aligned[:, :, 2] - warps[:, :, 2], axis=1)
    found = (apart <= config.reach_px) & (shift <= config.shift_px) & (fit >= config.correlation)
    found &= _inside(aligned[:, :, 2], image)
    sure = np.where(found, np.clip(fit, 0, 1), 0).astype(np.float32)
    return Tracks(np.where(found[:, None], aligned[:, :, 2], points), found, sure)


def _inside(
    points: Float32[np.ndarray, "n 2"], image: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, " n"]:
    height, width = image.shape[:2]
    return np.all((points >= 0) & (points <= (width - 1, height - 1)), axis=1)


def _better(carried: Tracks, tracked: Tracks) -> Tracks:
    """Carried points where they were found, else tracked ones.

    A single step over a long way finds what looks alike near by; what many matches say wins.
    """
    first, both = carried.visible, carried.visible & tracked.visible
    apart = np.linalg.norm(carried.points - tracked.points, axis=1)[both] > _AGREEMENT_PX
    believed = len(apart) == 0 or apart.mean() <= 0.5  # most of what can be compared agrees
    alone = tracked.visible & ~first & believed
    return Tracks(
        np.where(first[:, None], carried.points, tracked.points),
        first | alone,
        np.where(first, carried.confidence, np.where(alone, tracked.confidence, 0)).astype("f4"),
    )
