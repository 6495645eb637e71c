"""A ROS domain that no other run on this computer is in."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TextIO

# Above 101 the ports of DDS reach into those that Linux gives to anybody (docs.ros.org, "The
# ROS_DOMAIN_ID"); 0 is everybody's default.
DOMAINS = range(1, 102)

_held: dict[int, TextIO] = {}  # open files keep their locks until the process ends


def take_free_domain(folder: Path | None = None) -> int:
    """A domain that stays this process's own until it ends, however it ends.

    Numbers by chance are shared soon: of ten runs at once, two meet in every third case, and nodes
    of the same name then answer each other's calls. So a domain is taken by locking a file.

    Args:
        folder: where the files lie; None: the computer's temporary folder.

    Returns:
        The domain; where all are taken, one by chance.
    """
    folder = folder or Path(tempfile.gettempdir())
    first = os.getpid() % len(DOMAINS)
    for step in range(len(DOMAINS)):
        domain = DOMAINS[(first + step) % len(DOMAINS)]
        if domain not in _held and _take(domain, folder / f"njf_ros_domain_{domain}.lock"):
            return domain
    return DOMAINS[first]


def _take(domain: int, path: Path) -> bool:
    """Lock the file of a domain; false when another process has it, or another user."""
    try:
        file = path.open("w")
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _held[domain] = file
    return True
