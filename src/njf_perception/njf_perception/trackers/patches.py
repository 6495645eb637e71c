"""Affine alignment of many small image patches at once, to a fraction of a pixel.

Inverse compositional Lucas-Kanade (Baker and Matthews, "Lucas-Kanade 20 years on", 2004) with the
brightness gain and offset of each patch projected out, so a link that turns in the light stays the
same patch. A warp `[A | t]` puts the patch pixel at offset o (from the patch centre) at image
position A o + t. Patches are cut from blurred grey images made by `smooth_grey`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int64, UInt8

_LARGEST_STEP_PX = 1.5
_SMALLEST_GAIN = 0.2


@dataclass(frozen=True)
class Templates:
    """Patches to look for, with everything the alignment needs precomputed.

    Attributes:
        values: grey values with zero weighted mean, divided by their weighted norm.
        norm: that norm [grey level].
        weights: weight of each patch pixel, sum 1 per patch.
        solve: maps sampled grey values over gain to the six warp increments (t, then A row-major).
        offsets: patch pixels relative to the centre [px].
    """

    values: Float32[np.ndarray, "n m"]
    norm: Float32[np.ndarray, " n"]
    weights: Float32[np.ndarray, "n m"]
    solve: Float32[np.ndarray, "n 6 m"]
    offsets: Float32[np.ndarray, "m 2"]

    def __getitem__(self, index: Int64[np.ndarray, " k"]) -> "Templates":
        """The templates of some points."""
        values, norm = self.values[index], self.norm[index]
        return Templates(values, norm, self.weights[index], self.solve[index], self.offsets)

    def __setitem__(self, index: Int64[np.ndarray, " k"], other: "Templates") -> None:
        """Replace the templates of some points."""
        self.values[index], self.norm[index] = other.values, other.norm
        self.weights[index], self.solve[index] = other.weights, other.solve


def smooth_grey(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """Grey image of an RGB image, blurred so that linear interpolation between pixels is fair."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.GaussianBlur(grey, (0, 0), 0.8)


def identity_warps(points: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 2 3"]:
    """Warps that place unrotated, unscaled patches at `points` (u, v) [px]."""
    warps = np.zeros((len(points), 2, 3), np.float32)
    warps[:, 0, 0] = warps[:, 1, 1] = 1.0
    warps[:, :, 2] = points
    return warps


def make_templates(
    grey: Float32[np.ndarray, "h w"],
    points: Float32[np.ndarray, "n 2"],
    radius: int,
    mask: Float32[np.ndarray, "h w"] | None = None,
) -> Templates:
    """Cut square patches of 2 `radius` + 1 pixels around `points` (u, v) [px].

    `mask` weighs image pixels (0: belongs to something else); every patch also has a Gaussian
    window.
    """
    offsets = _square(radius)
    warps = identity_warps(points)
    window = np.exp(-0.5 * np.sum(offsets**2, axis=1) / (0.6 * radius) ** 2)
    weights = np.tile(window.astype(np.float32), (len(points), 1))
    if mask is not None:
        weights *= sample(mask, warps, offsets) + np.float32(1e-3)
    weights /= weights.sum(axis=1, keepdims=True)
    values = sample(grey, warps, offsets)
    values -= np.sum(weights * values, axis=1, keepdims=True)
    norm = np.sqrt(np.sum(weights * values**2, axis=1)) + np.float32(1e-3)
    values /= norm[:, None]
    descent = _steepest_descent(grey, warps, offsets)
    return Templates(values, norm, weights, _solver(descent, values, weights, radius), offsets)


def sample(
    image: Float32[np.ndarray, "h w"],
    warps: Float32[np.ndarray, "n 2 3"],
    offsets: Float32[np.ndarray, "m 2"],
) -> Float32[np.ndarray, "n m"]:
    """Values of `image` at the warped patch pixels; the border value outside the image."""
    if len(warps) == 0:
        return np.zeros((0, len(offsets)), np.float32)
    position = warps[:, :, :2] @ offsets.T + warps[:, :, 2:]
    return cv2.remap(
        image, position[:, 0], position[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def align(
    templates: Templates,
    grey: Float32[np.ndarray, "h w"],
    warps: Float32[np.ndarray, "n 2 3"],
    iterations: int,
) -> tuple[Float32[np.ndarray, "n 2 3"], Float32[np.ndarray, " n"]]:
    """Move every warp to where its template fits best near by.

    Returns:
        The warps, and the correlation of template and image there (-1 to 1, gain-free).
    """
    for _ in range(iterations):
        values = sample(grey, warps, templates.offsets)
        gain = np.sum(templates.weights * templates.values * values, axis=1) / templates.norm
        step = (templates.solve @ values[:, :, None])[:, :, 0]
        step /= np.maximum(gain, _SMALLEST_GAIN)[:, None]
        warps = _composed(warps, step)
    return warps, correlation(templates, grey, warps)


def correlation(
    templates: Templates, grey: Float32[np.ndarray, "h w"], warps: Float32[np.ndarray, "n 2 3"]
) -> Float32[np.ndarray, " n"]:
    """Weighted normalised correlation of every template with the image under its warp."""
    weights = templates.weights
    values = sample(grey, warps, templates.offsets)
    values -= np.sum(weights * values, axis=1, keepdims=True)
    norm = np.sqrt(np.sum(weights * values**2, axis=1)) + np.float32(1e-3)
    return np.sum(weights * templates.values * values, axis=1) / norm


def _square(radius: int) -> Float32[np.ndarray, "m 2"]:
    v, u = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)


def _steepest_descent(
    grey: Float32[np.ndarray, "h w"],
    warps: Float32[np.ndarray, "n 2 3"],
    offsets: Float32[np.ndarray, "m 2"],
) -> Float32[np.ndarray, "n m 6"]:
    """Change of the patch values per warp parameter (t_u, t_v, A row-major)."""
    du, dv = (np.array(step, np.float32) for step in ((0.5, 0.0), (0.0, 0.5)))
    gu = sample(grey, warps, offsets + du) - sample(grey, warps, offsets - du)
    gv = sample(grey, warps, offsets + dv) - sample(grey, warps, offsets - dv)
    u, v = offsets[:, 0], offsets[:, 1]
    return np.stack([gu, gv, gu * u, gu * v, gv * u, gv * v], axis=2)


def _solver(
    descent: Float32[np.ndarray, "n m 6"],
    values: Float32[np.ndarray, "n m"],
    weights: Float32[np.ndarray, "n m"],
    radius: int,
) -> Float32[np.ndarray, "n 6 m"]:
    """Damped normal equations with gain and offset projected out of the descent images."""
    descent = descent - np.sum(weights[:, :, None] * descent, axis=1, keepdims=True)
    along = np.sum((weights * values)[:, :, None] * descent, axis=1, keepdims=True)
    descent = descent - along * values[:, :, None]
    weighted = descent * weights[:, :, None]
    hessian = weighted.transpose(0, 2, 1) @ descent
    # Rotation and scale are poorly seen by a small patch: damp them more than the position.
    energy = 0.5 * (hessian[:, 0, 0] + hessian[:, 1, 1]) + np.float32(1e-3)
    damping = np.array([1e-3] * 2 + [0.02 * radius**2] * 4, np.float32)
    hessian += energy[:, None, None] * np.diag(damping)
    return np.linalg.solve(hessian, weighted.transpose(0, 2, 1)).astype(np.float32)


def _composed(
    warps: Float32[np.ndarray, "n 2 3"], step: Float32[np.ndarray, "n 6"]
) -> Float32[np.ndarray, "n 2 3"]:
    """`warps` after the inverse of the increment `step`."""
    shift = np.clip(step[:, :2], -_LARGEST_STEP_PX, _LARGEST_STEP_PX)
    linear = np.clip(step[:, 2:], -0.2, 0.2).reshape(-1, 2, 2) + np.eye(2, dtype=np.float32)
    result = warps.copy()
    result[:, :, :2] = warps[:, :, :2] @ np.linalg.inv(linear)
    result[:, :, 2] -= (result[:, :, :2] @ shift[:, :, None])[:, :, 0]
    return result
