"""Whole video files, image by image as fast as they decode (`cameras` plays them in time)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from njf_perception.errors import DataError

_CODEC = "MJPG"  # every build of OpenCV has it, and each image stands for itself


def read_video(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The images of a video, RGB.

    Raises:
        DataError: the file cannot be read, or holds no image; told before the first image.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        is_read, image = capture.read()
        if not is_read:
            raise DataError(
                f"{path} holds no image that can be decoded. Give a video file as OpenCV reads it: "
                "mp4, avi, mkv, mov."
            )
        while is_read:
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
            is_read, image = capture.read()
    finally:
        capture.release()


def video_rate_hz(path: Path) -> float:
    """Images per second, as the file says.

    Raises:
        DataError: it says none.
    """
    capture = cv2.VideoCapture(str(path))
    rate_hz = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    if not 0 < rate_hz < 1e4:
        raise DataError(
            f"{path} does not say how many images it has per second. Give a video file as OpenCV "
            "reads it: mp4, avi, mkv, mov."
        )
    return rate_hz


def write_video(path: Path, images: Iterable[UInt8[np.ndarray, "h w 3"]], rate_hz: float) -> None:
    """Write RGB images of one size as motion JPEG (.avi).

    Raises:
        DataError: there are no images, or the file cannot be written.
    """
    writer = None
    try:
        for image in images:
            if writer is None:
                writer = _open(path, image, rate_hz)
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    finally:
        if writer is not None:
            writer.release()
    if writer is None:
        raise DataError(f"no images were given for {path}.")


def _open(path: Path, image: UInt8[np.ndarray, "h w 3"], rate_hz: float) -> cv2.VideoWriter:
    height, width = image.shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*_CODEC)
    writer = cv2.VideoWriter(str(path), fourcc, rate_hz, (width, height))
    if not writer.isOpened():
        raise DataError(
            f"{path} cannot be written. Choose a file ending in .avi in a folder of yours."
        )
    return writer
