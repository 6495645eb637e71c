"""What a step may not exceed: bounds lower <= u <= upper per channel, in normalised commands."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


class Bounds(NamedTuple):
    """Bounds of the step, and per channel which limit set them."""

    lower: Float[np.ndarray, " k"]
    upper: Float[np.ndarray, " k"]


@runtime_checkable
class Limit(Protocol):
    """Something a step may not exceed."""

    @property
    def name(self) -> str:
        """Name in reports of active limits."""
        ...

    def bounds(self) -> Bounds:
        """Bounds of the step."""
        ...


class CommandRange:
    """Keep set-points within the range: lower <= setpoint + u <= upper."""

    name = "range"

    def __init__(
        self,
        setpoint: Float[np.ndarray, " k"],
        lower: Float[np.ndarray, " k"],
        upper: Float[np.ndarray, " k"],
    ) -> None:
        """All normalised; `setpoint` is what the step starts from."""
        self._bounds = Bounds(lower - setpoint, upper - setpoint)

    def bounds(self) -> Bounds:
        """See `Limit`."""
        return self._bounds


class CommandRate:
    """Keep the step within `max_step` of `center` (zero: of where it starts)."""

    name = "rate"

    def __init__(
        self, max_step: Float[np.ndarray, " k"], center: Float[np.ndarray, " k"] | None = None
    ) -> None:
        """`max_step` is the largest change per channel [normalised], not negative."""
        middle = np.zeros_like(max_step) if center is None else center
        self._bounds = Bounds(middle - max_step, middle + max_step)

    def bounds(self) -> Bounds:
        """See `Limit`."""
        return self._bounds


def combine(limits: Sequence[Limit], channels: int) -> Bounds:
    """Intersection of the limits; where two contradict each other, the later one wins.

    So a set-point found outside its range returns to it no faster than a rate limit listed after.
    """
    lower, upper = np.full(channels, -np.inf), np.full(channels, np.inf)
    for limit in limits:
        low, high = limit.bounds()
        # Written so that a NaN bound reaches the result, where `solve` refuses it.
        lower = np.minimum(np.maximum(lower, low), high)
        upper = np.minimum(np.maximum(upper, low), high)
    return Bounds(lower, upper)


def active(
    limits: Sequence[Limit], u: Float[np.ndarray, " k"], tolerance: float = 1e-9
) -> tuple[str, ...]:
    """Per channel the name of the limit that the step stands at; empty where it is free."""
    names = [""] * len(u)
    for limit in limits:
        low, high = limit.bounds()
        for channel in np.flatnonzero((u <= low + tolerance) | (u >= high - tolerance)):
            names[channel] = limit.name
    return tuple(names)
