"""Goal-image correspondence: which points of a goal image are which points of the current one.

The robot is posed differently in both images of one fixed camera, so its parts moved and turned,
each in its own way, and the background did not. Scale-invariant features of what differs are
matched both ways, kept where neighbours agree on how a rigid part moved, and then aligned patch by
patch, which gives sub-pixel positions and removes what does not look alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Complex, Float, Float32, Int64, UInt8
from pydantic import Field

from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_perception.trackers.patches import align, make_templates, smooth_grey


class CorrespondenceConfig(Config):
    """Settings; the defaults suit a robot part of 15 pixels and more."""

    upsampling: int = Field(
        default=2, ge=1, le=4, description="enlargement before features are found"
    )
    contrast: float = Field(default=0.01, gt=0, description="smallest contrast of a feature (SIFT)")
    colour_weight: float = Field(
        default=5.0, ge=0, description="of the colour around a feature against its descriptor"
    )
    difference: float = Field(default=8.0, gt=0, description="grey levels that count as a change")
    neighbours: int = Field(
        default=8, ge=2, description="near matches that propose how a part moved"
    )
    part_px: float = Field(default=40.0, gt=0, description="largest radius of one rigid part [px]")
    agreement_px: float = Field(
        default=2.0, gt=0, description="matches agree with a part's motion to [px]"
    )
    part_matches: int = Field(default=4, ge=3, description="fewer agreeing matches are no part")
    patch_radius_px: int = Field(
        default=5, ge=2, description="half size of the aligned patches [px]"
    )
    correlation: float = Field(
        default=0.85, ge=0, le=1, description="smallest fit of aligned patches"
    )
    motion_px: float = Field(
        default=0.5, ge=0, description="points that moved less are background [px]"
    )
    spacing_px: float = Field(
        default=3.0, ge=0, description="smallest distance between points [px]"
    )


@dataclass(frozen=True)
class Correspondence:
    """Matched points, best first.

    Attributes:
        now: (u, v) in the current image [px].
        goal: (u, v) of the same surface points in the goal image [px].
        confidence: 0 to 1.
    """

    now: Float32[np.ndarray, "n 2"]
    goal: Float32[np.ndarray, "n 2"]
    confidence: Float32[np.ndarray, " n"]


def correspond(
    image: UInt8[np.ndarray, "h w 3"],
    goal: UInt8[np.ndarray, "k l 3"],
    config: CorrespondenceConfig | None = None,
) -> Correspondence:
    """Points of the moving robot found in both RGB images of one fixed camera.

    Deterministic. Empty when the images show nothing in common that moved.

    Raises:
        DataError: the images differ in size.
    """
    config = config or CorrespondenceConfig()
    if image.shape != goal.shape:
        raise DataError(
            f"Goal image of {goal.shape[1]} x {goal.shape[0]} px, the camera's is {image.shape[1]} "
            f"x {image.shape[0]}. Take the goal image with this camera at this size."
        )
    changed = changed_mask(image, goal, config.difference)
    now, then = _match(image, goal, changed, config)
    warps, kept = _part_warps(now, then, config)
    return _refined(image, goal, now[kept], warps, config)


def changed_mask(
    image: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h w 3"], difference: float
) -> Bool[np.ndarray, "h w"]:
    """Pixels where two images differ by more than `difference` grey levels, noise averaged out."""
    largest = cv2.absdiff(image, other).max(axis=2).astype(np.float32)
    return cv2.GaussianBlur(largest, (0, 0), 1.5) > difference


def _match(
    image: UInt8[np.ndarray, "h w 3"],
    goal: UInt8[np.ndarray, "h w 3"],
    changed: Bool[np.ndarray, "h w"],
    config: CorrespondenceConfig,
) -> tuple[Float32[np.ndarray, "n 2"], Float32[np.ndarray, "n 2"]]:
    """Features that are each other's best match; a third and more of them are wrong."""
    now, descriptors_now = _features(image, changed, config)
    then, descriptors_then = _features(goal, changed, config)
    if len(now) == 0 or len(then) == 0:  # OpenCV refuses to match with nothing
        return now[:0], then[:0]
    matcher = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True)
    pairs = [(m.queryIdx, m.trainIdx) for m in matcher.match(descriptors_now, descriptors_then)]
    index = np.array(pairs, np.int64).reshape(-1, 2)
    return now[index[:, 0]], then[index[:, 1]]


def _features(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], config: CorrespondenceConfig
) -> tuple[Float32[np.ndarray, "n 2"], Float32[np.ndarray, "n d"]]:
    """SIFT features in `mask`, positions (u, v) in pixels of `image`."""
    scale = config.upsampling
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    size = (scale * image.shape[1], scale * image.shape[0])
    large = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)
    region = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    sift = cv2.SIFT.create(contrastThreshold=config.contrast)
    keypoints, descriptors = sift.detectAndCompute(large, region)
    if not keypoints:
        return np.zeros((0, 2), np.float32), np.zeros((0, 130), np.float32)
    position = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    position = (position + 0.5) / scale - 0.5  # pixel centres are integers in both images
    return position, np.hstack([descriptors, config.colour_weight * _chroma(image, position)])


def _chroma(
    image: UInt8[np.ndarray, "h w 3"], points: Float32[np.ndarray, "n 2"]
) -> Float32[np.ndarray, "n 2"]:
    """Colour without brightness (a and b of CIELAB) around points."""
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), (0, 0), 1.5)
    u, v = np.round(points).astype(int).T.clip(0)
    return lab[v.clip(max=len(lab) - 1), u.clip(max=lab.shape[1] - 1), 1:].astype(np.float32)


def _part_warps(
    now: Float32[np.ndarray, "n 2"], then: Float32[np.ndarray, "n 2"], config: CorrespondenceConfig
) -> tuple[Float32[np.ndarray, "k 2 3"], Int64[np.ndarray, " k"]]:
    """Affine motion (patch warps into the goal image) of the matches that belong to a rigid part.

    Greedy: the motion most matches agree with is a part; its matches are taken out; again.
    """
    agrees = _agreement(now, then, config)
    free = np.ones(len(now), bool)
    warps, kept = [], []
    while len(agrees):
        support = (agrees & free).sum(axis=1)
        part = np.flatnonzero(agrees[support.argmax()] & free)
        if len(part) < config.part_matches:
            break
        free[part] = False
        linear = _fit_linear(now[part], then[part])
        for match in part:
            warps.append(np.column_stack([linear, then[match]]))
            kept.append(match)
    return np.array(warps, np.float32).reshape(-1, 2, 3), np.array(kept, np.int64)


def _agreement(
    now: Float32[np.ndarray, "n 2"], then: Float32[np.ndarray, "n 2"], config: CorrespondenceConfig
) -> Bool[np.ndarray, "k n"]:
    """Per proposed part motion, the matches near by that follow it.

    A proposal is the similarity z -> a z + b (complex) through a match and one of its neighbours.
    """
    p, q = _complex(now), _complex(then)
    if len(p) <= config.neighbours:
        return np.zeros((0, len(p)), bool)
    distance = np.abs(p[:, None] - p)
    near = np.argsort(distance, axis=1)[:, 1 : config.neighbours + 1]
    first, second = np.repeat(np.arange(len(p)), config.neighbours), near.ravel()
    apart = np.abs(p[second] - p[first]) > 1.0
    first, second = first[apart], second[apart]
    a = (q[second] - q[first]) / (p[second] - p[first])
    plausible = (np.abs(a) > 0.6) & (np.abs(a) < 1.6)
    first, a = first[plausible], a[plausible]
    predicted = q[first, None] + a[:, None] * (p - p[first, None])
    return (np.abs(predicted - q) < config.agreement_px) & (distance[first] < config.part_px)


def _complex(points: Float32[np.ndarray, "n 2"]) -> Complex[np.ndarray, " n"]:
    return points[:, 0].astype(np.float64) + 1j * points[:, 1]


def _fit_linear(
    now: Float32[np.ndarray, "n 2"], then: Float32[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 2"]:
    """Linear part of the affine map `now` -> `then`, near a rotation where points say little."""
    p, q = now - now.mean(axis=0), then - then.mean(axis=0)
    u, _, vt = np.linalg.svd(q.T @ p)
    rotation = u @ np.diag([1.0, np.linalg.det(u @ vt)]) @ vt
    stiffness = 25.0 * np.eye(2)  # px^2
    return (q.T @ p + rotation @ stiffness) @ np.linalg.inv(p.T @ p + stiffness)


def _refined(
    image: UInt8[np.ndarray, "h w 3"],
    goal: UInt8[np.ndarray, "h w 3"],
    now: Float32[np.ndarray, "n 2"],
    warps: Float32[np.ndarray, "n 2 3"],
    config: CorrespondenceConfig,
) -> Correspondence:
    """Align the patches of `image` with `goal`; drop what moves too far or fits badly."""
    templates = make_templates(smooth_grey(image), now, config.patch_radius_px)
    aligned, correlation = align(templates, smooth_grey(goal), warps, iterations=10)
    shift = np.linalg.norm(aligned[:, :, 2] - warps[:, :, 2], axis=1)
    motion = np.linalg.norm(aligned[:, :, 2] - now, axis=1)
    fits = (correlation >= config.correlation) & (shift <= config.agreement_px)
    good = np.flatnonzero(fits & (motion >= config.motion_px))
    best = good[np.argsort(-correlation[good], kind="stable")]
    chosen = best[_spaced(now[best], config.spacing_px)]
    confidence = np.clip(correlation[chosen], 0.0, 1.0)
    return Correspondence(now[chosen], aligned[chosen, :, 2], confidence)


def _spaced(points: Float32[np.ndarray, "n 2"], spacing_px: float) -> Int64[np.ndarray, " k"]:
    """Indices of points that keep their distance from all chosen before them."""
    chosen: list[int] = []
    for i, point in enumerate(points):
        if not chosen or np.linalg.norm(points[chosen] - point, axis=1).min() >= spacing_px:
            chosen.append(i)
    return np.array(chosen, np.int64)
