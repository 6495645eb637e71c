"""From a device's own clock to this computer's."""

from collections import deque

WINDOW = 300  # arrivals that are remembered; at 30 Hz ten seconds, in which clocks drift 1 ms
RESET_S = 1.0  # a step of the offset that no delay explains: the device's clock began anew


class ClockMap:
    """Maps a device's stamps to the monotonic clock by the fastest arrivals.

    An image arrives at `t = stamp + offset + delay`, delay > 0. The smallest of the last
    differences `t - stamp` is therefore the best estimate of the offset: late by the smallest
    delay, and free of the delays' scatter.
    """

    def __init__(self) -> None:
        self._differences_s: deque[float] = deque(maxlen=WINDOW)

    def monotonic_s(self, stamp_s: float, arrived_s: float) -> float:
        """The monotonic time [s] of a device's stamp [s] that arrived at `arrived_s` [s]."""
        difference_s = arrived_s - stamp_s
        if self._differences_s and abs(difference_s - min(self._differences_s)) > RESET_S:
            self._differences_s.clear()
        self._differences_s.append(difference_s)
        return stamp_s + min(self._differences_s)
