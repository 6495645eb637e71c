"""Tracks over time as a table: one row for one point at one instant.

Columns: `time_s`, `point` (a whole number that names the point), `u_px`, `v_px` (column and row of
the full image; pixel centres are integers), and, where it is known, `confidence` (0 to 1). Rows go
forward in time. A point that is not seen at an instant has no row there; all points begin at the
first one.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from njf_bringup.goals.point_paths import PointPaths
from njf_perception.errors import DataError

REQUIRED = ("time_s", "point", "u_px", "v_px")
COLUMNS = (*REQUIRED, "confidence")
_TOLD = 8  # problems in one message
_LARGEST_ID = 2**32 - 1


@dataclass(frozen=True)
class _Row:
    time_s: float
    point: int
    u_px: float
    v_px: float
    confidence: float


@dataclass
class _Reading:
    """What was read so far; `problems` say what is wrong with the file, line by line."""

    width_px: int
    height_px: int
    rows: list[_Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    first_points: set[int] = field(default_factory=set)
    now_points: set[int] = field(default_factory=set)

    def add(self, line: int, cells: dict[str, str | None]) -> None:
        """Take in one row, or the problem with it."""
        try:
            row = _parsed(cells)
            self._check(row)
        except ValueError as error:
            self.problems.append(f"line {line}: {error}")
            return
        if self.rows and row.time_s > self.rows[-1].time_s:
            self.now_points.clear()
        if row.time_s == (self.rows[0].time_s if self.rows else row.time_s):
            self.first_points.add(row.point)
        self.now_points.add(row.point)
        self.rows.append(row)

    def _check(self, row: _Row) -> None:
        if not (-0.5 <= row.u_px < self.width_px - 0.5 and -0.5 <= row.v_px < self.height_px - 0.5):
            raise ValueError(
                f"point {row.point} at ({row.u_px:g}, {row.v_px:g}) px lies outside the image of "
                f"{self.width_px} x {self.height_px} px"
            )
        if not self.rows:
            return
        last_s = self.rows[-1].time_s
        if row.time_s < last_s:
            raise ValueError(f"time goes back from {last_s:g} s to {row.time_s:g} s")
        if row.time_s == last_s and row.point in self.now_points:
            raise ValueError(f"point {row.point} is there twice at {row.time_s:g} s")
        if row.time_s > self.rows[0].time_s and row.point not in self.first_points:
            raise ValueError(
                f"point {row.point} appears at {row.time_s:g} s; every point begins at the first "
                f"time, {self.rows[0].time_s:g} s"
            )


def read_tracks_csv(path: Path, width_px: int, height_px: int) -> PointPaths:
    """The tracks of a file.

    Args:
        path: see the module.
        width_px: of the camera's image.
        height_px: of the camera's image.

    Raises:
        DataError: the file cannot be read, or something in it is wrong; told with its line.
    """
    reading = _Reading(width_px, height_px)
    for line, cells in _lines(path):
        reading.add(line, cells)
    if reading.problems:
        told = "; ".join(reading.problems[:_TOLD])
        more = len(reading.problems) - _TOLD
        raise DataError(f"{path}: {told}{f'; and {more} more' if more > 0 else ''}.")
    times_s = sorted({row.time_s for row in reading.rows})
    if len(times_s) < 2:
        raise DataError(
            f"{path} has {len(reading.rows)} rows at {len(times_s)} times; expected at least two "
            "times: where the points are, and where they go."
        )
    return _paths(reading.rows, np.array(times_s))


def write_tracks_csv(path: Path, paths: PointPaths) -> None:
    """Write what `read_tracks_csv` reads."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for time_s, tracks in zip(paths.times_s, paths.frames, strict=True):
            for index in np.flatnonzero(tracks.visible):
                u_px, v_px = tracks.points[index]
                where = f"{u_px:.3f}", f"{v_px:.3f}", f"{tracks.confidence[index]:.4f}"
                writer.writerow((f"{time_s:.6f}", paths.ids[index], *where))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows by column name, with their line numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            _check_columns(path, [name.strip() for name in reader.fieldnames or []])
            reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            for cells in reader:
                yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}. Give a text file.") from None


def _check_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if not missing and not unknown and len(set(names)) == len(names):
        return
    told = [f"column {name} is missing" for name in missing]
    told += [f"column '{name}' is unknown" for name in unknown]
    raise DataError(
        f"{path}: line 1: {', '.join(told) or 'a column is there twice'}; "
        f"columns are {', '.join(REQUIRED)} and, where known, confidence."
    )


def _parsed(cells: dict[str, str | None]) -> _Row:
    """Numbers of one row.

    Raises:
        ValueError: a cell is missing, is too much or holds no such number; in words.
    """
    if None in cells:
        raise ValueError("the row has more values than columns")
    point = _number(cells, "point")
    if point != int(point) or not 0 <= point <= _LARGEST_ID:
        raise ValueError(f"point is '{cells['point']}', expected a whole number from 0")
    sure = _number(cells, "confidence") if cells.get("confidence") else 1.0
    if not 0 <= sure <= 1:
        raise ValueError(f"confidence is {sure:g}, expected 0 to 1")
    u_px, v_px = _number(cells, "u_px"), _number(cells, "v_px")
    return _Row(_number(cells, "time_s"), int(point), u_px, v_px, sure)


def _number(cells: dict[str, str | None], name: str) -> float:
    text = cells[name]
    if text is None or not text.strip():
        raise ValueError(f"{name} is empty")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is '{text}', expected a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text.strip()}, expected a finite number")
    return value


def _paths(rows: list[_Row], times_s: np.ndarray) -> PointPaths:
    ids = np.array(sorted({row.point for row in rows}), np.int64)
    shape = len(times_s), len(ids)
    points, visible = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool)
    confidence = np.zeros(shape, np.float32)
    instants = np.searchsorted(times_s, [row.time_s for row in rows])
    columns = np.searchsorted(ids, [row.point for row in rows])
    points[instants, columns] = [(row.u_px, row.v_px) for row in rows]
    visible[instants, columns] = True
    confidence[instants, columns] = [row.confidence for row in rows]
    return PointPaths(times_s, ids, points, visible, confidence)
