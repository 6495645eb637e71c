"""Films what the control camera sees, every image of it with its time."""

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from njf_bringup.demo.results import Picture
from njf_bringup.nodes.onlooker import SILENCE_S, Onlooker
from njf_perception.errors import StaleDataError
from njf_perception.video_file import write_video

_MEASURED = 8  # images by which the camera's rate is told
_POLL_S = 0.05


def film(
    client: Onlooker,
    path: Path,
    enough: Callable[[], bool],
    on_image: Callable[[float], None] = lambda time_s: None,
) -> list[float]:
    """Write a video until `enough` says so, and never less than a few images.

    Args:
        client: sees the robot.
        path: video file, .avi.
        enough: asked again and again.
        on_image: gets the time since the first image [s] with every image.

    Returns:
        When each image was taken, since the first one [s].

    Raises:
        StaleDataError: no more images come.
        DataError: the file cannot be written.
    """
    arrivals = _Arrivals()
    stamps_ns: list[int] = []

    def images(first: list[Picture]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        waiting = list(first)
        while waiting or not enough():
            picture = waiting.pop(0) if waiting else arrivals.next()
            if picture is None or (stamps_ns and picture.stamp_ns <= stamps_ns[-1]):
                continue
            stamps_ns.append(picture.stamp_ns)
            on_image((picture.stamp_ns - stamps_ns[0]) * 1e-9)
            yield picture.image

    path.parent.mkdir(parents=True, exist_ok=True)
    with client.every_picture(arrivals.take):
        first: list[Picture] = []
        while len(first) < _MEASURED:
            picture = arrivals.next()
            first += [picture] if picture is not None else []
        write_video(path, images(first), _rate_hz(first))
    return [(stamp - stamps_ns[0]) * 1e-9 for stamp in stamps_ns]


class _Arrivals:
    """Hands pictures from the node's thread to the one that writes them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Picture] = queue.SimpleQueue()
        self._newest_s = time.monotonic()

    def take(self, picture: Picture) -> None:
        """Another one has come."""
        self._newest_s = time.monotonic()
        self._queue.put(picture)

    def next(self) -> Picture | None:
        """The oldest one left; None when none is there yet. Raises StaleDataError."""
        try:
            return self._queue.get(timeout=_POLL_S)
        except queue.Empty:
            if time.monotonic() - self._newest_s > SILENCE_S:
                raise StaleDataError(
                    f"no camera image came for {SILENCE_S:g} s. See whether the camera runs."
                ) from None
            return None


def _rate_hz(pictures: list[Picture]) -> float:
    """Images per second; the middle of the gaps, for some are lost on a busy machine."""
    gaps_ns = np.diff([picture.stamp_ns for picture in pictures])
    return float(np.clip(1e9 / max(float(np.median(gaps_ns)), 1.0), 1.0, 240.0))
