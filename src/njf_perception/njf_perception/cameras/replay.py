"""Images of one topic of an MCAP bag, played at their recorded rate or another."""

import time
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from njf_perception.bag import BagMessage, BagReader, header_stamp_ns
from njf_perception.cameras.base import CameraSource, EndOfVideoError, Grabbed, RestartedError
from njf_perception.cameras.freshness import Instant
from njf_perception.config import Config
from njf_perception.errors import ConfigError, DataError
from njf_perception.message_image import (
    COMPRESSED_TYPE,
    IMAGE_TYPE,
    decode_compressed,
    decode_image,
)

_DECODERS = {IMAGE_TYPE: decode_image, COMPRESSED_TYPE: decode_compressed}
_RATE_SAMPLES = 20  # first images that say what the recorded rate is
_LONGEST_PAUSE_S = 1.0  # a recording that paused, or whose clock leapt, goes on after this


class BagConfig(Config):
    """A recorded image topic to play."""

    source: Literal["bag"] = "bag"
    path: Path = Field(description="bag folder or .mcap file; a video file; a folder of images")
    topic: str = Field(
        min_length=1, description="image topic of the bag to play, Image or CompressedImage"
    )
    rate_hz: float | None = Field(
        default=None, gt=0, le=1000, description="images per second [Hz]; not set: as recorded"
    )
    loop: bool = Field(default=False, description="begin again at the end")
    width: int | None = Field(
        default=None, gt=0, le=8192, description="image width [px]; other images are refused"
    )
    height: int | None = Field(
        default=None, gt=0, le=8192, description="image height [px]; other images are refused"
    )
    keep_stamps: bool = Field(
        default=False, description="stamp images with the recorded time instead of the present"
    )


class BagCamera(CameraSource):
    """Plays a recorded image topic.

    An image's time is when it is shown, or the recorded acquisition time with `keep_stamps`: then
    images that go back in time are left out, and `use_sim_time` is what the other nodes need.

    Raises:
        ConfigError: no such topic in the bag, or no images on it; the message lists those there
            are.
        DataError: no bag at the path.
    """

    def __init__(self, name: str, config: BagConfig) -> None:
        self._config = config
        first = self._first_stamps_ns()
        rate_hz = config.rate_hz or _rate_hz(first)
        super().__init__(name, rate_hz, repeats_allowed=True, recorded=config.keep_stamps)
        self._require(config.width, config.height)
        self._reader = BagReader(config.path)
        self._messages = self._reader.messages([config.topic])
        self._shown = 0
        self._due_s: float | None = None
        self._last_ns: int | None = None

    def _first_stamps_ns(self) -> list[int]:
        """Recorded stamps [ns] of the first images; looks through the bag for the topic."""
        topic, types, stamps = self._config.topic, dict[str, str](), list[int]()
        for message in BagReader(self._config.path).messages():
            types[message.topic] = message.type_name
            if message.topic == topic and message.type_name in _DECODERS:
                stamps.append(header_stamp_ns(message.data))
            if len(stamps) == _RATE_SAMPLES:
                break
        if not stamps:
            found = f"is of type {types[topic]}" if topic in types else "is not in the bag"
            images = sorted(name for name, kind in types.items() if kind in _DECODERS)
            raise ConfigError(
                f"{self._config.path}: topic '{topic}' {found}. Name one of its image topics: "
                f"{', '.join(images) or 'it has none'}."
            )
        return stamps

    def _grab(self) -> Grabbed:
        message = next(self._messages, None)
        if message is None:
            self._end()
        recorded_ns = header_stamp_ns(message.data)
        image = self._decoded(message)
        self._wait(recorded_ns)
        self._shown += 1
        now = Instant.now()
        kept = self._config.keep_stamps
        return Grabbed(image, Instant(recorded_ns, now.monotonic_s) if kept else now)

    def _decoded(self, message: BagMessage) -> UInt8[np.ndarray, "h w 3"]:
        try:
            decoded = self._reader.decode(message)
        except DataError as error:
            raise DataError(
                f"image {self._shown + 1} of {message.topic} is damaged: {error}"
            ) from None
        return _DECODERS[message.type_name](decoded, message.topic)

    def _wait(self, recorded_ns: int) -> None:
        """Until the next image is due, by its recorded stamp or the given rate."""
        last_ns, self._last_ns = self._last_ns, recorded_ns
        now_s = time.monotonic()
        if last_ns is None or self._due_s is None:
            self._due_s = now_s
            return
        pause_s = (recorded_ns - last_ns) * 1e-9
        if self._config.rate_hz:
            pause_s = 1.0 / self._config.rate_hz
        self._due_s = max(self._due_s + min(max(pause_s, 0.0), _LONGEST_PAUSE_S), now_s)
        self._stopping.wait(self._due_s - now_s)

    def _end(self) -> NoReturn:
        config = self._config
        if not self._reader.complete:
            raise DataError(
                f"{self.name}: {config.path} was not closed properly; it breaks off after "
                f"{self._shown} images of {config.topic}. Copy or record it again."
            )
        if not config.loop:
            raise EndOfVideoError(
                f"{self.name}: {config.path} is at its end. Set loop to play it again."
            )
        self._messages, self._last_ns = self._reader.messages([config.topic]), None
        raise RestartedError

    def _release(self) -> None:
        self._messages.close()


def _rate_hz(stamps_ns: list[int]) -> float:
    """Rate [Hz] of recorded stamps, robust against a pause; 15 for a single image."""
    gaps_s = np.diff(np.array(stamps_ns, np.int64)) * 1e-9
    gaps_s = gaps_s[gaps_s > 0]
    return float(np.clip(1.0 / np.median(gaps_s), 0.1, 1000.0)) if len(gaps_s) else 15.0
