"""A file of what cameras saw while somebody watched, to calibrate from again without the cameras.

Corners, not images: they are the medians over each rest, so the same views come out again.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import Field

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.instants import listed
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.config import Config, parse_config
from njf_perception.errors import ConfigError, DataError

_Corner = tuple[float, float]


class SavedLens(Config):
    """What a camera's camera_info said."""

    width: int = Field(gt=0, description="[px]")
    height: int = Field(gt=0, description="[px]")
    K: list[float] = Field(
        min_length=9, max_length=9, description="intrinsics, row by row [px]; zeros: uncalibrated"
    )
    distortion: list[float] = Field(description="OpenCV's coefficients")
    model: str = Field(description="distortion_model of camera_info")


class SavedView(Config):
    """One camera's view at one instant; see `Sighting` for the fields."""

    camera: str
    instant: str
    ids: list[int] = Field(description="of the tags")
    corners_px: list[tuple[_Corner, _Corner, _Corner, _Corner]] = Field(
        description="per tag, (u, v) [px]"
    )
    blur_px: float = Field(ge=0, description="standard deviation [px]")
    foreign_ids: tuple[int, ...]
    mirrored: bool

    def view(self) -> View:
        """The view that was saved."""
        sighting = Sighting(
            np.array(self.ids, np.int64),
            np.array(self.corners_px, np.float64).reshape(-1, 4, 2),
            self.blur_px,
            self.foreign_ids,
            self.mirrored,
        )
        return View(self.camera, self.instant, sighting)


class Sightings(Config):
    """The whole file."""

    cameras: dict[str, SavedLens]
    views: list[SavedView]


def sightings_text(lenses: Mapping[str, Lens], views: Sequence[View]) -> str:
    """The file's content: JSON.

    Args:
        lenses: by camera, as camera_info has them.
        views: of these cameras; corners are finite.
    """
    content = Sightings(
        cameras={name: _saved_lens(lens) for name, lens in lenses.items()},
        views=[_saved_view(view) for view in views],
    )
    return content.model_dump_json()


def load_sightings(path: Path, board: Board) -> tuple[dict[str, Lens], list[View]]:
    """Lenses by camera, and the views.

    Raises:
        ConfigError: the file is missing or not of that form.
        DataError: it shows tags that are not on `board`, or a distortion that is none.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}. Give a folder of images, or a file of sightings that "
            "njf calibrate --live wrote."
        ) from None
    saved = parse_config(content, Sightings, str(path))
    _check(saved, board, path)
    lenses = {name: _lens(of_camera) for name, of_camera in saved.cameras.items()}
    return lenses, [view.view() for view in saved.views]


def _check(saved: Sightings, board: Board, path: Path) -> None:
    broken = [
        f"{view.camera} at {view.instant}"
        for view in saved.views
        if view.camera not in saved.cameras or len(view.ids) != len(view.corners_px)
    ]
    if broken:
        raise DataError(
            f"{path}: {listed(broken)}: without camera_info, or not with four corners per tag. "
            "Take the file as it was written."
        )
    foreign = {tag for view in saved.views for tag in view.ids} - set(board.ids.tolist())
    if foreign:
        raise DataError(
            f"{path} shows tags {', '.join(map(str, sorted(foreign)))}, which are not on this "
            f"board (ids {board.ids[0]} to {board.ids[-1]}). Give the file of the board that was "
            "held with --board."
        )


def _saved_lens(lens: Lens) -> SavedLens:
    K, distortion = _finite(lens.K.ravel()), _finite(lens.distortion)
    return SavedLens(
        width=lens.width, height=lens.height, K=K, distortion=distortion, model=lens.model
    )


def _finite(values: Float[np.ndarray, " n"]) -> list[float]:
    """Zeros, which mean uncalibrated, for what are no numbers: JSON has none of these."""
    return values.tolist() if np.isfinite(values).all() else [0.0] * len(values)


def _lens(saved: SavedLens) -> Lens:
    K = np.array(saved.K, np.float64).reshape(3, 3)
    return Lens(saved.width, saved.height, K, np.array(saved.distortion, np.float64), saved.model)


def _saved_view(view: View) -> SavedView:
    seen = view.sighting
    return SavedView(
        camera=view.camera,
        instant=view.instant,
        ids=seen.ids.tolist(),
        corners_px=seen.corners_px.tolist(),
        blur_px=seen.blur_px,
        foreign_ids=seen.foreign_ids,
        mirrored=seen.mirrored,
    )
