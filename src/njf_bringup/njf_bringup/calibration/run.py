"""One run of `njf calibrate`: gather, calibrate, show, write; or nothing of the last."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from njf_bringup.calibration.picture import calibration_picture
from njf_bringup.calibration.print_board import board_print, board_text
from njf_bringup.calibration.request import Request
from njf_bringup.calibration.sources import (
    Gathered,
    find_lenses,
    from_bag,
    from_folders,
    from_sightings,
    from_topics,
)
from njf_perception.calibration.board import Board
from njf_perception.calibration.files import (
    camera_info_text,
    camera_poses,
    camera_poses_text,
    free_path,
    parameters_text,
    refuse_existing,
    refuse_unwritable,
    write_files,
)
from njf_perception.calibration.instants import leave_out
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.refuse import check_lenses
from njf_perception.calibration.report import instant_lines, rig_lines
from njf_perception.calibration.rig import calibrate_rig, rest_instant
from njf_perception.errors import ConfigError, NjfError

POSES, PARAMETERS, PICTURE = "camera_poses.yaml", "camera_params.yaml", "calibration.png"
SIGHTINGS = "sightings.json"
_MOST_CAMERAS = 12


def run(request: Request) -> None:
    """Calibrate and write the files.

    Raises:
        NjfError: refused; nothing was written but what `live` cameras saw, and the message says
            how to calibrate from that.
    """
    request.check()
    refuse_unwritable(request.out)
    _check_cameras(request, request.live, {})
    saved = free_path(request.out / SIGHTINGS)
    try:
        files = _calibrate(request, _gather(request, saved))
        write_files(files, request.overwrite)
    except NjfError as refusal:
        if not (request.live and saved.exists()):
            raise
        raise type(refusal)(f"{refusal} Without the cameras: {request.again(saved)}") from refusal
    print(f"wrote {', '.join(path.name for path in files)} to {request.out}")


def print_files(board: Board, path: Path, with_yaml: bool, overwrite: bool) -> None:
    """Write the page and, for the default board, the YAML file that belongs to it.

    Raises:
        NjfError: another format, or the files exist.
    """
    files: dict[Path, str | bytes] = {path: board_print(board, path)}
    if with_yaml:
        geometry, text = path.with_suffix(".yaml"), board_text(board)
        if not geometry.exists() or geometry.read_text() != text:
            files[geometry] = text
    write_files(files, overwrite)
    width, height = (1e3 * length for length in board.size_m)
    print(f"{path}: {width:.1f} x {height:.1f} mm of tags. Print at 100 %, then measure.")


def _check_cameras(request: Request, cameras: Sequence[str], lenses: Mapping[str, Lens]) -> None:
    """Refuse what can be known before images are looked at."""
    if len(cameras) > _MOST_CAMERAS:
        raise ConfigError(
            f"{len(cameras)} cameras, expected at most {_MOST_CAMERAS}. Calibrate a part."
        )
    names = [POSES, PICTURE] if request.poses else []
    if request.lens_files:
        names += [*(f"{camera}.yaml" for camera in cameras), PARAMETERS]
    refuse_existing([request.out / name for name in names], request.overwrite)
    check_lenses(lenses)


def _gather(request: Request, saved: Path) -> Gathered:
    """All views but those of skipped instants; what live cameras saw is saved with these."""

    def check(cameras: Sequence[str], lenses: Mapping[str, Lens]) -> None:
        _check_cameras(request, cameras, lenses)

    board, folder, find = request.board, request.folder, request.intrinsics
    if folder is not None and not folder.is_file():
        infos = None if find else request.camera_info
        return from_folders(board, folder, infos, request.skip, check)
    if folder is not None:
        gathered = from_sightings(board, folder, find, check)
    elif request.bag is not None:
        gathered = from_bag(board, request.bag, find, check)
    else:
        gathered = from_topics(board, request.live, find, check, saved)
    return replace(gathered, views=leave_out(gathered.views, request.skip))


def _calibrate(request: Request, gathered: Gathered) -> dict[Path, str | bytes]:
    """Contents of the files to write."""
    lenses = gathered.lenses
    if request.intrinsics:
        found = find_lenses(request.board, gathered)
        lenses = {name: result.lens for name, result in found.items()}
    files: dict[Path, str | bytes] = {}
    if request.lens_files:
        files |= _lens_files(request.out, lenses)
    if request.poses:
        files |= _pose_files(request, lenses, gathered)
    return files


def _lens_files(out: Path, lenses: dict[str, Lens]) -> dict[Path, str | bytes]:
    files: dict[Path, str | bytes] = {
        out / f"{name}.yaml": camera_info_text(name, lens) for name, lens in lenses.items()
    }
    return files | {out / PARAMETERS: parameters_text(out, lenses)}


def _pose_files(
    request: Request, lenses: dict[str, Lens], gathered: Gathered
) -> dict[Path, str | bytes]:
    board, views = request.board, gathered.views
    rest = request.rest or rest_instant(views)
    if views:
        print("\n".join(instant_lines(board, views, len(lenses), rest)), flush=True)
    rig = calibrate_rig(board, lenses, views, rest, request.limits)
    print("\n".join(rig_lines(rig)), flush=True)
    return {
        request.out / POSES: camera_poses_text(camera_poses(rig)),
        request.out / PICTURE: calibration_picture(board, rig),
    }
