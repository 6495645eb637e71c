"""What every camera source has in common: its own capture thread and one freshness contract."""

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8, UInt16

from njf_perception.cameras.calibration import Calibration
from njf_perception.cameras.freshness import Counters, Freshness, Instant
from njf_perception.errors import DataError, NjfError, StaleDataError


class EndOfVideoError(StaleDataError):
    """A recorded source has shown its last image."""


class RestartedError(NjfError):
    """A looping recording begins again; not an end. Raised by `_grab`, handled by the base."""


@dataclass(frozen=True)
class Grabbed:
    """What a device handed over.

    Attributes:
        image: RGB.
        taken: when the light fell on the sensor, as well as the source knows.
        depth_mm: depth aligned to the image and of its size [mm], 0 unknown; None: none.
    """

    image: UInt8[np.ndarray, "h w 3"]
    taken: Instant
    depth_mm: UInt16[np.ndarray, "h w"] | None = None


@dataclass(frozen=True)
class Frame:
    """One image with its acquisition time.

    Attributes:
        image: RGB.
        wall_ns: acquisition time of the system clock [ns], for header stamps.
        monotonic_s: the same instant of the monotonic clock [s], for ages.
        sequence: 1 for the first image, then counting up without gaps.
        depth_mm: depth aligned to the image [mm], 0 unknown; None: the camera measured none.
    """

    image: UInt8[np.ndarray, "h w 3"]
    wall_ns: int
    monotonic_s: float
    sequence: int
    depth_mm: UInt16[np.ndarray, "h w"] | None = None


class CameraSource(ABC):
    """A camera with a capture thread. Subclasses open their device before `start`.

    Only images that pass `Freshness` become frames, so a camera that hangs, or whose stamps go
    wrong, shows as stale. All images have the size of the first.

    Attributes:
        warnings: what the device ignored when it was opened; one sentence each.
        calibration: the device's own, for a camera that has one.
    """

    def __init__(
        self, name: str, rate_hz: float, repeats_allowed: bool, recorded: bool = False
    ) -> None:
        self.name = name
        self.rate_hz = rate_hz
        self.warnings: list[str] = []
        self.calibration: Calibration | None = None
        self._freshness = Freshness(rate_hz, repeats_allowed, recorded)
        self._condition = threading.Condition()
        self._frame: Frame | None = None
        self._require(None, None)
        self._failure: NjfError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._capture, name=f"capture {name}", daemon=True)

    @property
    def counters(self) -> Counters:
        """What was wrong with images so far."""
        return self._freshness.counters

    def trouble(self) -> str:
        """What is or was lately wrong with the images, in one sentence; mostly empty."""
        with self._condition:
            return self._freshness.trouble(time.monotonic())

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
    def _grab(self) -> Grabbed | None:
        """Wait for an image, for not much longer than a second; None: there was none.

        Raises:
            RestartedError: a recording begins again.
            NjfError: there will be no more images; ends the capture thread.
        """

    @abstractmethod
    def _release(self) -> None:
        """Close the device. Idempotent."""

    def _require(self, width: int | None, height: int | None) -> None:
        """From now on images are of this size [px]; None: whatever the first one has."""
        self._width, self._height = width, height

    def _newer(self, after: int) -> bool:
        return self._frame is not None and self._frame.sequence > after

    def _stale(self, age_s: float, limit_s: float) -> StaleDataError:
        why = self.trouble() or "nothing came"
        return StaleDataError(
            f"{self.name}: newest image is {age_s:.2f} s old, expected at most {limit_s:g} s "
            f"({why}). Check the camera's cable and its bandwidth."
        )

    def _capture(self) -> None:
        """Body of the capture thread."""
        while not self._stopping.is_set():
            try:
                grabbed = self._grab()
                if grabbed is not None:
                    self._accept(grabbed)
            except RestartedError:
                self._freshness.restart()
            except NjfError as error:
                return self._fail(error)
            except Exception as error:  # a driver's own; silence would hide it for ever
                return self._fail(
                    NjfError(f"{self.name}: capturing ended by {error!r}. Start the camera again.")
                )

    def _fail(self, error: NjfError) -> None:
        with self._condition:
            self._failure = error
            self._condition.notify_all()

    def _accept(self, grabbed: Grabbed) -> None:
        now = Instant.now()
        last, image, taken = self._frame, grabbed.image, grabbed.taken
        if last is not None:
            self._require(last.image.shape[1], last.image.shape[0])
        wanted = (self._height or image.shape[0], self._width or image.shape[1])
        if image.shape[:2] != wanted:
            raise DataError(
                f"{self.name}: an image is {image.shape[1]} x {image.shape[0]} px, expected "
                f"{wanted[1]} x {wanted[0]} as before or as configured. Give the camera one mode, "
                "or remove the odd images."
            )
        with self._condition:
            if not self._freshness.admit(image, taken, now):
                return
            sequence = 1 if last is None else last.sequence + 1
            self._frame = Frame(image, taken.wall_ns, taken.monotonic_s, sequence, grabbed.depth_mm)
            self._condition.notify_all()
