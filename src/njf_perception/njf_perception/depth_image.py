"""Depth images as depth cameras send them, in metres."""

import numpy as np
from jaxtyping import Float, Float32, UInt16

MILLIMETRE_M = 1e-3


def depth_metres(
    values: UInt16[np.ndarray, "h w"] | Float32[np.ndarray, "h w"],
) -> Float32[np.ndarray, "h w"]:
    """Depth [m] of what a depth image holds, NaN where nothing was measured.

    REP 118: whole numbers are millimetres and 0 is unknown; floating-point numbers are metres and
    unknown where they are not finite. Depths of 0 and below are of nothing in either.
    """
    scale = MILLIMETRE_M if values.dtype == np.uint16 else 1.0
    depth = values.astype(np.float32) * np.float32(scale)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(np.nan))


def depth_at(
    depth_m: Float32[np.ndarray, "h w"], pixels: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Depth [m] at the pixel nearest to each (u, v); NaN where it is unknown or outside.

    Nothing is interpolated: between an edge and what is behind it there is no surface.
    """
    height, width = depth_m.shape
    u, v = np.rint(np.nan_to_num(pixels, nan=-1.0)).T
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    column, row = np.where(inside, u, 0).astype(int), np.where(inside, v, 0).astype(int)
    return np.where(inside, depth_m[row, column].astype(np.float64), np.nan)
