"""What is drawn over the camera's picture, as SVG in pixels of the image."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from njf_control.visualization.overlay import GOAL, LINK, NOW, PREDICTED, Aim

Pair = tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]

_DRAFT = (255, 255, 255)
_LEAST_PX = 0.5  # a shorter arrow says nothing


def overlay_svg(
    aim: Aim | None,
    drafts: Sequence[Pair],
    motion: tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]] | None,
) -> str:
    """The running goal, the drags that are not sent yet, and what the sliders would move.

    Args:
        aim: tracked points and their targets.
        drafts: begin and end of each drag (u, v) [px].
        motion: pixels, and their motion under the sliders' command [px].
    """
    parts = []
    if motion is not None:
        parts += [
            _arrow(begin, begin + step, PREDICTED, 1.0, 0.9)
            for begin, step in zip(*motion, strict=True)
            if np.linalg.norm(step) > _LEAST_PX
        ]
    if aim is not None:
        parts += _aim(aim)
    for number, (begin, end) in enumerate(drafts, 1):
        parts += _draft(number, begin, end)
    return "".join(parts)


def _aim(aim: Aim) -> list[str]:
    shown = aim.visible & np.isfinite(aim.target_px).all(axis=1)
    pairs = list(zip(aim.now_px[shown], aim.target_px[shown], strict=True))
    lines = [_line(now, target, LINK, 1.0) for now, target in pairs]
    targets = [_dot(target, 2.2, GOAL) for _, target in pairs]
    return [*lines, *targets, *[_dot(now, 2.2, NOW) for now, _ in pairs]]


def _draft(number: int, begin: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]) -> list[str]:
    u, v = end + 0.5
    text = (
        f'<text x="{u + 5:.1f}" y="{v - 5:.1f}" font-size="10" font-weight="bold" fill="white" '
        f'stroke="black" stroke-width="2" paint-order="stroke">{number}</text>'
    )
    return [
        _arrow(begin, end, (0, 0, 0), 3.5, 0.5),
        _dot(begin, 3.5, (0, 0, 0), 0.5),
        _arrow(begin, end, _DRAFT, 1.6, 1.0),
        _dot(begin, 2.5, NOW),
        text,
    ]


def _arrow(
    begin: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    color: tuple[int, int, int],
    width: float,
    opacity: float,
) -> str:
    """A shaft and two strokes for the head; SVG's pixel (0, 0) begins where ours has its middle."""
    way = end - begin
    length = float(np.linalg.norm(way))
    if length == 0.0:
        return ""
    head = min(6.0, 0.4 * length) * way / length
    side = np.array([-head[1], head[0]])
    left, right = end - head + 0.6 * side, end - head - 0.6 * side
    path = " L".join(_at(point) for point in (begin, end))
    path += f" M{_at(left)} L{_at(end)} L{_at(right)}"
    return (
        f'<path d="M{path}" fill="none" stroke="{_rgb(color)}" stroke-width="{width}" '
        f'stroke-opacity="{opacity}" stroke-linecap="round"/>'
    )


def _line(
    begin: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    color: tuple[int, int, int],
    width: float,
) -> str:
    path = f"M{_at(begin)} L{_at(end)}"
    return f'<path d="{path}" stroke="{_rgb(color)}" stroke-width="{width}"/>'


def _dot(
    center: Float[np.ndarray, "2"],
    radius: float,
    color: tuple[int, int, int],
    opacity: float = 1.0,
) -> str:
    u, v = center + 0.5
    return (
        f'<circle cx="{u:.1f}" cy="{v:.1f}" r="{radius}" fill="{_rgb(color)}" '
        f'fill-opacity="{opacity}"/>'
    )


def _at(point: Float[np.ndarray, "2"]) -> str:
    u, v = point + 0.5
    return f"{u:.1f} {v:.1f}"


def _rgb(color: tuple[int, int, int]) -> str:
    red, green, blue = color
    return f"rgb({red},{green},{blue})"
