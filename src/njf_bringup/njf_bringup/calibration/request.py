"""What a run of `njf calibrate` was asked for."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from njf_perception.calibration.board import Board
from njf_perception.calibration.refuse import Limits
from njf_perception.errors import ConfigError


@dataclass(frozen=True)
class Request:
    """What is to be calibrated; see `njf calibrate --help`.

    Attributes:
        board_file: that `board` is from; None for the default sheet.
        folder: of images, or a file of sightings.
        live: names of the cameras with topics.
        skip: instants to leave out.
    """

    board: Board
    out: Path
    board_file: Path | None = None
    folder: Path | None = None
    bag: Path | None = None
    live: Sequence[str] = ()
    camera_info: Path | None = None
    intrinsics: bool = False
    poses: bool = True
    rest: str | None = None
    skip: Sequence[str] = ()
    limits: Limits = Limits()
    overwrite: bool = False

    @property
    def lens_files(self) -> bool:
        """Whether camera_info files are written.

        Images from topics are rectified, as a rule, and then their camera_info is not the lens's.
        """
        return self.intrinsics or (self.folder is not None and self.folder.is_dir())

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            ConfigError: they do.
        """
        if not (self.poses or self.intrinsics):
            raise ConfigError("--no-poses without --intrinsics leaves nothing to do. Drop one.")
        given = [self.folder is not None, self.bag is not None, bool(self.live)]
        if sum(given) != 1:
            raise ConfigError("give one of --views, a folder of images, --bag and --live.")
        if self.rest in self.skip:
            raise ConfigError(
                f"--skip leaves out {self.rest}, which --rest wants as the world. Drop one."
            )

    def again(self, sightings: Path) -> str:
        """The command that calibrates from a file of sightings instead, to be pasted.

        Without --skip and --rest: nobody knew the names of instants before they were seen.
        """
        words = ["njf", "calibrate", "--views", str(sightings), "--out", str(self.out)]
        words += ["--board", str(self.board_file)] if self.board_file is not None else []
        words += ["--intrinsics"] if self.intrinsics else []
        words += [] if self.poses else ["--no-poses"]
        words += ["--limit-px", str(self.limits.error_px), "--min-views", str(self.limits.views)]
        words += ["--overwrite"] if self.overwrite else []
        return shlex.join(words)
