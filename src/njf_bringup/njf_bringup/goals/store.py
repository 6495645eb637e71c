"""Goals saved by name, a folder each: goals/<robot>/<name>/.

| file | what | kinds |
|---|---|---|
| goal.yaml | `GoalFile` | all |
| start.png | picture in which the points were picked | tracks, demonstration; csv where given |
| goal.png | picture to be seen at the end | image, demonstration; tracks where given |
| tracks.csv | the points over time (`tracks_csv`) | tracks, demonstration, csv |
| video.* | the film | demonstration |

A folder is whole or not there: it is written beside its place and renamed.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import UInt8

from njf_bringup.goals.picture import read_picture, write_picture
from njf_bringup.goals.point_paths import PointPaths
from njf_bringup.goals.taught import GoalFile, TaughtGoal
from njf_bringup.goals.tracks_csv import read_tracks_csv, write_tracks_csv
from njf_control.robot import RobotConfig
from njf_perception.config import load_config
from njf_perception.errors import ConfigError, DataError

FOLDER = Path("goals")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ABOUT, _START, _GOAL, _TRACKS, _VIDEO = "goal.yaml", "start.png", "goal.png", "tracks.csv", "video"


@dataclass(frozen=True)
class GoalStore:
    """The saved goals of one robot.

    Attributes:
        robot: the robot; its control camera is the one that goals are given in.
        folder: holds a folder per robot.
    """

    robot: RobotConfig
    folder: Path = FOLDER

    @property
    def home(self) -> Path:
        """Where the goals of this robot are."""
        return self.folder / self.robot.name

    def names(self) -> list[str]:
        """Names of the goals, sorted."""
        return sorted(path.parent.name for path in self.home.glob(f"[!.]*/{_ABOUT}"))

    def path(self, name: str) -> Path:
        """Folder of a goal, which need not be there.

        Raises:
            ConfigError: no goal can have this name.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' cannot name a goal; expected up to 64 letters, digits, '_', '-' and "
                "'.', the first one a letter or digit."
            )
        return self.home / name

    def require_free(self, name: str, force: bool = False) -> None:
        """See that a goal may be saved, before anything is done for it.

        Raises:
            ConfigError: the name is taken, or impossible.
        """
        if self.path(name).exists() and not force:
            raise ConfigError(
                f"{self.path(name)} exists. Choose another name, or replace it with --force."
            )

    def save(self, name: str, goal: TaughtGoal, force: bool = False) -> Path:
        """Write a goal; its video is copied. Returns its folder.

        Raises:
            ConfigError: the name is taken (and not `force`), or impossible.
            DataError: the goal is incomplete, or does not fit the camera.
        """
        camera = self.robot.control_camera
        goal.require(camera.width, camera.height)
        self.require_free(name, force)
        self.home.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new_", dir=self.home))
        try:
            fresh.chmod(0o755)
            self._write(fresh, goal)
            _replace(fresh, self.path(name))
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return self.path(name)

    def about(self, name: str) -> GoalFile:
        """What a goal says of itself.

        Raises:
            ConfigError: there is no such goal, or its file is wrong.
        """
        file = self.path(name) / _ABOUT
        if not file.is_file():
            known = ", ".join(self.names()) or "none yet"
            raise ConfigError(
                f"'{self.robot.name}' has no goal '{name}' in {self.home}; goals: {known}."
            )
        return load_config(file, GoalFile)

    def load(self, name: str) -> TaughtGoal:
        """A saved goal.

        Raises:
            ConfigError: there is no such goal, its file is wrong, or it was taught to another
                robot, with another camera or at another image size; the message says which.
            DataError: a file of it is missing or cannot be read.
        """
        about, home = self.about(name), self.path(name)
        self._require_same(name, about)
        tracks = home / _TRACKS
        goal = TaughtGoal(
            about.kind,
            start=_picture(home / _START),
            goal=_picture(home / _GOAL),
            paths=_paths(tracks, about) if tracks.exists() else None,
            video=next(iter(sorted(home.glob(f"{_VIDEO}.*"))), None),
            note=about.note,
        )
        try:
            goal.require(about.width_px, about.height_px)
        except DataError as error:
            raise DataError(f"{home}: {error}") from None
        return goal

    def delete(self, name: str) -> None:
        """Remove a goal.

        Raises:
            ConfigError: there is no such goal.
        """
        self.about(name)
        shutil.rmtree(self.path(name))

    def _require_same(self, name: str, about: GoalFile) -> None:
        camera = self.robot.control_camera
        sizes = f"{about.width_px} x {about.height_px} px", f"{camera.width} x {camera.height} px"
        parts = {
            "robot": (about.robot, self.robot.name),
            "camera": (about.camera, camera.name),
            "image size": sizes,
        }
        wrong = [f"{what} {was}, not {now}" for what, (was, now) in parts.items() if was != now]
        if wrong:
            raise ConfigError(
                f"goal '{name}' was taught with {'; '.join(wrong)}. Teach it anew with this robot "
                "and camera."
            )

    def _write(self, folder: Path, goal: TaughtGoal) -> None:
        camera = self.robot.control_camera
        about = GoalFile(
            kind=goal.kind,
            robot=self.robot.name,
            camera=camera.name,
            width_px=camera.width,
            height_px=camera.height,
            spots=_spots(goal.paths),
            created=datetime.now(UTC).replace(microsecond=0),
            note=goal.note,
        )
        (folder / _ABOUT).write_text(yaml.safe_dump(about.model_dump(), sort_keys=False))
        for file, picture in ((_START, goal.start), (_GOAL, goal.goal)):
            if picture is not None:
                write_picture(folder / file, picture)
        if goal.paths is not None:
            write_tracks_csv(folder / _TRACKS, goal.paths)
        if goal.video is not None:
            shutil.copyfile(goal.video, folder / f"{_VIDEO}{goal.video.suffix}")


def _replace(fresh: Path, place: Path) -> None:
    """Put a whole folder where another one may be; at no time is half of one there."""
    old = fresh.with_name(f"{fresh.name}_old")
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _paths(table: Path, about: GoalFile) -> PointPaths:
    paths = read_tracks_csv(table, about.width_px, about.height_px)
    return replace(paths, spots=None if about.spots is None else np.array(about.spots, np.int64))


def _spots(paths: PointPaths | None) -> list[int] | None:
    return None if paths is None or paths.spots is None else paths.spots.tolist()


def _picture(path: Path) -> UInt8[np.ndarray, "h w 3"] | None:
    return read_picture(path) if path.exists() else None
