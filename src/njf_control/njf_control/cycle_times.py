"""How regularly a loop cycles. Pure: the caller owns the clock.

A deadline is missed when a cycle begins more than half a period late, and once more for each
further period. A cycle that begins early misses nothing: a fresh command may start one.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PeriodReport:
    """What became of the cycles since the last report. Times from one begin to the next [s]."""

    elapsed_s: float
    cycles: int
    missed: int
    median_s: float  # NaN without cycles, as the two below
    p99_s: float
    longest_s: float

    @property
    def rate_hz(self) -> float:
        """Cycles begun per second."""
        return self.cycles / self.elapsed_s if self.elapsed_s > 0.0 else 0.0


class CycleTimes:
    """Counts the cycles of one loop and its missed deadlines."""

    def __init__(self, period_s: float) -> None:
        """Judge by the nominal `period_s` [s]."""
        self.cycles = 0
        self.missed = 0
        self._period_s = period_s
        self._last_s: float | None = None
        self._reported = (0, 0)
        self._reported_s: float | None = None
        self._periods_s: list[float] = []

    def pause(self) -> None:
        """The loop stands still on purpose: the time until the next cycle counts for nothing."""
        self._last_s = self._reported_s = None
        self._periods_s.clear()
        self._reported = (self.cycles, self.missed)

    def add(self, now_s: float) -> None:
        """A cycle begins at monotonic `now_s` [s]."""
        if self._last_s is None:
            self._last_s, self._reported_s = now_s, now_s
            return
        period_s, self._last_s = now_s - self._last_s, now_s
        self.cycles += 1
        self.missed += missed_deadlines(period_s, self._period_s)
        self._periods_s.append(period_s)

    def report(self, now_s: float) -> PeriodReport:
        """What happened since the last report, at monotonic `now_s` [s]."""
        periods, self._periods_s = self._periods_s, []
        cycles, missed = self._reported
        elapsed_s = 0.0 if self._reported_s is None else now_s - self._reported_s
        self._reported = (self.cycles, self.missed)
        self._reported_s = None if self._last_s is None else now_s
        middle, p99 = np.percentile(periods, [50, 99]) if periods else (math.nan, math.nan)
        longest = max(periods, default=math.nan)
        return PeriodReport(
            elapsed_s,
            self.cycles - cycles,
            self.missed - missed,
            float(middle),
            float(p99),
            longest,
        )


def missed_deadlines(period_s: float, nominal_s: float) -> int:
    """Deadlines that passed in one period without a cycle [s]."""
    if not math.isfinite(period_s):
        return 0
    return max(0, math.floor(period_s / nominal_s - 0.5))
