"""Whether a long run was steady: pure, on numbers that were sampled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

WARM_UP = 0.2  # of the run is left out: caches fill, models load
MOST_GROWTH = 0.05  # of a node's memory, from the first to the last quarter of the rest
LEAST_SAMPLES = 8  # of the rest
_FLOOR = 10  # percentile of a node's memory that it always has


@dataclass(frozen=True)
class Sample:
    """The graph at one moment.

    Attributes:
        time_s: since the start [s].
        rss_mb: memory of each node [MB].
        cpu_s: processor time of each node since it began [s].
        cycles: of the driver's loop, since it was configured.
        missed: deadlines that it missed.
        control_hz: the servo's rate; NaN between goals.
    """

    time_s: float
    rss_mb: dict[str, float]
    cpu_s: dict[str, float]
    cycles: int
    missed: int
    control_hz: float


@dataclass(frozen=True)
class SoakVerdict:
    """What came out; `troubles` is empty when all is well.

    Attributes:
        growth: of the floor of each node's memory, as a share of it.
        cpu_share: of one core, for each node.
        missed_share: of all deadlines of the driver.
        control_hz: median rate of the servo.
    """

    growth: dict[str, float]
    cpu_share: dict[str, float]
    missed_share: float
    control_hz: float
    troubles: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the run was steady."""
        return not self.troubles


def judge(samples: Sequence[Sample], most_missed: float) -> SoakVerdict:
    """Judge a run after its warm-up; `most_missed` is the allowed share of missed deadlines."""
    rest = after_warm_up(samples)
    if len(rest) < LEAST_SAMPLES:
        text = f"only {len(rest)} samples after the warm-up, expected {LEAST_SAMPLES}: run longer"
        return SoakVerdict({}, {}, math.nan, math.nan, [text])
    names = sorted(rest[-1].rss_mb)
    growth = {name: _growth(np.array([s.rss_mb.get(name, np.nan) for s in rest])) for name in names}
    elapsed_s = rest[-1].time_s - rest[0].time_s
    cpu = {n: (rest[-1].cpu_s[n] - rest[0].cpu_s.get(n, 0.0)) / elapsed_s for n in names}
    missed, cycles = rest[-1].missed - rest[0].missed, rest[-1].cycles - rest[0].cycles
    share = missed / (missed + cycles) if missed + cycles > 0 else math.nan
    rates = [s.control_hz for s in rest if math.isfinite(s.control_hz)]
    troubles = [
        f"{name} grew by {100 * value:.1f} % of its memory, allowed {100 * MOST_GROWTH:.0f} %"
        for name, value in growth.items()
        if not value <= MOST_GROWTH  # true for NaN, too
    ]
    if not share <= most_missed:
        troubles.append(
            f"the driver missed {100 * share:.2f} % of its deadlines, allowed "
            f"{100 * most_missed:.2f} %"
        )
    control_hz = float(np.median(rates)) if rates else math.nan
    return SoakVerdict(growth, cpu, share, control_hz, troubles)


def after_warm_up(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that count."""
    if not samples:
        return []
    begin_s = samples[0].time_s + WARM_UP * (samples[-1].time_s - samples[0].time_s)
    return [sample for sample in samples if sample.time_s >= begin_s]


def _growth(rss: Float[np.ndarray, " n"]) -> float:
    """From the floor of the first quarter to that of the last, as a share.

    The floor, because what an allocator borrows for one image and gives back is no growth, and
    what leaks raises it.
    """
    quarter = max(1, len(rss) // 4)
    first, last = (np.nanpercentile(part, _FLOOR) for part in (rss[:quarter], rss[-quarter:]))
    return float(last / first - 1.0)
