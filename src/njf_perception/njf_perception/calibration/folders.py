"""Views from folders of images: one folder per camera, the same file name at the same instant."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import TagDetector
from njf_perception.calibration.lens import Lens
from njf_perception.calibration.views import View
from njf_perception.cameras.calibration import load_calibration
from njf_perception.errors import DataError

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Picture:
    """One image file of a camera; its name without the suffix is the instant."""

    camera: str
    path: Path

    @property
    def instant(self) -> str:
        """When it was taken, by name."""
        return self.path.stem


def pictures(folder: Path) -> list[Picture]:
    """Every image below `folder`, by camera and instant.

    Raises:
        DataError: no camera's folder with images is there.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; expected one with a folder of images per camera.")
    found = [
        Picture(camera.name, path)
        for camera in sorted(folder.iterdir())
        if camera.is_dir()
        for path in sorted(camera.iterdir())
        if path.suffix.lower() in _SUFFIXES
    ]
    if not found:
        raise DataError(
            f"{folder} has no folder with images in it; expected <camera>/<instant>.png, the same "
            "instant's name in each camera's folder."
        )
    return found


def lens_files(cameras: Sequence[str], folder: Path) -> dict[str, Lens]:
    """Lenses from `<camera>.yaml` in a folder of camera_info files.

    Raises:
        ConfigError: a file is missing or no calibration.
    """
    return {name: Lens.of(load_calibration(folder / f"{name}.yaml")) for name in cameras}


def image_sizes(taken: Sequence[Picture]) -> dict[str, tuple[int, int]]:
    """Width and height of each camera's images [px], from its first."""
    first = {picture.camera: picture for picture in reversed(taken)}
    shapes = {name: _read(picture.path).shape for name, picture in first.items()}
    return {name: (width, height) for name, (height, width) in shapes.items()}


def read_views(
    board: Board, taken: Sequence[Picture], expected: Mapping[str, tuple[int, int]]
) -> Iterator[View]:
    """Look for tags in every image.

    Args:
        board: whose tags.
        taken: the images.
        expected: width and height of each camera's images [px].

    Raises:
        DataError: a file is no image, or not of the expected size.
    """
    detector = TagDetector(board)
    for picture in taken:
        gray = _read(picture.path)
        check_size(str(picture.path), (gray.shape[1], gray.shape[0]), expected[picture.camera])
        yield View(picture.camera, picture.instant, detector(gray))


def check_size(what: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Refuse an image of another size than its lens was calibrated at.

    Raises:
        DataError: it is.
    """
    if size != expected:
        raise DataError(
            f"{what} has {size[0]} x {size[1]} px, but its camera_info is for {expected[0]} x "
            f"{expected[1]}. Use the camera_info of the size in use."
        )


def _read(path: Path) -> UInt8[np.ndarray, "h w"]:
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DataError(f"{path} is no image that can be read. Remove it or take it again.")
    return np.asarray(gray, np.uint8)
