"""What colours mean: every channel has its own, the same in every picture and view."""

import colorsys

import numpy as np
from jaxtyping import Float

_GOLDEN = 0.61803398875  # hues that far apart stay distinct, however many there are
_AT_REST = 0.82  # grey of what no channel moves


def channel_color(channel: int) -> tuple[float, float, float]:
    """The channel's own colour, RGB 0..1."""
    return colorsys.hsv_to_rgb((0.02 + channel * _GOLDEN) % 1.0, 0.95, 0.80)


def influence_colors(influence: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n 3"]:
    """One colour per point: whose channel moves it, and how much. RGB 0..1.

    The channels' colours are mixed by the fourth powers of their influences: where several act,
    the strongest one shows. Pale grey does not move; full colour moves as much as anything does.

    Args:
        influence: how far each channel moves each point, in a unit that all channels share [m].
    """
    if not influence.size:
        return np.zeros((len(influence), 3))
    palette = np.array([channel_color(channel) for channel in range(influence.shape[1])])
    total = np.linalg.norm(influence, axis=1, keepdims=True)
    weights = (influence / np.maximum(total, 1e-12)) ** 4
    mixed = weights @ palette / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    share = total / max(float(np.quantile(total, 0.98)), 1e-12)
    return _AT_REST + np.clip(share, 0.0, 1.0) * (mixed - _AT_REST)
