"""What colours mean in the pictures: direction of motion, and a channel's strength."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from njf_control.visualization.colors import channel_color


def flow_colors(flow: Float[np.ndarray, "h w 2"], largest_px: float) -> UInt8[np.ndarray, "h w 3"]:
    """Flow as colour: direction is hue, length is strength, white does not move."""
    length = np.nan_to_num(np.linalg.norm(flow, axis=-1)) / max(largest_px, 1e-9)
    angle = np.nan_to_num(np.arctan2(flow[..., 1], flow[..., 0]))
    hue = (angle + np.pi) / (2 * np.pi) * 179
    hsv = np.stack([hue, 255 * length.clip(0, 1), np.full_like(length, 255)], axis=-1)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def wheel(size: int = 120) -> UInt8[np.ndarray, "h w 3"]:
    """The legend of `flow_colors`: a place's colour means moving there from the middle."""
    v, u = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    flow = np.stack([u, v], axis=-1)
    inside = np.linalg.norm(flow, axis=-1) <= 1
    return flow_colors(np.where(inside[..., None], flow, 0.0), 1.0)


def sensitivity_image(
    photo: UInt8[np.ndarray, "h w 3"],
    strength: Float[np.ndarray, "h w"],
    cover: Float[np.ndarray, "h w"],
    channel: int,
) -> Float[np.ndarray, "h w 3"]:
    """Where a channel moves the image: its colour, over the dimmed photo.

    Args:
        photo: what the camera saw.
        strength: motion per command over the largest one, 0..1; 0 is white, 1 the full colour.
        cover: how much of the photo is painted over, 0..1: there is a surface.
        channel: whose colour.
    """
    dimmed = 0.45 * photo / 255 + 0.10
    share = strength.clip(0, 1)[..., None]
    paint = (1 - share) + share * np.array(channel_color(channel))
    return dimmed + cover.clip(0, 1)[..., None] * (paint - dimmed)
