"""Optical flow estimated from two images, with unreliable pixels marked."""

from typing import Literal, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


@runtime_checkable
class FlowEstimator(Protocol):
    """Where each pixel of one image went in the next."""

    def estimate(
        self, before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]
    ) -> Float32[np.ndarray, "h w 2"]:
        """Flow (u, v) [px] of the pixels of `before`; after[x + flow(x)] shows before[x]."""
        ...


class DisFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016), OpenCV's implementation, on grey images.

    The defaults are the best in accuracy per time among those measured on 80 rendered 320 x 240
    pairs of the finger (moving pixels, `checked_flow`, cropped to the motion, one core):

        full size, stride 3             EPE 0.136 px, cosine 0.992, 26 ms
        full size, patch 5, stride 2    EPE 0.122 px, cosine 0.994, 35 ms
        doubled, stride 4 (defaults)    EPE 0.114 px, cosine 0.994, 37 ms
        doubled, stride 3               EPE 0.112 px, cosine 0.994, 66 ms

    Other weights of the colours, or the median over three colour flows, change nothing.
    """

    def __init__(
        self,
        preset: Literal["ultrafast", "fast", "medium"] = "medium",
        finest_scale: int = 0,
        refinement_iterations: int = 5,
        patch_size: int = 8,
        patch_stride: int = 4,
        upsampling: int = 2,
    ) -> None:
        """Configure.

        Args:
            preset: OpenCV preset the other values override.
            finest_scale: pyramid level where the search ends; 0 is the full image.
            refinement_iterations: of variational refinement; 0 switches it off.
            patch_size: of the search [px].
            patch_stride: of the search [px].
            upsampling: images are enlarged this many times first.
        """
        self._dis = cv2.DISOpticalFlow.create(PRESETS[preset])
        self._dis.setFinestScale(finest_scale)
        self._dis.setVariationalRefinementIterations(refinement_iterations)
        self._dis.setPatchSize(patch_size)
        self._dis.setPatchStride(patch_stride)
        self._upsampling = upsampling

    def estimate(
        self, before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]
    ) -> Float32[np.ndarray, "h w 2"]:
        """See `FlowEstimator`."""
        height, width = before.shape[:2]
        start = np.zeros(0, np.float32)  # empty: search from zero
        flow = self._dis.calc(self._gray(before), self._gray(after), start)
        if self._upsampling != 1:
            flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
            flow /= self._upsampling
        return flow.astype(np.float32, copy=False)

    def _gray(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2"]:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if self._upsampling == 1:
            return gray
        return cv2.resize(gray, None, fx=self._upsampling, fy=self._upsampling)


def consistent(
    forward: Float32[np.ndarray, "h w 2"],
    backward: Float32[np.ndarray, "h w 2"],
    absolute_px: float = 0.5,
    relative: float = 0.05,
) -> Bool[np.ndarray, "h w"]:
    """Where going forward and back again ends near the start.

    The tolerance is `absolute_px` plus `relative` times the length of both flows (after Sundaram,
    Brox and Keutzer, ECCV 2010). Pixels that leave the image are not consistent.
    """
    height, width = forward.shape[:2]
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = u + forward[..., 0], v + forward[..., 1]
    back = cv2.remap(backward, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    gap = np.linalg.norm(forward + back, axis=-1)
    length = np.linalg.norm(forward, axis=-1) + np.linalg.norm(back, axis=-1)
    return inside & (gap <= absolute_px + relative * length)


def checked_flow(
    estimator: FlowEstimator,
    before: UInt8[np.ndarray, "h w 3"],
    after: UInt8[np.ndarray, "h w 3"],
) -> Float32[np.ndarray, "h w 2"]:
    """Flow from `before` to `after` [px]; NaN where the way back disagrees (occlusion)."""
    forward = estimator.estimate(before, after)
    valid = consistent(forward, estimator.estimate(after, before))
    return np.where(valid[..., None], forward, np.float32(np.nan))


def half_size(flow: Float32[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h2 w2 2"]:
    """Mean over 2 x 2 blocks: flow at full-image pixel (2c + 0.5, 2r + 0.5), still in full pixels.

    Invalid pixels do not count; a block with fewer than two valid pixels is NaN.
    """
    h, w = flow.shape[0] // 2, flow.shape[1] // 2
    blocks = flow[: 2 * h, : 2 * w].reshape(h, 2, w, 2, 2)
    valid = np.isfinite(blocks[..., 0])
    count = valid.sum((1, 3))[..., None]
    total = np.where(valid[..., None], blocks, 0).sum((1, 3))
    return np.where(count >= 2, total / np.maximum(count, 1), np.nan)
