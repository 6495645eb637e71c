"""Video files as a whole."""

import cv2
import numpy as np
import pytest

from njf_perception.errors import DataError
from njf_perception.video_file import read_video, video_rate_hz, write_video

COLOURS = [(200, 30, 10), (20, 180, 60), (40, 60, 220)]


def _images():
    return [np.full((48, 64, 3), colour, np.uint8) for colour in COLOURS]


def test_images_come_back_in_their_order_and_colours(tmp_path):
    path = tmp_path / "film.avi"
    write_video(path, _images(), 20.0)
    read = list(read_video(path))
    assert len(read) == len(COLOURS)
    for image, colour in zip(read, COLOURS, strict=True):
        assert np.abs(image.astype(int) - colour).max() <= 6  # JPEG
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(20.0)


@pytest.mark.parametrize("content", [None, b"", b"no video at all"])
def test_what_is_no_video_is_told(tmp_path, content):
    path = tmp_path / "film.avi"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"film.avi holds no image .* mp4"):
        next(iter(read_video(path)))


def test_a_video_needs_images_and_a_place(tmp_path):
    with pytest.raises(DataError, match="no images"):
        write_video(tmp_path / "film.avi", [], 20.0)
    with pytest.raises(DataError, match="cannot be written"):
        write_video(tmp_path / "nowhere" / "film.avi", _images(), 20.0)


def test_the_rate_is_told_or_its_absence(tmp_path):
    path = tmp_path / "film.avi"
    write_video(path, _images(), 12.5)
    assert video_rate_hz(path) == pytest.approx(12.5)
    with pytest.raises(DataError, match="how many images it has per second"):
        video_rate_hz(tmp_path / "nowhere.avi")
