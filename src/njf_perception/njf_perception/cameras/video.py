"""A video file or a folder of images, played at its own rate as if it were a camera."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from njf_perception.cameras.base import CameraSource, EndOfVideoError, Grabbed
from njf_perception.cameras.freshness import Instant
from njf_perception.config import Config
from njf_perception.errors import ConfigError, DataError

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}
_MISSING_SHARE = 0.05  # of a video's images; more are missing than a wrong count explains


class VideoConfig(Config):
    """A video file or a folder of images to play."""

    source: Literal["video"] = "video"
    path: Path = Field(description="video file or folder of images, played in order of name; a bag")
    rate_hz: float | None = Field(
        default=None, gt=0, le=1000, description="images per second [Hz]; not set: its own"
    )
    loop: bool = Field(default=False, description="begin again at the end")
    width: int | None = Field(
        default=None, gt=0, le=8192, description="image width [px]; other images are refused"
    )
    height: int | None = Field(
        default=None, gt=0, le=8192, description="image height [px]; other images are refused"
    )


class VideoCamera(CameraSource):
    """Plays a recording; the acquisition time is when an image is shown. A folder has 15 Hz.

    Raises:
        ConfigError: nothing at the path that could be played.
    """

    def __init__(self, name: str, config: VideoConfig) -> None:
        self._config = config
        self._images = _folder(config.path) if config.path.is_dir() else []
        self._file = None if self._images else _opened(config.path)
        super().__init__(name, config.rate_hz or self._own_rate(), repeats_allowed=True)
        self._require(config.width, config.height)
        self._player = self._play()
        self._due_s: float | None = None

    def _own_rate(self) -> float:
        if self._file is None:
            return 15.0
        rate_hz = self._file.get(cv2.CAP_PROP_FPS)
        if not rate_hz > 0:
            raise ConfigError(f"{self._config.path}: states no rate. Give the parameter rate_hz.")
        return rate_hz

    def _grab(self) -> Grabbed:
        image = next(self._player, None)
        if image is None:
            raise EndOfVideoError(
                f"{self.name}: {self._config.path} is at its end. Set loop to play it again."
            )
        now_s = time.monotonic()
        due_s = now_s if self._due_s is None else max(self._due_s, now_s)
        self._stopping.wait(due_s - now_s)
        self._due_s = due_s + 1.0 / self.rate_hz
        return Grabbed(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), Instant.now())

    def _play(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """All images in order, for ever when looping."""
        yield from self._once()
        while self._config.loop:
            yield from self._once()

    def _once(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for path in self._images:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise DataError(f"{path}: not a readable image. Remove it or write it again.")
            yield image
        if self._file is not None:
            yield from self._frames(self._file)

    def _frames(self, file: cv2.VideoCapture) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        file.set(cv2.CAP_PROP_POS_FRAMES, 0)
        shown = 0
        while (read := file.read())[0]:
            shown += 1
            yield read[1]
        stated = file.get(cv2.CAP_PROP_FRAME_COUNT)
        if shown < (1 - _MISSING_SHARE) * stated:
            raise DataError(
                f"{self._config.path}: ends after {shown} of {stated:.0f} images: the file is cut "
                "off or damaged. Copy it again, or convert it with ffmpeg."
            )

    def _release(self) -> None:
        if self._file is not None:
            self._file.release()


def _folder(path: Path) -> list[Path]:
    images = sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGE_SUFFIXES)
    if not images:
        raise ConfigError(f"{path}: no images ({', '.join(sorted(_IMAGE_SUFFIXES))}) in it.")
    return images


def _opened(path: Path) -> cv2.VideoCapture:
    file = cv2.VideoCapture(str(path))
    if not file.isOpened():
        raise ConfigError(f"{path}: no video file or folder of images that could be played.")
    return file
