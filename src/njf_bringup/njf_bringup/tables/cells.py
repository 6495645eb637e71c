"""Figures as short texts; what was not measured says so."""

import math
from collections.abc import Mapping
from typing import Any

from njf_bringup.criteria import look_up

ABSENT = "not measured"


def with_interval(metrics: Mapping[str, Any], figure: str, digits: int, scale: float = 1.0) -> str:
    """A mean with its 95 % interval, such as "0.97 [0.96, 0.98]"."""
    mean, low, high = (look_up(metrics, f"{figure}.{key}") for key in ("mean", "low", "high"))
    if mean is None or low is None or high is None:
        return ABSENT
    return f"{_text(scale * mean, digits)} [{_text(scale * low, digits)}, " + (
        f"{_text(scale * high, digits)}]"
    )


def median(metrics: Mapping[str, Any], figure: str, digits: int) -> str:
    """A median with its 95 % interval."""
    middle = look_up(metrics, f"{figure}.median")
    low, high = (look_up(metrics, f"{figure}.median_{key}") for key in ("low", "high"))
    if middle is None or low is None or high is None:
        return ABSENT
    return f"{_text(middle, digits)} [{_text(low, digits)}, {_text(high, digits)}]"


def number(metrics: Mapping[str, Any], figure: str, digits: int = 0, scale: float = 1.0) -> str:
    """A single figure."""
    found = look_up(metrics, figure)
    return ABSENT if found is None else _text(scale * found, digits)


def percent(metrics: Mapping[str, Any], figure: str) -> str:
    """A share as a percentage."""
    found = look_up(metrics, figure)
    return ABSENT if found is None else f"{100 * found:.0f} %"


def _text(value: float, digits: int) -> str:
    return ABSENT if math.isnan(value) else f"{value:.{digits}f}"
