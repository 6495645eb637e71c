"""Point tracks of the published layout: `tracks` [N, T, 2] (u, v) [px] and `visibles` [N, T].

Axis T counts the frames of a trajectory from its first one. The number in a file's name says in
which frame the points were chosen; files with different numbers hold different points, and all are
used.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from njf_perception.errors import DataError


@dataclass(frozen=True)
class PointTracks:
    """Points of one file.

    Attributes:
        points: (u, v) [px] of the published image, sub-pixel.
        visible: whether the point is seen.
    """

    points: Float[np.ndarray, "n t 2"]
    visible: Bool[np.ndarray, "n t"]


def read_tracks(path: Path) -> PointTracks:
    """Read a file of point tracks.

    Raises:
        DataError: it is damaged or has other contents.
    """
    try:
        with np.load(path) as file:
            points, visible = file["tracks"], file["visibles"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: {error}; expected the arrays tracks and visibles. Download it again."
        ) from None
    if points.ndim != 3 or points.shape[2] != 2 or visible.shape != points.shape[:2]:
        raise DataError(
            f"{path}: tracks {points.shape} and visibles {visible.shape}, "
            "expected (N, T, 2) and (N, T)."
        )
    return PointTracks(points.astype(np.float64), visible.astype(bool))


def motion(
    files: list[PointTracks], before: int, after: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Points seen in both frames, counted from the trajectory's first: there and then [px].

    A file that ends earlier has none.
    """
    starts, ends = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for file in files:
        if max(before, after) < file.points.shape[1]:
            pair = file.points[:, [before, after]]
            seen = file.visible[:, [before, after]].all(1) & np.isfinite(pair).all((1, 2))
            starts.append(pair[seen, 0])
            ends.append(pair[seen, 1])
    return np.concatenate(starts), np.concatenate(ends)
