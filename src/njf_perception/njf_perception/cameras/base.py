"""What every camera source has in common: its own capture thread and one freshness contract."""

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from njf_perception.errors import NjfError, StaleDataError


class EndOfVideoError(StaleDataError):
    """A recorded source has shown its last image."""


@dataclass(frozen=True)
class Frame:
    """One image with its acquisition time.

    Attributes:
        image: RGB.
        wall_ns: acquisition time of the system clock [ns], for header stamps.
        monotonic_s: the same instant of the monotonic clock [s], for ages.
        sequence: 1 for the first image, then counting up without gaps.
    """

    image: UInt8[np.ndarray, "h w 3"]
    wall_ns: int
    monotonic_s: float
    sequence: int


class CameraSource(ABC):
    """A camera with a capture thread. Subclasses open their device before `start`.

    An image that repeats the one before bit by bit is no new image (a hung camera sends the same
    buffer for ever), unless `repeats_allowed`; it is counted and left out, so that a hung camera
    shows as stale.
    """

    def __init__(self, name: str, rate_hz: float, repeats_allowed: bool) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.dropped = 0  # images the device should have sent by its rate, and did not
        self.duplicates = 0
        self._repeats_allowed = repeats_allowed
        self._condition = threading.Condition()
        self._frame: Frame | None = None
        self._failure: NjfError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._capture, name=f"capture {name}", daemon=True)

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def close(self) -> None:
        """End the capture thread and release the device. Idempotent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._release()

    def read_latest(self, max_age_s: float) -> Frame:
        """The newest image, not older than `max_age_s`.

        Raises:
            StaleDataError: there is none so fresh (`EndOfVideoError`: and there will be none).
            DeviceNotConnectedError: the device is gone.
        """
        with self._condition:
            frame, failure = self._frame, self._failure
        if failure is not None:
            raise failure
        age_s = float("inf") if frame is None else time.monotonic() - frame.monotonic_s
        if frame is None or age_s > max_age_s:
            raise self._stale(age_s, max_age_s)
        return frame

    def wait_next(self, after: int, timeout_s: float) -> Frame:
        """The newest image with a sequence number above `after`, as soon as there is one.

        Raises:
            StaleDataError: none came in `timeout_s` (`EndOfVideoError`: and there will be none).
            DeviceNotConnectedError: the device is gone.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._newer(after) or self._failure, timeout_s)
            frame, failure = self._frame, self._failure
        if frame is not None and frame.sequence > after:
            return frame
        if failure is not None:
            raise failure
        age_s = float("inf") if frame is None else time.monotonic() - frame.monotonic_s
        raise self._stale(age_s, timeout_s)

    @abstractmethod
    def _grab(self) -> tuple[UInt8[np.ndarray, "h w 3"], int, float]:
        """Wait for an image; RGB with its wall time [ns] and monotonic time [s].

        Raises:
            NjfError: there will be no more images; ends the capture thread.
        """

    @abstractmethod
    def _release(self) -> None:
        """Close the device. Idempotent."""

    def _newer(self, after: int) -> bool:
        return self._frame is not None and self._frame.sequence > after

    def _stale(self, age_s: float, limit_s: float) -> StaleDataError:
        return StaleDataError(
            f"{self.name}: newest image is {age_s:.2f} s old, expected at most {limit_s:g} s "
            f"({self.duplicates} repeated images, {self.dropped} dropped). "
            "Check the camera's cable and its bandwidth."
        )

    def _capture(self) -> None:
        """Body of the capture thread."""
        while not self._stopping.is_set():
            try:
                image, wall_ns, monotonic_s = self._grab()
            except NjfError as error:
                with self._condition:
                    self._failure = error
                    self._condition.notify_all()
                return
            self._accept(image, wall_ns, monotonic_s)

    def _accept(self, image: UInt8[np.ndarray, "h w 3"], wall_ns: int, monotonic_s: float) -> None:
        last = self._frame
        if last is not None and not self._repeats_allowed and np.array_equal(last.image, image):
            self.duplicates += 1
            return
        if last is not None:
            periods = (monotonic_s - last.monotonic_s) * self.rate_hz
            self.dropped += max(0, round(periods) - 1)
        sequence = 1 if last is None else last.sequence + 1
        with self._condition:
            self._frame = Frame(image, wall_ns, monotonic_s, sequence)
            self._condition.notify_all()
