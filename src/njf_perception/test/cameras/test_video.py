"""Videos made on the spot, and folders of images."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_perception.cameras.base import EndOfVideoError
from njf_perception.cameras.video import VideoCamera, VideoConfig
from njf_perception.errors import ConfigError, DataError


@pytest.fixture
def video_file(tmp_path: Path, grey_level: Callable[[int], np.ndarray]) -> Path:
    path = tmp_path / "five.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    for i in range(5):
        writer.write(grey_level(i))
    writer.release()
    return path


def test_video_plays_in_order_at_its_rate_and_ends(video_file, play):
    camera = VideoCamera("camera_0", VideoConfig(path=video_file))
    assert camera.rate_hz == pytest.approx(50.0)
    begin = time.monotonic()
    for sequence, level in play(camera, last=5).items():
        assert level == pytest.approx(20 * sequence, abs=3)
    assert time.monotonic() - begin >= 4 * 0.02 - 0.005
    with pytest.raises(EndOfVideoError, match="at its end"):
        camera.wait_next(5, timeout_s=10.0)
    with pytest.raises(EndOfVideoError):
        camera.read_latest(max_age_s=10.0)
    camera.close()


def test_looping_video_begins_again(video_file, play):
    camera = VideoCamera("camera_0", VideoConfig(path=video_file, loop=True, rate_hz=20.0))
    for sequence, level in play(camera, last=12).items():
        assert level == pytest.approx(20 * ((sequence - 1) % 5 + 1), abs=3)
    camera.close()


def test_folder_of_images_plays_by_name(tmp_path, grey_level, play):
    for i, name in enumerate(["a.png", "b.png", "c.png"]):
        cv2.imwrite(str(tmp_path / name), grey_level(i))
    camera = VideoCamera("camera_0", VideoConfig(path=tmp_path, rate_hz=20.0))
    for sequence, level in play(camera, last=3).items():
        assert level == 20 * sequence
    camera.close()


def test_images_are_rgb_and_stamped_when_shown(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 2] = 200  # red for OpenCV
    cv2.imwrite(str(tmp_path / "red.png"), image)
    camera = VideoCamera("camera_0", VideoConfig(path=tmp_path))
    before_ns = time.time_ns()
    camera.start()
    frame = camera.wait_next(0, timeout_s=10.0)
    assert frame.image[0, 0].tolist() == [200, 0, 0]
    assert before_ns <= frame.wall_ns <= time.time_ns()
    camera.close()


@pytest.mark.parametrize("name", ["missing.avi", "text.avi", "empty"])
def test_what_cannot_be_played_is_refused(tmp_path, name):
    (tmp_path / "text.avi").write_text("no video")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=name):
        VideoCamera("camera_0", VideoConfig(path=tmp_path / name))


def failure_of(config: VideoConfig) -> str:
    """What ends the playing of a recording."""
    camera = VideoCamera("camera_0", config)
    camera.start()
    with pytest.raises(DataError) as failure:
        sequence = 0
        while True:
            sequence = camera.wait_next(sequence, timeout_s=10.0).sequence
    camera.close()
    return str(failure.value)


def test_a_bad_image_in_a_folder_is_named(tmp_path, grey_level):
    cv2.imwrite(str(tmp_path / "a.png"), grey_level(1))
    (tmp_path / "b.png").write_text("no image")
    assert "b.png: not a readable image" in failure_of(VideoConfig(path=tmp_path))


def test_a_change_of_size_is_told(tmp_path, grey_level):
    cv2.imwrite(str(tmp_path / "a.png"), grey_level(1))
    cv2.imwrite(str(tmp_path / "b.png"), grey_level(2)[:24])
    assert "64 x 24 px, expected 64 x 48" in failure_of(VideoConfig(path=tmp_path))


def test_another_size_than_configured_is_told(tmp_path, grey_level):
    cv2.imwrite(str(tmp_path / "a.png"), grey_level(1))
    assert "expected 32 x 48" in failure_of(VideoConfig(path=tmp_path, width=32))


def test_a_video_that_was_cut_off_is_told(tmp_path):
    rng, whole = np.random.default_rng(0), tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 200.0, (64, 48))
    for _ in range(40):
        writer.write(rng.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "the file is cut off" in failure_of(VideoConfig(path=cut))
