"""Cores, memory, disc and GPU."""

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from njf_bringup.doctor.check import Check
from njf_control.robot import RobotConfig

FEWEST_CORES = 2
SHARED_MEMORY_BYTES = 256 * 2**20  # five nodes with a 32 MB segment each, and room
RGB_BYTES, DEPTH_BYTES = 3, 2  # per pixel
PROBE_BYTES = 64 * 2**20


def cores() -> Check:
    """Enough cores for simulator, perception, Jacobian field and driver together."""
    count = len(os.sched_getaffinity(0))
    state = "ok" if count >= FEWEST_CORES else "failed"
    mend = f"nproc --all   # {FEWEST_CORES} or more? Then raise taskset's or the container's limit"
    return Check("cores", state, f"{count}, load {os.getloadavg()[0]:.1f}", mend)


def shared_memory() -> Check:
    """/dev/shm holds the image segments of all nodes."""
    free = shutil.disk_usage("/dev/shm").free
    state = "ok" if free >= SHARED_MEMORY_BYTES else "failed"
    detail = f"{free / 2**20:.0f} MB free in /dev/shm, wants {SHARED_MEMORY_BYTES / 2**20:.0f}"
    return Check("shared memory", state, detail, "rm /dev/shm/fastrtps_*   # docker: --shm-size=1g")


def gpu(nvidia: Path = Path("/proc/driver/nvidia/version")) -> Check:
    """A GPU is welcome, never needed; one that lies idle is told."""
    import torch

    if torch.cuda.is_available():
        return Check("gpu", "ok", torch.cuda.get_device_name(0))
    if nvidia.exists():
        detail = f"NVIDIA's driver is here, but torch {torch.__version__} cannot use it"
        return Check("gpu", "failed", detail, "pip install --force-reinstall torch; nvidia-smi")
    return Check("gpu", "note", "none; everything runs on the CPU")


def raw_bytes_s(robot: RobotConfig, rates_hz: Mapping[str, float], other_hz: float) -> float:
    """What a bag of raw images of all cameras, and of depth where they have it, takes [byte/s].

    `rates_hz` are the cameras' by their names, `other_hz` that of those which are not among them.
    """
    return sum(
        rates_hz.get(camera.name, other_hz)
        * camera.width
        * camera.height
        * (RGB_BYTES + (DEPTH_BYTES if camera.depth else 0))
        for camera in robot.cameras
    )


def disk(folder: Path, needed_bytes_s: float) -> Check:
    """The disc takes all cameras as a raw stream, of `needed_bytes_s` [byte/s]."""
    elsewhere = "njf record --out /path/on/a/faster/disk/bag"
    try:
        rate = write_rate(folder)
    except OSError as error:
        here = shlex.quote(str(folder))
        mend = f"{elsewhere}   # or mend this one: df -h {here}; ls -ld {here}"
        return Check("disk", "failed", f"{folder} cannot be written: {error}", mend)
    state = "ok" if rate >= needed_bytes_s else "failed"
    needs = f"all cameras, raw, need {needed_bytes_s / 1e6:.0f}"
    return Check("disk", state, f"writes {rate / 1e6:.0f} MB/s in {folder}, {needs}", elsewhere)


def write_rate(folder: Path) -> float:
    """Measured rate of writing through to the disc in `folder` [byte/s]."""
    block = os.urandom(2**20)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        begin = time.monotonic()
        for _ in range(PROBE_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return PROBE_BYTES / (time.monotonic() - begin)
