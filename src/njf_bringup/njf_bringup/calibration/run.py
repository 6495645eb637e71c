"""One run of `njf calibrate`: gather, calibrate, show, write; or nothing of the last."""

from dataclasses import dataclass
from pathlib import Path

from njf_bringup.calibration.picture import calibration_picture
from njf_bringup.calibration.print_board import board_print, board_text
from njf_bringup.calibration.sources import (
    Gathered,
    find_lenses,
    from_bag,
    from_folders,
    from_topics,
)
from njf_perception.calibration.board import Board
from njf_perception.calibration.files import (
    camera_info_text,
    camera_poses,
    camera_poses_text,
    parameters_text,
    refuse_existing,
    write_files,
)
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.refuse import Limits
from njf_perception.calibration.report import rig_lines
from njf_perception.calibration.rig import calibrate_rig
from njf_perception.errors import ConfigError

POSES, PARAMETERS, PICTURE = "camera_poses.yaml", "camera_params.yaml", "calibration.png"
_MOST_CAMERAS = 12


@dataclass(frozen=True)
class Request:
    """What is to be calibrated; see `njf calibrate --help`. `live` names cameras with topics."""

    board: Board
    folder: Path | None
    bag: Path | None
    live: list[str]
    camera_info: Path | None
    intrinsics: bool
    poses: bool
    rest: str | None
    limits: Limits
    out: Path
    overwrite: bool


def run(request: Request) -> None:
    """Calibrate and write the files.

    Raises:
        NjfError: refused; nothing was written.
    """
    if not (request.poses or request.intrinsics):
        raise ConfigError("--no-poses without --intrinsics leaves nothing to do. Drop one.")
    refuse_existing([request.out / name for name in (POSES, PICTURE)], request.overwrite)
    gathered = _gather(request)
    if len(gathered.sizes) > _MOST_CAMERAS:
        raise ConfigError(
            f"{len(gathered.sizes)} cameras, expected at most {_MOST_CAMERAS}. Calibrate a part."
        )
    lenses = gathered.lenses
    if request.intrinsics:
        found = find_lenses(request.board, gathered)
        lenses = {name: result.lens for name, result in found.items()}
    files: dict[Path, str | bytes] = {}
    if gathered.lens_files or request.intrinsics:
        files |= _lens_files(request.out, lenses)
    if request.poses:
        files |= _pose_files(request, lenses, gathered)
    write_files(files, request.overwrite)
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


def _gather(request: Request) -> Gathered:
    given = [request.folder is not None, request.bag is not None, bool(request.live)]
    if sum(given) != 1:
        raise ConfigError("give one of --views, a folder of images, --bag and --live.")
    if request.live:
        return from_topics(request.board, request.live, request.intrinsics)
    if request.bag is not None:
        return from_bag(request.board, request.bag, request.intrinsics)
    assert request.folder is not None
    infos = None if request.intrinsics else request.camera_info
    return from_folders(request.board, request.folder, infos)


def _lens_files(out: Path, lenses: dict[str, Lens]) -> dict[Path, str | bytes]:
    files: dict[Path, str | bytes] = {
        out / f"{name}.yaml": camera_info_text(name, lens) for name, lens in lenses.items()
    }
    return files | {out / PARAMETERS: parameters_text(out, lenses)}


def _pose_files(
    request: Request, lenses: dict[str, Lens], gathered: Gathered
) -> dict[Path, str | bytes]:
    rig = calibrate_rig(request.board, lenses, gathered.views, request.rest, request.limits)
    print("\n".join(rig_lines(rig)), flush=True)
    return {
        request.out / POSES: camera_poses_text(camera_poses(rig)),
        request.out / PICTURE: calibration_picture(request.board, rig),
    }
