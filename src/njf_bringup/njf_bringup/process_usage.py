"""Memory and processor time of a process, from the kernel's own accounts. Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessUsage:
    """What a process holds now, and what all its threads have used since it began.

    Attributes:
        rss_bytes: memory in RAM that is its own; pages shared with other processes are left out,
            as those of images in shared memory would be counted once for each of them.
        cpu_s: user and system time [s].
    """

    rss_bytes: int
    cpu_s: float


def process_usage(pid: int, proc: Path = Path("/proc")) -> ProcessUsage | None:
    """Read /proc/<pid>; None when there is no such process. Fields: see proc(5)."""
    try:
        statm = (proc / str(pid) / "statm").read_text().split()
        stat = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    resident, shared = int(statm[1]), int(statm[2])
    after_name = stat.rpartition(")")[2].split()  # a name may hold spaces and brackets
    ticks = int(after_name[11]) + int(after_name[12])  # utime, stime
    return ProcessUsage((resident - shared) * _PAGE_BYTES, ticks / _TICKS_PER_S)
