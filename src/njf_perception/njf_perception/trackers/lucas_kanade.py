"""Pyramidal Lucas-Kanade with forward-backward check, anchored to the first image against drift.

From image to image `cv2.calcOpticalFlowPyrLK` finds where points went; a point whose way back does
not end where it began is lost. Each found point is then aligned with its patch of the first image
(`patches`), so errors do not add up over a motion.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from pydantic import Field

from njf_perception.config import Config
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.patches import (
    align,
    identity_warps,
    make_templates,
    smooth_grey,
)


class LucasKanadeConfig(Config):
    """Settings of the tracker; the defaults suit 320 x 240 to 640 x 480 images."""

    window_px: int = Field(default=15, ge=5, description="window of the image-to-image step [px]")
    levels: int = Field(default=3, ge=0, le=6, description="pyramid levels above full size")
    patch_radius_px: int = Field(default=5, ge=2, description="half size of the anchor patch [px]")
    forward_backward_px: float = Field(
        default=0.7,
        gt=0,
        description="largest distance between a point and its way there and back [px]",
    )
    largest_residual: float = Field(
        default=10.0,
        gt=0,
        description="mean difference of a window between two images [grey level]",
    )
    anchor_shift_px: float = Field(
        default=3.0, gt=0, description="largest correction by the anchor patch, at its edge [px]"
    )
    recovery_shift_px: float = Field(
        default=4.0, gt=0, description="the same for a lost point [px]"
    )
    smallest_correlation: float = Field(
        default=0.7, ge=0, le=1, description="a point whose anchor patch fits worse is not visible"
    )
    largest_drop: float = Field(
        default=0.2, gt=0, description="a larger drop of the fit in one image is an occlusion"
    )
    renewal_correlation: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="a visible point that fits worse gets a new anchor patch",
    )
    recovery_correlation: float = Field(
        default=0.85, ge=0, le=1, description="fit a lost point must reach to be visible again"
    )


class LucasKanadeTracker:
    """`PointTracker` for the CPU; see the module."""

    def __init__(self, config: LucasKanadeConfig | None = None) -> None:
        """Without `config` the defaults hold."""
        self._config = config or LucasKanadeConfig()
        self._previous: UInt8[np.ndarray, "h w"] | None = None

    def start(
        self, image: UInt8[np.ndarray, "h w 3"], points: Float32[np.ndarray, "n 2"]
    ) -> Tracks:
        """See `PointTracker.start`."""
        self._shape = image.shape
        self._previous = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        self._warps = identity_warps(points)
        self._templates = make_templates(smooth_grey(image), points, self._config.patch_radius_px)
        self._visible = self._inside(points)
        self._correlation = np.ones(len(points), np.float32)
        return self._tracks()

    def update(self, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        """See `PointTracker.update`."""
        if self._previous is None:
            raise ValueError("update() before start(): give the tracker its points first.")
        if image.shape != self._shape:
            raise ValueError(f"Image of shape {image.shape}; tracking began with {self._shape}.")
        newest, grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), smooth_grey(image)
        before = self._warps[:, :, 2].copy()
        self._follow(self._previous, newest, grey)
        self._recover(before, grey)
        self._previous = newest
        return self._tracks()

    def _tracks(self) -> Tracks:
        confidence = np.where(self._visible, np.clip(self._correlation, 0, 1), 0)
        points = self._warps[:, :, 2].copy()
        return Tracks(points, self._visible.copy(), confidence.astype(np.float32))

    def _follow(
        self,
        previous: UInt8[np.ndarray, "h w"],
        newest: UInt8[np.ndarray, "h w"],
        grey: Float32[np.ndarray, "h w"],
    ) -> None:
        """Find the visible points in the newest image, or mark them lost."""
        config = self._config
        live = np.flatnonzero(self._visible)
        predicted = self._warps[live]
        predicted[:, :, 2], found = self._flow(previous, newest, predicted[:, :, 2])
        aligned, correlation = align(self._templates[live], grey, predicted, iterations=4)
        near = self._near(aligned, predicted, config.anchor_shift_px)
        needed = np.maximum(
            config.smallest_correlation, self._correlation[live] - config.largest_drop
        )
        good = found & near & (correlation >= needed) & self._inside(aligned[:, :, 2])
        self._warps[live[good]] = aligned[good]
        self._visible[live] = good
        self._correlation[live] = correlation
        self._renew(grey, live[good & (correlation < config.renewal_correlation)])

    def _recover(
        self, before: Float32[np.ndarray, "n 2"], grey: Float32[np.ndarray, "h w"]
    ) -> None:
        """Carry lost points along with the visible ones near by; see whether they are back."""
        lost, seen = np.flatnonzero(~self._visible), np.flatnonzero(self._visible)
        if len(lost) == 0 or len(seen) == 0:
            return
        carried = carried_warps(self._warps[lost], before[seen], self._warps[seen, :, 2])
        aligned, correlation = align(self._templates[lost], grey, carried, iterations=6)
        near = self._near(aligned, carried, self._config.recovery_shift_px)
        back = near & (correlation >= self._config.recovery_correlation)
        back &= self._inside(aligned[:, :, 2])
        self._warps[lost] = np.where(back[:, None, None], aligned, carried)
        self._visible[lost] = back
        self._correlation[lost] = correlation

    def _flow(
        self,
        before: UInt8[np.ndarray, "h w"],
        after: UInt8[np.ndarray, "h w"],
        points: Float32[np.ndarray, "n 2"],
    ) -> tuple[Float32[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
        """Where points of one image are in the next, and whether the way back agrees."""
        there, status = self._lucas_kanade(before, after, points)
        back, status_back = self._lucas_kanade(after, before, there)
        distance = np.linalg.norm(back - points, axis=1)
        return there, status & status_back & (distance <= self._config.forward_backward_px)

    def _lucas_kanade(
        self,
        before: UInt8[np.ndarray, "h w"],
        after: UInt8[np.ndarray, "h w"],
        points: Float32[np.ndarray, "n 2"],
    ) -> tuple[Float32[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
        if len(points) == 0:
            return points, np.zeros(0, bool)
        points = np.ascontiguousarray(points)
        size = (self._config.window_px, self._config.window_px)
        there, status, residual = cv2.calcOpticalFlowPyrLK(
            before, after, points, np.empty_like(points), winSize=size, maxLevel=self._config.levels
        )
        alike = residual[:, 0] <= self._config.largest_residual
        return there, status[:, 0].astype(bool) & alike

    def _near(
        self, a: Float32[np.ndarray, "n 2 3"], b: Float32[np.ndarray, "n 2 3"], limit_px: float
    ) -> Bool[np.ndarray, " n"]:
        """Whether no patch pixel differs by more than the limit between two sets of warps."""
        shift = np.linalg.norm(a[:, :, 2] - b[:, :, 2], axis=1)
        turn = np.linalg.norm(a[:, :, :2] - b[:, :, :2], axis=(1, 2))
        return np.asarray(shift + self._config.patch_radius_px * turn <= limit_px)

    def _inside(self, points: Float32[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
        height, width = self._shape[:2]
        return np.all((points >= 0) & (points <= (width - 1, height - 1)), axis=1)

    def _renew(self, grey: Float32[np.ndarray, "h w"], which: Int64[np.ndarray, " k"]) -> None:
        """Cut anchor patches anew where appearance changed slowly (a surface turning away)."""
        if len(which):
            points = self._warps[which, :, 2]
            self._templates[which] = make_templates(grey, points, self._config.patch_radius_px)
            self._warps[which] = identity_warps(points)
            self._correlation[which] = 1.0


def carried_warps(
    warps: Float32[np.ndarray, "n 2 3"],
    before: Float32[np.ndarray, "m 2"],
    after: Float32[np.ndarray, "m 2"],
) -> Float32[np.ndarray, "n 2 3"]:
    """Warps moved as the seen points near each of them moved from `before` to `after`.

    Per warp the similarity z -> a z + b (complex) that fits the seen points best, near ones most.
    """
    z, p, q = (x[:, 0] + 1j * x[:, 1] for x in (warps[:, :, 2], before, after))
    weights = 1.0 / (np.abs(z[:, None] - p) ** 2 + 25.0) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    p_mean, q_mean = weights @ p, weights @ q
    p_rest, q_rest = p - p_mean[:, None], q - q_mean[:, None]
    stiffness = 1.0  # px^2: without spread in the seen points nothing turns
    turned = np.sum(weights * p_rest.conj() * q_rest, axis=1) + stiffness
    a = turned / (np.sum(weights * np.abs(p_rest) ** 2, axis=1) + stiffness)
    moved = q_mean + a * (z - p_mean)
    rotation = np.stack([a.real, -a.imag, a.imag, a.real], axis=1).reshape(-1, 2, 2)
    linear = rotation @ warps[:, :, :2]
    centre = np.stack([moved.real, moved.imag], axis=1)[:, :, None]
    return np.concatenate([linear, centre], axis=2).astype(np.float32)


def pick_points(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], count: int
) -> Float32[np.ndarray, "m 2"]:
    """Up to `count` points (u, v) [px] inside `mask` that can be tracked, spread over it.

    Corners first (Shi-Tomasi) at the distance an even spread would have, then closer ones until
    there are enough. Points keep away from the edge of `mask`, where patches see two surfaces.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    inner = _interior(mask)
    chosen = np.zeros((0, 2), np.float32)
    distance = float(np.sqrt(inner.sum() / max(count, 1)))
    for spread in (distance, distance / 2, distance / 4):
        allowed = inner.copy()
        for u, v in chosen.astype(int).tolist():
            cv2.circle(allowed, (u, v), int(np.ceil(spread)), 0, -1)
        missing = count - len(chosen)
        if missing <= 0 or not allowed.any():
            break
        corners = cv2.goodFeaturesToTrack(grey, missing, 0.01, spread, mask=allowed, blockSize=5)
        if corners is not None:
            chosen = np.concatenate([chosen, corners[:, 0]])
    return chosen


def _interior(mask: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """Mask without its border, as wide as leaves a fifth of it: 5 pixels, less for thin parts."""
    grown = mask.astype(np.uint8)
    for margin in (5, 3, 1):
        inner = cv2.erode(grown, np.ones((2 * margin + 1,) * 2, np.uint8), borderValue=0)
        if inner.sum() >= 0.2 * grown.sum():
            return np.asarray(inner, np.uint8)
    return grown
