"""A dataset at a glance: one row of pictures per camera."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from njf_training.dataset import Dataset


def contact_sheet(dataset: Dataset) -> UInt8[np.ndarray, "h w 3"]:
    """One row per camera: background, three states with the mask's outline, flow of a pair."""
    chosen = np.linspace(0, len(dataset.commands) - 1, 3).round().astype(int).tolist()
    pair = len(dataset.pairs) // 2
    rows = []
    for camera in range(len(dataset.cameras)):
        tiles = [dataset.background[camera]]
        tiles += [
            _outlined(dataset.images[s, camera], dataset.mask(int(s), camera)) for s in chosen
        ]
        tiles.append(flow_colors(np.asarray(dataset.flow[pair, camera], np.float32)))
        rows.append(np.hstack([cv2.resize(tile, (320, 240)) for tile in tiles]))
    return np.vstack(rows)


def _outlined(
    image: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    return cv2.drawContours(np.array(image), contours, -1, (0, 255, 0), 1)


def flow_colors(flow: Float[np.ndarray, "h w 2"]) -> UInt8[np.ndarray, "h w 3"]:
    """Hue is direction, brightness is length relative to the longest; grey is unknown."""
    known = np.isfinite(flow[..., 0])
    length = np.linalg.norm(np.nan_to_num(flow), axis=-1)
    angle = np.arctan2(np.nan_to_num(flow[..., 1]), np.nan_to_num(flow[..., 0]))
    hsv = np.full((*known.shape, 3), 255, np.uint8)
    hsv[..., 0] = ((angle + np.pi) / (2 * np.pi) * 179).astype(np.uint8)
    hsv[..., 2] = (255 * length / max(float(length.max()), 1e-6)).astype(np.uint8)
    colors = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    colors[~known] = 128
    return colors
