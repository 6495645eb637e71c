"""A demonstration from its film: points on what moved, followed from beginning to end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from njf_bringup.goals.point_paths import FEWEST_POINTS, paths_of
from njf_bringup.goals.taught import TaughtGoal
from njf_control.servo.waypoints import track_video
from njf_perception.correspondence import changed_mask
from njf_perception.errors import DataError
from njf_perception.trackers.base import Tracks
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_perception.video_file import read_video, video_rate_hz

POINTS = 120  # that are followed
_CANDIDATES = 4 * POINTS  # many lie on what did not move, or are hidden later
_CHANGED = 16.0  # grey levels that count as a change; more than a camera's noise
_GROWN_PX = 3  # points lie off the mask's border, which leaves slim parts without any
_BACK_PX = 2.0  # from its beginning, for a point tracked there and back
_KEPT = 300  # images of a film that are tracked back
_MOVED_PX = 3.0  # a point that moved less says nothing

Image = UInt8[np.ndarray, "h w 3"]
Progress = Callable[[Iterable[Image], int], Iterable[Image]]


@dataclass(frozen=True)
class FilmFacts:
    """What one look at a film says.

    Attributes:
        first: its first image.
        last: its last image.
        images: how many there are.
        changed: pixels of the first image that ever looked different.
    """

    first: Image
    last: Image
    images: int
    changed: Bool[np.ndarray, "h w"]


def look_through(images: Iterable[Image]) -> FilmFacts:
    """Go through a film once.

    Raises:
        DataError: it has fewer than two images.
    """
    first = last = None
    count, changed = 0, np.zeros((0, 0), bool)
    for image in images:
        count, last = count + 1, image
        if first is None:
            first, changed = image, np.zeros(image.shape[:2], bool)
        else:
            changed |= changed_mask(first, image, _CHANGED)
    if first is None or last is None or count < 2:
        raise DataError(f"the film has {count} images; expected at least two. Record longer.")
    return FilmFacts(first, last, count, changed)


@dataclass(frozen=True)
class Demonstration:
    """What a film taught.

    Attributes:
        goal: the way of the points that were seen from its beginning to its end.
        kept: how many those were, before some were left out for being more than enough.
        moving: how many points moved at all; what has lost its points is not guided on its way.
    """

    goal: TaughtGoal
    kept: int
    moving: int


def demonstration(
    video: Path,
    times_s: Sequence[float] | None = None,
    points_px: Float32[np.ndarray, "n 2"] | None = None,
    note: str = "",
    progress: Progress = lambda images, count: images,
) -> Demonstration:
    """What a film shows.

    Args:
        video: film of the control camera.
        times_s: when its images were taken [s]; None: at the rate that the file states.
        points_px: points (u, v) of its first image to follow [px]; None: picked on what moved.
        note: anything that a person wants to know of it.
        progress: wraps the images that are gone through, of which there are so many.

    Raises:
        DataError: the film cannot be read, or too few points are seen to its end.
    """
    facts = look_through(read_video(video))
    stamps_s = times_s or (np.arange(facts.images) / video_rate_hz(video)).tolist()
    if points_px is None:
        begins = _picked(facts)
        frames, back_px = _there_and_back(video, facts.images, begins, progress)
        useful = np.flatnonzero(moved(frames) & frames[-1].visible & (back_px <= _BACK_PX))
    else:
        begins = _inside(facts.first, points_px)
        frames = track_video(progress(read_video(video), facts.images), begins, LucasKanadeTracker)
        useful = np.flatnonzero(frames[0].visible & frames[-1].visible)
    _require_enough(video, len(begins), len(useful))
    chosen = useful[:POINTS] if points_px is None else useful
    paths = paths_of(stamps_s, [_some(tracks, chosen) for tracks in frames])
    goal = TaughtGoal("demonstration", facts.first, facts.last, paths, video, note)
    return Demonstration(goal, len(useful), int(moved(frames).sum()))


def _there_and_back(
    video: Path, count: int, begins: Float32[np.ndarray, "n 2"], progress: Progress
) -> tuple[list[Tracks], Float32[np.ndarray, " n"]]:
    """Tracks through a film, and how far from its beginning a point is when tracked back [px].

    Background that the robot passes is dragged along at its edge; tracked back it stays on the
    robot. Infinite where a point is not seen.
    """
    kept: list[Image] = []
    stride = -(-count // _KEPT)

    def images() -> Iterator[Image]:
        for index, image in enumerate(progress(read_video(video), count)):
            if index % stride == 0 or index == count - 1:
                kept.append(image)
            yield image

    frames = track_video(images(), begins, LucasKanadeTracker)
    back = track_video(
        progress(kept[::-1], len(kept)), frames[-1].points.copy(), LucasKanadeTracker
    )
    seen = frames[0].visible & frames[-1].visible & back[-1].visible
    away_px = np.linalg.norm(back[-1].points - begins, axis=1)
    return frames, np.where(seen, away_px, np.inf).astype(np.float32)


def moved(frames: Sequence[Tracks]) -> Bool[np.ndarray, " n"]:
    """Points that moved while they were seen."""
    points = np.stack([tracks.points for tracks in frames])
    seen = np.stack([tracks.visible for tracks in frames])
    way_px = np.where(seen, np.linalg.norm(points - points[0], axis=2), 0).max(axis=0)
    return way_px >= _MOVED_PX


def _picked(facts: FilmFacts) -> Float32[np.ndarray, "n 2"]:
    kernel = np.ones((2 * _GROWN_PX + 1,) * 2, np.uint8)
    grown = cv2.dilate(facts.changed.astype(np.uint8), kernel).astype(bool)
    return pick_points(facts.first, grown, _CANDIDATES)


def _inside(image: Image, points_px: Float32[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n 2"]:
    height, width = image.shape[:2]
    for u, v in points_px.tolist():
        if not (0 <= u <= width - 1 and 0 <= v <= height - 1):
            raise DataError(
                f"point ({u:g}, {v:g}) px lies outside the film's image of {width} x {height} px. "
                "Give column,row of a pixel on the robot in the first image."
            )
    return points_px


def _some(tracks: Tracks, which: Int64[np.ndarray, " k"]) -> Tracks:
    return Tracks(tracks.points[which], tracks.visible[which], tracks.confidence[which])


def _require_enough(video: Path, begun: int, left: int) -> None:
    if left < FEWEST_POINTS:
        raise DataError(
            f"{left} of {begun} points are seen on what moves from the beginning of {video} to its "
            f"end; at least {FEWEST_POINTS} are needed. Film a slower or shorter motion of a "
            "textured part, or name points that stay in view with --points."
        )
