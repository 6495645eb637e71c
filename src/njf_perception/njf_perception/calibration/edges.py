"""Corners of tags to a tenth of a pixel: lines through their edges, intersected.

Corner finders pull the corner of a blurred square inwards; its straight edges stay where they are.
Along the normal of an edge the intensities rise from a to b at s, blurred by anything symmetric.
Then the integral of (I - a) / (b - a) from -w to w is w - s, which is linear in I: noise does not
bias it. A profile reaches to the middle of the black border, where least of the white on either
side blurs in; what is cut off there is cut off at the other end too once the profile is centred.
"""

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

_ALONG = 16  # profiles per edge
_ENDS = 0.14  # of the edge, left out at both ends: there the neighbouring edge blurs in
_STEPS = 33  # samples per profile
_AT_END = 4  # of them, that give a and b
_ROUNDS = 4
_NARROWEST_PX, _WIDEST_PX = 1.0, 4.0  # half lengths of a profile
_CELL = 1 / 8  # of a tag's side


def refine_corners(
    gray: UInt8[np.ndarray, "h w"], corners: Float[np.ndarray, "n 4 2"]
) -> Float[np.ndarray, "n 4 2"]:
    """Corners [px] of dark squares on bright ground, from rough ones that are off by a pixel."""
    image = gray.astype(np.float32)
    for _ in range(_ROUNDS):
        start, way, normal, half = _edges(corners)
        profiles, offsets = _profiles(image, start, way, normal, half)
        dark = profiles[..., :_AT_END].mean((-1, -2))
        bright = profiles[..., -_AT_END:].mean((-1, -2))
        risen = (profiles - dark[..., None, None]) / np.maximum(bright - dark, 1)[..., None, None]
        moved = half[..., None] * (1 - 2 * _mean(risen))
        points = _along(start, way) + moved[..., None] * normal[..., None, :]
        corners = _intersections(points)
    return corners


def edge_blur_px(gray: UInt8[np.ndarray, "h w"], corners: Float[np.ndarray, "n 4 2"]) -> float:
    """Standard deviation of the blur across the edges [px]: that of the blurrier directions.

    A Gaussian blur turns a step of height c into one of the slope c / (sigma sqrt(2 pi)).
    """
    start, way, normal, _ = _edges(corners)
    half = 1.5 * _CELL * np.linalg.norm(way, axis=-1)
    profiles, offsets = _profiles(gray.astype(np.float32), start, way, normal, half)
    mean = profiles.mean(-2)
    slope = np.diff(mean, axis=-1).max(-1) / (offsets[1] - offsets[0]) / half
    contrast = mean.max((-1, -2)) - mean.min((-1, -2))
    sigma = contrast[:, None] / np.maximum(slope, 1e-6) / np.sqrt(2 * np.pi)
    return float(np.percentile(sigma, 75))


def _edges(
    corners: Float[np.ndarray, "n 4 2"],
) -> tuple[
    Float[np.ndarray, "n 4 2"],
    Float[np.ndarray, "n 4 2"],
    Float[np.ndarray, "n 4 2"],
    Float[np.ndarray, "n 4"],
]:
    """Start, way to the end, outward unit normal and half profile [px] of the four edges."""
    way = np.roll(corners, -1, axis=1) - corners
    length = np.linalg.norm(way, axis=-1)
    normal = np.stack([way[..., 1], -way[..., 0]], axis=-1) / length[..., None]
    cell = _CELL * np.roll(length, 1, axis=1)  # of the black border, across this edge
    return corners, way, normal, np.clip(0.5 * cell, _NARROWEST_PX, _WIDEST_PX)


def _along(
    start: Float[np.ndarray, "n 4 2"], way: Float[np.ndarray, "n 4 2"]
) -> Float[np.ndarray, "n 4 a 2"]:
    t = np.linspace(_ENDS, 1 - _ENDS, _ALONG)
    return start[..., None, :] + t[:, None] * way[..., None, :]


def _profiles(
    image: Float32[np.ndarray, "h w"],
    start: Float[np.ndarray, "n 4 2"],
    way: Float[np.ndarray, "n 4 2"],
    normal: Float[np.ndarray, "n 4 2"],
    half: Float[np.ndarray, "n 4"],
) -> tuple[Float32[np.ndarray, "n 4 a s"], Float[np.ndarray, " s"]]:
    """Intensities across the edges from inside to outside, and where, in half lengths."""
    offsets = np.linspace(-1, 1, _STEPS)
    step = half[..., None, None] * offsets[:, None] * normal[..., None, :]
    where = _along(start, way)[..., None, :] + step[:, :, None]
    flat = where.reshape(-1, _STEPS * _ALONG, 2).astype(np.float32)
    values = cv2.remap(
        image, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return values.reshape(*half.shape, _ALONG, _STEPS), offsets


def _mean(profiles: Float[np.ndarray, "n 4 a s"]) -> Float[np.ndarray, "n 4 a"]:
    """Mean over the last axis by the trapezoidal rule."""
    inner = profiles[..., 1:-1].sum(-1) + (profiles[..., 0] + profiles[..., -1]) / 2
    return inner / (_STEPS - 1)


def _intersections(points: Float[np.ndarray, "n 4 a 2"]) -> Float[np.ndarray, "n 4 2"]:
    """Where the lines through each edge's points meet those through the edge before it."""
    middle = points.mean(2)
    spread = points - middle[:, :, None]
    _, vectors = np.linalg.eigh(np.einsum("neai,neaj->neij", spread, spread))
    normal = vectors[..., 0]  # of the least spread
    reach = (normal * middle).sum(-1)
    normals = np.stack([np.roll(normal, 1, axis=1), normal], axis=-2)
    reaches = np.stack([np.roll(reach, 1, axis=1), reach], axis=-1)
    return np.linalg.solve(normals, reaches[..., None])[..., 0]
