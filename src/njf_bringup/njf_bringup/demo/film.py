"""The animated picture of some goals."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from njf_bringup.demo.overlay import draw
from njf_bringup.demo.results import TrialRecord
from njf_perception.errors import DataError

LARGEST_BYTES = 2_000_000
SLOW_MOTION = 2.0  # a motion is over in a second or two; the eye wants longer
HOLD_MS = 700  # at both ends of each goal
# Width [px], colours and stride, from good to small; the first that fits is taken.
QUALITIES = ((480, 255, 1), (400, 128, 1), (400, 64, 2), (320, 64, 2), (320, 32, 3), (240, 32, 4))


def write_gif(path: Path, records: Sequence[TrialRecord]) -> None:
    """Write the films of `records` as one GIF of at most 2 MB.

    Raises:
        DataError: no record has a film.
    """
    frames = [frame for record in records if record.film for frame in _frames(record)]
    if not frames:
        raise DataError("no goal was filmed, so there is nothing to show in servo.gif.")
    for width, colours, stride in QUALITIES:
        _write(path, _strided(frames, stride), width, colours)
        if path.stat().st_size <= LARGEST_BYTES:
            return


_Frame = tuple[UInt8[np.ndarray, "h w 3"], float]  # picture, duration [ms]


def _frames(record: TrialRecord) -> list[_Frame]:
    """Drawn pictures with their durations."""
    film = record.film
    gaps_ms = [SLOW_MOTION * (b.stamp_ns - a.stamp_ns) / 1e6 for a, b in pairwise(film)]
    durations_ms = [min(gap_ms, HOLD_MS) for gap_ms in gaps_ms] + [HOLD_MS]
    durations_ms[0] = HOLD_MS
    begin_px = max((p.error_px for p in film if np.isfinite(p.error_px)), default=float("nan"))
    return [
        (draw(picture, record.goal, begin_px), duration_ms)
        for picture, duration_ms in zip(film, durations_ms, strict=True)
    ]


def _strided(frames: list[_Frame], stride: int) -> list[_Frame]:
    """Every `stride`-th frame, shown as long as those it stands for."""
    groups = [frames[i : i + stride] for i in range(0, len(frames), stride)]
    return [(group[-1][0], sum(duration for _, duration in group)) for group in groups]


def _write(path: Path, frames: list[_Frame], width: int, colours: int) -> None:
    """One palette for all frames, no dithering: what does not move stays the same pixel."""
    images = [_shrunk(frame, width) for frame, _ in frames]
    palette = _palette(_mosaic(images), colours)
    indexed = [i.quantize(palette=palette, dither=Image.Dither.NONE) for i in images]
    indexed[0].save(
        path,
        save_all=True,
        append_images=indexed[1:],
        duration=[round(duration) for _, duration in frames],
        loop=0,
        optimize=True,
    )


def _palette(picture: Image.Image, colours: int) -> Image.Image:
    """Half of the colours by how common they are, half so that rare ones are met, too."""
    half = colours // 2
    entries: list[int] = []
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE):
        entries += (picture.quantize(half, method).getpalette() or [])[: 3 * half]
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries)
    return palette


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
