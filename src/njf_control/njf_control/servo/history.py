"""Which set-point was in effect when: what an image shows answers an older command."""

import bisect
from collections import deque

import numpy as np
from jaxtyping import Float

_CLOCK_SET_BACK_NS = 1_000_000_000


class SetpointHistory:
    """Applied set-points by time stamp, for the last `capacity` driver cycles."""

    def __init__(self, capacity: int = 256) -> None:
        self._stamps_ns: deque[int] = deque(maxlen=capacity)
        self._setpoints: deque[Float[np.ndarray, " k"]] = deque(maxlen=capacity)

    def add(self, stamp_ns: int, setpoint: Float[np.ndarray, " k"]) -> bool:
        """Append what was handed to the hardware at `stamp_ns`; whether it was taken.

        A stamp that is a little older came out of order and is ignored. One that is much older
        means that the clock was set back: the history begins anew.
        """
        if self._stamps_ns and stamp_ns <= self._stamps_ns[-1]:
            if self._stamps_ns[-1] - stamp_ns < _CLOCK_SET_BACK_NS:
                return False
            self._stamps_ns.clear()
            self._setpoints.clear()
        self._stamps_ns.append(stamp_ns)
        self._setpoints.append(setpoint)
        return True

    def __bool__(self) -> bool:
        """Whether any set-point is known."""
        return bool(self._setpoints)

    @property
    def newest(self) -> Float[np.ndarray, " k"]:
        """The set-point in effect now.

        Raises:
            LookupError: nothing was applied yet.
        """
        return self._setpoints[-1] if self._setpoints else self.at(0)

    def at(self, stamp_ns: int) -> Float[np.ndarray, " k"]:
        """The set-point in effect at `stamp_ns`; the oldest known for earlier times.

        Raises:
            LookupError: nothing was applied yet.
        """
        if not self._setpoints:
            raise LookupError("no set-point was applied yet; wait for the driver")
        index = bisect.bisect_right(self._stamps_ns, stamp_ns) - 1
        return self._setpoints[max(index, 0)]
