"""The animated picture of some goals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from njf_bringup.demo.overlay import draw
from njf_bringup.demo.results import TrialRecord
from njf_perception.errors import DataError

LARGEST_BYTES = 2_000_000
LARGEST_RATE_HZ = 12.0
HOLD_MS = 700  # at the end of each goal
# From good to small; the first that fits is taken.
QUALITIES = ((480, 128, 1), (400, 96, 1), (400, 64, 2), (320, 64, 2), (320, 32, 3), (240, 32, 4))


def write_gif(path: Path, records: Sequence[TrialRecord]) -> None:
    """Write the films of `records` as one GIF of at most 2 MB.

    Raises:
        DataError: no record has a film.
    """
    frames = [frame for record in records for frame in _frames(record)]
    if not frames:
        raise DataError("no goal was filmed, so there is nothing to show in servo.gif.")
    for width, colours, stride in QUALITIES:
        _write(path, _strided(frames, stride), width, colours)
        if path.stat().st_size <= LARGEST_BYTES:
            return


_Frame = tuple[UInt8[np.ndarray, "h w 3"], float]  # picture, duration [ms]


def _frames(record: TrialRecord) -> list[_Frame]:
    """Drawn pictures with their durations; pictures that come too fast are left out."""
    film = record.film
    kept = film[:1]
    for picture in film[1:]:
        if (picture.stamp_ns - kept[-1].stamp_ns) * LARGEST_RATE_HZ >= 0.9e9:
            kept.append(picture)
    begin_px = film[0].error_px if film else 0.0
    durations = [1000 / LARGEST_RATE_HZ] * (len(kept) - 1) + [HOLD_MS]
    return [(draw(p, record.goal, begin_px), d) for p, d in zip(kept, durations, strict=False)]


def _strided(frames: list[_Frame], stride: int) -> list[_Frame]:
    """Every `stride`-th frame, shown as long as those it stands for."""
    groups = [frames[i : i + stride] for i in range(0, len(frames), stride)]
    return [(group[-1][0], sum(duration for _, duration in group)) for group in groups]


def _write(path: Path, frames: list[_Frame], width: int, colours: int) -> None:
    """One palette for all frames, no dithering: what does not move stays the same pixel."""
    images = [_shrunk(frame, width) for frame, _ in frames]
    palette = _mosaic(images).quantize(colours, Image.Quantize.MEDIANCUT)
    indexed = [i.quantize(palette=palette, dither=Image.Dither.NONE) for i in images]
    indexed[0].save(
        path,
        save_all=True,
        append_images=indexed[1:],
        duration=[round(duration) for _, duration in frames],
        loop=0,
        optimize=True,
    )


def _shrunk(frame: UInt8[np.ndarray, "h w 3"], width: int) -> Image.Image:
    height = round(width * frame.shape[0] / frame.shape[1])
    return Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)


def _mosaic(images: list[Image.Image]) -> Image.Image:
    """A few frames side by side, to choose colours from."""
    chosen = images[:: max(1, len(images) // 6)]
    width, height = chosen[0].size
    mosaic = Image.new("RGB", (width * len(chosen), height))
    for column, image in enumerate(chosen):
        mosaic.paste(image, (column * width, 0))
    return mosaic
