"""Camera pictures with what the robot is about drawn onto them."""

import cv2
import numpy as np
from jaxtyping import UInt8

from njf_bringup.demo.results import Picture

SCALE = 2  # drawings are finer than camera pixels
NOW, GOAL, LINK = (64, 224, 255), (255, 92, 138), (255, 214, 102)
GHOST_STRENGTH = 0.45
LARGEST_DRAWN = 60  # tracks; more would hide the robot
SHIFT = 4  # fractional bits of cv2's drawing coordinates


def draw(
    picture: Picture, goal: Picture, start_error_px: float | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """`picture` at twice its size, the goal as a ghost, tracks with the way left to their targets.

    With `start_error_px` a bar at the bottom shows the present error as a part of it.
    """
    canvas = enlarged(with_ghost(picture.image, goal.image))
    _draw_tracks(canvas, picture)
    if start_error_px is not None and np.isfinite(picture.error_px):
        _draw_bar(canvas, picture.error_px, start_error_px)
    return canvas


def with_ghost(
    image: UInt8[np.ndarray, "h w 3"], goal: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The goal picture shines through, in the goal's colour, where it differs."""
    difference = cv2.absdiff(image, goal).max(axis=2).astype(np.float32)
    weight = cv2.GaussianBlur(np.clip((difference - 12) / 40, 0, 1), (0, 0), 1.0)[..., None]
    tinted = 0.5 * goal.astype(np.float32) + 0.5 * np.array(GOAL, np.float32)
    mixed = image + GHOST_STRENGTH * weight * (tinted - image)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def enlarged(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """The picture at the size that is drawn on."""
    return cv2.resize(image, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)


def _draw_tracks(canvas: UInt8[np.ndarray, "h w 3"], picture: Picture) -> None:
    if picture.tracks is None or picture.targets is None:
        return
    rows = np.flatnonzero(picture.tracks.visible & picture.targets.visible)
    for row in rows[:: max(1, len(rows) // LARGEST_DRAWN)]:
        here, there = drawn_at(picture.tracks.points[row]), drawn_at(picture.targets.points[row])
        cv2.line(canvas, here, there, LINK, 1, cv2.LINE_AA, SHIFT)
        cv2.circle(canvas, there, 2 << SHIFT, GOAL, -1, cv2.LINE_AA, SHIFT)
        cv2.circle(canvas, here, 2 << SHIFT, NOW, -1, cv2.LINE_AA, SHIFT)


def _draw_bar(canvas: UInt8[np.ndarray, "h w 3"], error_px: float, start_px: float) -> None:
    height, width = canvas.shape[:2]
    top, left, right = height - 22, 12, width - 12
    part = float(np.clip(error_px / max(start_px, 1e-6), 0, 1))
    canvas[height - 34 :] = (0.35 * canvas[height - 34 :]).astype(np.uint8)
    cv2.rectangle(canvas, (left, top), (right - 120, top + 10), (90, 90, 90), -1)
    cv2.rectangle(canvas, (left, top), (left + int(part * (right - 120 - left)), top + 10), NOW, -1)
    text = f"{error_px:5.2f} px"
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, (right - 110, top + 11), font, 0.55, (255, 255, 255), 1, cv2.LINE_AA)


def drawn_at(pixel: np.ndarray) -> tuple[int, int]:
    """Camera pixel to drawing coordinates; pixel centres are integers in both images."""
    u, v = (pixel + 0.5) * SCALE - 0.5
    return round(float(u) * (1 << SHIFT)), round(float(v) * (1 << SHIFT))
