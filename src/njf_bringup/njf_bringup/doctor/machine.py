"""Cores, memory, disc and GPU."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from njf_bringup.doctor.check import Check
from njf_control.robot import RobotConfig

FEWEST_CORES = 2
SHARED_MEMORY_BYTES = 256 * 2**20  # five nodes with a 32 MB segment each, and room
FRAME_RATE_HZ = 15.0
PROBE_BYTES = 64 * 2**20


def cores() -> Check:
    """Enough cores for simulator, perception, Jacobian field and driver together."""
    count = len(os.sched_getaffinity(0))
    state = "ok" if count >= FEWEST_CORES else "failed"
    mend = f"run on a machine (or with a container limit) of {FEWEST_CORES} or more cores"
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


def disk(folder: Path, robot: RobotConfig) -> Check:
    """The disc takes all cameras as a raw stream."""
    needed = FRAME_RATE_HZ * 3 * sum(camera.width * camera.height for camera in robot.cameras)
    rate = write_rate(folder)
    state = "ok" if rate >= needed else "failed"
    detail = f"writes {rate / 1e6:.0f} MB/s in {folder}, all cameras need {needed / 1e6:.0f}"
    return Check("disk", state, detail, "njf record --out <a bag on a faster disc>")


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
