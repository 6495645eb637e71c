"""Views of a rig from folders, a bag or topics, with a live line of figures per camera."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from njf_perception.calibration.bags import bag_lenses, bag_sightings
from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.files import write_files
from njf_perception.calibration.folders import image_sizes, lens_files, pictures, read_views
from njf_perception.calibration.instants import leave_out
from njf_perception.calibration.intrinsics import IntrinsicsResult, calibrate_lens
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.report import lens_lines
from njf_perception.calibration.sightings import load_sightings, sightings_text
from njf_perception.calibration.stills import Rests
from njf_perception.calibration.views import Tallies, View
from njf_perception.errors import DataError

Check = Callable[[Sequence[str], Mapping[str, Lens]], None]  # cameras, and lenses if known


@dataclass
class Gathered:
    """What there is to calibrate from.

    Attributes:
        lenses: by camera; empty where they are to be found.
        sizes: width and height of the images [px], by camera.
        views: all of them, usable or not.
    """

    lenses: dict[str, Lens]
    sizes: dict[str, tuple[int, int]]
    views: list[View]


def from_folders(
    board: Board, folder: Path, infos: Path | None, skip: Sequence[str], check: Check
) -> Gathered:
    """Views below a folder; lenses from `infos`, or none when it is None.

    Args:
        board: whose tags.
        folder: of `<camera>/<instant>.png`.
        infos: folder of `<camera>.yaml`.
        skip: instants whose images are not even read.
        check: called before tags are looked for; what it raises ends the work.

    Raises:
        NjfError: files are missing, unreadable or do not fit each other.
    """
    everything = pictures(folder)
    taken = leave_out(everything, skip)
    found = image_sizes([*taken, *everything])  # a camera is not lost with its only images
    lenses = {} if infos is None else lens_files(sorted(found), infos)
    expected = {name: (lens.width, lens.height) for name, lens in lenses.items()} or found
    check(list(found), lenses)
    views = read_views(board, taken, expected)
    with _table(board, lenses, found, len(taken)) as table:
        return Gathered(lenses, found, list(table.watch(views)))


def from_sightings(board: Board, path: Path, find_lenses: bool, check: Check) -> Gathered:
    """Views that an earlier `from_topics` saved.

    Raises:
        NjfError: no such file, of another board, or rectified images while `find_lenses` is wanted.
    """
    lenses, views = load_sightings(path, board)
    known, found = _known(str(path), lenses, find_lenses)
    check(list(found), known)
    with _table(board, known, found, len(views)) as table:
        return Gathered(known, found, list(table.watch(views)))


def from_bag(board: Board, path: Path, find_lenses: bool, check: Check) -> Gathered:
    """Views of the times at which the board stood still; `check` as of `from_folders`.

    Raises:
        NjfError: the bag lacks something, or its images are rectified and `find_lenses` is wanted.
    """
    lenses, images = bag_lenses(path)
    known, found = _known(str(path), lenses, find_lenses)
    check(list(found), known)
    rests = Rests()
    with _table(board, known, found, sum(images.values())) as table:
        table.rests(rests, bag_sightings(path, board, found))
    return Gathered(known, found, list(rests.views()))


def from_topics(
    board: Board, cameras: Sequence[str], find_lenses: bool, check: Check, saved: Path
) -> Gathered:
    """Views of the times at which the board stands still, until Ctrl-C.

    Args:
        board: whose tags.
        cameras: by the names in their topics.
        find_lenses: the lenses are to be found, so those of camera_info are not wanted.
        check: called before the watching; what it raises ends the work.
        saved: file that the views are written to, also where an error ends the watching.

    Raises:
        NjfError: a camera does not send, or its images are rectified and `find_lenses` is wanted.
    """
    from njf_bringup.nodes.board_watch import BoardWatch

    with closing(BoardWatch(board, cameras)) as watch:
        lenses = watch.lenses()
        known, found = _known("the cameras' topics", lenses, find_lenses)
        check(list(found), known)
        print("Show the board; rest a second in each pose. Ctrl-C ends it.", flush=True)
        rests = Rests()
        try:
            with _table(board, known, found, None) as table:
                table.rests(rests, watch.sightings())
        finally:
            _save(saved, lenses, list(rests.views()))
        return Gathered(known, found, list(rests.views()))


def _save(path: Path, lenses: Mapping[str, Lens], views: Sequence[View]) -> None:
    """Keep what nobody can take again without the cameras."""
    if views:
        write_files({path: sightings_text(lenses, views)}, overwrite=False)
        print(f"kept what was seen in {path}", flush=True)


def _known(
    what: str, lenses: dict[str, Lens], find_lenses: bool
) -> tuple[dict[str, Lens], dict[str, tuple[int, int]]]:
    """Lenses to calibrate with, none where they are to be found, and sizes of the images [px]."""
    if find_lenses:
        _refuse_rectified(what, lenses)
    sizes = {name: (lens.width, lens.height) for name, lens in lenses.items()}
    return {} if find_lenses else lenses, sizes


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

    def rests(self, rests: Rests, sightings: Iterable[tuple[str, int, Sighting]]) -> None:
        """Collect the rests of a stream, whose images are shown as they come."""
        for camera, stamp_ns, sighting in sightings:
            rests.take(camera, stamp_ns, sighting)
            self._bar.update()
            tally = self._tallies.add(View(camera, "", sighting))
            self._show(camera, f"{tally.line(camera)}  {rests.count(camera)} rests")

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
