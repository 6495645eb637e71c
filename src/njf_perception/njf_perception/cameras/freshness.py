"""The one freshness contract: which images of a camera are news, and what was wrong with the rest.

Every image comes with the instant it was *taken*, on the computer's two clocks. An image is let
through only if it is new: not the one before over again, not older than the one before, not from
the future, and not too late. What is left out is counted by its reason and told while it is recent.
"""

import time
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

RECENT_S = 10.0  # so long trouble is told after it happened
LATE_S = 1.0  # an image that arrives so long after it was taken is no use to a controller
AHEAD_S = 0.05  # beyond what the mapping of a camera's clock may be wrong
CLOCK_JUMP_S = 0.1  # of the wall clock against the monotonic one, from image to image
LEAP_S = 10.0  # the same between the stamps of a recording and the time of their playing
DROPS_TOLD = 0.1  # share of the images of a recent while that has to be missing
DARK_LEVEL = 16  # of 255; a covered sensor's noise stays below
DARK_SHARE = 0.99  # of the pixels; a sensor has hot ones
_DARK_STRIDE = 8  # pixels looked at, per row and column
_READING_S = 0.001
_REASONS = {
    "duplicates": "repeated bit by bit (a hung camera)",
    "backwards": "taken before the one before (stamps go backwards)",
    "ahead": "stamped in the future (a clock jumped)",
    "late": f"taken more than {LATE_S:g} s before they arrived",
}


@dataclass(frozen=True)
class Instant:
    """One instant on both clocks: wall [ns], for header stamps; monotonic [s], for ages."""

    wall_ns: int
    monotonic_s: float

    @staticmethod
    def now() -> "Instant":
        """Both clocks, read without the thread being put aside in between."""
        for _ in range(5):
            begin_s, wall_ns, end_s = time.monotonic(), time.time_ns(), time.monotonic()
            if end_s - begin_s < _READING_S:
                break
        return Instant(wall_ns, end_s)

    def before(self, age_s: float) -> "Instant":
        """The instant `age_s` earlier."""
        return Instant(self.wall_ns - round(age_s * 1e9), self.monotonic_s - age_s)


@dataclass
class Counters:
    """What was wrong with images since the start; see `Freshness`."""

    dropped: int = 0  # the camera should have sent them by its rate, and did not
    duplicates: int = 0
    backwards: int = 0
    ahead: int = 0
    late: int = 0
    clock_jumps: int = 0
    dark: int = 0  # let through all the same


@dataclass
class Freshness:
    """Judges images one by one.

    Args:
        rate_hz: images the camera should take per second [Hz].
        repeats_allowed: equal images are news (a recording of a scene without noise).
        recorded: wall times are those of a recording: their age says nothing, their order does.
    """

    rate_hz: float
    repeats_allowed: bool = False
    recorded: bool = False
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._image: UInt8[np.ndarray, "h w 3"] | None = None
        self._taken: Instant | None = None
        self._offset_s: float | None = None  # wall clock less monotonic clock
        self._jump = (0.0, -np.inf)  # last jump of the wall clock [s], and when [monotonic s]
        self._recent: deque[tuple[float, str, int]] = deque()  # when [s], what, how many
        self._dark = False

    def admit(self, image: UInt8[np.ndarray, "h w 3"], taken: Instant, now: Instant) -> bool:
        """Whether the image is news."""
        reason = self._reject(image, taken, now)
        if reason is not None:
            self._count(reason, now)
            return False
        if self._taken is not None:
            periods = (taken.monotonic_s - self._taken.monotonic_s) * self.rate_hz
            self._count("dropped", now, max(0, round(periods) - 1))
        self._image, self._taken = image, taken
        self._dark = bool(np.mean(image[::_DARK_STRIDE, ::_DARK_STRIDE] < DARK_LEVEL) > DARK_SHARE)
        self._count("dark", now, int(self._dark))
        return True

    def restart(self) -> None:
        """A recording begins again: its stamps go back this once."""
        self._taken = self._offset_s = None

    def trouble(self, now_s: float) -> str:
        """One sentence about what is or was lately wrong, at a monotonic time [s]; mostly empty."""
        while self._recent and self._recent[0][0] < now_s - RECENT_S:
            self._recent.popleft()
        counts = {name: sum(n for _, what, n in self._recent if what == name) for name in _REASONS}
        told = [f"{n} images {_REASONS[name]}" for name, n in counts.items() if n]
        dropped = sum(n for _, what, n in self._recent if what == "dropped")
        if dropped > DROPS_TOLD * RECENT_S * self.rate_hz:
            told.append(f"{dropped} images missing: check cable and USB bandwidth")
        jump_s, jumped_s = self._jump
        if now_s - jumped_s < RECENT_S:
            whose = "the recording's stamps leapt" if self.recorded else "the clock was set"
            told.append(f"{whose} by {jump_s:+.3g} s")
        if self._dark:
            told.append("images are black: is the lens cap on, is there light?")
        return "; ".join(told)

    def _reject(
        self, image: UInt8[np.ndarray, "h w 3"], taken: Instant, now: Instant
    ) -> str | None:
        """Name of the counter of what is wrong with an image; None: nothing."""
        self._watch_clock(taken if self.recorded else now)
        repeated = self._image is not None and np.array_equal(self._image, image)
        if repeated and not self.repeats_allowed:
            return "duplicates"
        if self.recorded:
            last = self._taken
            return "backwards" if last and taken.wall_ns <= last.wall_ns else None
        if taken.monotonic_s > now.monotonic_s + AHEAD_S:
            return "ahead"
        if taken.monotonic_s < now.monotonic_s - LATE_S:
            return "late"
        went_back = self._taken and taken.monotonic_s <= self._taken.monotonic_s
        return "backwards" if went_back else None

    def _watch_clock(self, at: Instant) -> None:
        """Notice when the wall clock was set; in a recording, when its stamps leap."""
        offset_s = at.wall_ns * 1e-9 - at.monotonic_s
        known, self._offset_s = self._offset_s, offset_s
        least_s = LEAP_S if self.recorded else CLOCK_JUMP_S
        if known is None or abs(offset_s - known) < least_s:
            return
        self._jump = (offset_s - known, at.monotonic_s)
        self.counters.clock_jumps += 1

    def _count(self, what: str, now: Instant, number: int = 1) -> None:
        if number:
            setattr(self.counters, what, getattr(self.counters, what) + number)
            self._recent.append((now.monotonic_s, what, number))
