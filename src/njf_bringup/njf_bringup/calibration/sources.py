"""Views of a rig from folders or a bag, with a live line of figures per camera."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from njf_perception.calibration.bags import bag_lenses, bag_sightings
from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.folders import image_sizes, lens_files, pictures, read_views
from njf_perception.calibration.intrinsics import IntrinsicsResult, calibrate_lens
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.report import lens_lines
from njf_perception.calibration.stills import Rests
from njf_perception.calibration.views import Tallies, View
from njf_perception.errors import DataError


@dataclass
class Gathered:
    """What there is to calibrate from.

    Attributes:
        lenses: by camera; empty where they are to be found.
        sizes: width and height of the images [px], by camera.
        views: all of them, usable or not.
        lens_files: the lenses are of the cameras' raw images, worth a camera_info file.
    """

    lenses: dict[str, Lens]
    sizes: dict[str, tuple[int, int]]
    views: list[View]
    lens_files: bool


def from_folders(board: Board, folder: Path, infos: Path | None) -> Gathered:
    """Views below a folder; lenses from `infos`, or none when it is None.

    Raises:
        NjfError: files are missing, unreadable or do not fit each other.
    """
    taken = pictures(folder)
    found = image_sizes(taken)
    lenses = {} if infos is None else lens_files(sorted(found), infos)
    expected = {name: (lens.width, lens.height) for name, lens in lenses.items()} or found
    views = read_views(board, taken, expected)
    with _table(board, lenses, found, len(taken)) as table:
        return Gathered(lenses, found, list(table.watch(views)), True)


def from_bag(board: Board, path: Path, find_lenses: bool) -> Gathered:
    """Views of the times at which the board stood still.

    Raises:
        NjfError: the bag lacks something, or its images are rectified and `find_lenses` is wanted.
    """
    lenses, images = bag_lenses(path)
    if find_lenses:
        _refuse_rectified(str(path), lenses)
    found = {name: (lens.width, lens.height) for name, lens in lenses.items()}
    known = {} if find_lenses else lenses
    with _table(board, known, found, sum(images.values())) as table:
        views = table.rests(bag_sightings(path, board, found))
    return Gathered(known, found, views, False)


def from_topics(board: Board, cameras: list[str], find_lenses: bool) -> Gathered:
    """Views of the times at which the board stands still, until Ctrl-C.

    Raises:
        NjfError: a camera does not send, or its images are rectified and `find_lenses` is wanted.
    """
    from njf_bringup.nodes.board_watch import BoardWatch

    with closing(BoardWatch(board, cameras)) as watch:
        lenses = watch.lenses()
        if find_lenses:
            _refuse_rectified("the cameras' topics", lenses)
        known = {} if find_lenses else lenses
        found = {name: (lens.width, lens.height) for name, lens in lenses.items()}
        print("Show the board; rest a second in each pose. Ctrl-C ends it.", flush=True)
        with _table(board, known, found, None) as table:
            return Gathered(known, found, table.rests(watch.sightings()), False)


def _refuse_rectified(what: str, lenses: dict[str, Lens]) -> None:
    rectified = [n for n, lens in lenses.items() if lens.K[0, 0] and not lens.distortion.any()]
    if rectified:
        raise DataError(
            f"{what}: the images of {rectified[0]} are rectified (camera_info has no distortion), "
            "so they do not show its lens. Set undistort: false on the camera's node."
        )


def find_lenses(board: Board, gathered: Gathered) -> dict[str, IntrinsicsResult]:
    """Intrinsics of every camera from its own views, printed as they are found.

    Raises:
        DataError: some camera's views leave them open.
    """
    results = {}
    for name, size in sorted(gathered.sizes.items()):
        views = [view for view in gathered.views if view.camera == name]
        results[name] = calibrate_lens(board, name, size, views)
        print("\n".join(lens_lines(name, results[name])), flush=True)
    return results


class _Table:
    """A bar of progress over a line per camera; only the bar where nobody looks."""

    def __init__(self, tallies: Tallies, total: int | None, stack: ExitStack) -> None:
        self._tallies = tallies
        self._stack = stack
        self._bar = stack.enter_context(tqdm(total=total, desc="images", unit="image"))
        self._lines: dict[str, tqdm] = {}

    def watch(self, views: Iterable[View]) -> Iterator[View]:
        """The same views, shown as they come."""
        for view in views:
            self._bar.update()
            self.show(view)
            yield view

    def rests(self, sightings: Iterable[tuple[str, int, Sighting]]) -> list[View]:
        """The views at rest of a stream, whose images are shown as they come."""
        rests = Rests()
        for camera, stamp_ns, sighting in sightings:
            rests.take(camera, stamp_ns, sighting)
            self._bar.update()
            tally = self._tallies.add(View(camera, "", sighting))
            self._show(camera, f"{tally.line(camera)}  {rests.count(camera)} rests")
        return list(rests.views())

    def show(self, view: View) -> None:
        """Update a camera's line."""
        self._show(view.camera, self._tallies.add(view).line(view.camera))

    def _show(self, camera: str, text: str) -> None:
        if sys.stderr.isatty():
            if camera not in self._lines:
                line = tqdm(total=0, position=len(self._lines) + 1, bar_format="{desc}")
                self._lines[camera] = self._stack.enter_context(line)
            self._lines[camera].set_description_str(text)

    def close(self) -> None:
        """Print the last state of every line where they were not shown."""
        if not self._lines:
            print("\n".join(self._tallies.lines()), flush=True)


@contextmanager
def _table(
    board: Board, lenses: dict[str, Lens], sizes: dict[str, tuple[int, int]], total: int | None
) -> Iterator[_Table]:
    with ExitStack() as stack:
        table = _Table(Tallies(board, lenses, sizes), total, stack)
        yield table
        table.close()
