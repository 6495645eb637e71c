"""Camera sources: a video made on the spot, a folder, and a fake UVC device with all its moods."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_perception.cameras.base import EndOfVideoError
from njf_perception.cameras.uvc import UvcCamera, UvcConfig
from njf_perception.cameras.video import VideoCamera, VideoConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, StaleDataError


def grey_level(index: int) -> np.ndarray:
    """Image number `index`: one grey level that survives compression."""
    return np.full((48, 64, 3), 20 + 20 * index, np.uint8)


@pytest.fixture
def video_file(tmp_path: Path) -> Path:
    path = tmp_path / "five.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    for i in range(5):
        writer.write(grey_level(i))
    writer.release()
    return path


def play(camera: VideoCamera | UvcCamera, last: int) -> dict[int, int]:
    """Grey level by sequence number of the images seen up to number `last`; a slow reader skips."""
    camera.start()
    seen: dict[int, int] = {0: 0}
    while max(seen) < last:
        frame = camera.wait_next(max(seen), timeout_s=10.0)
        seen[frame.sequence] = round(float(frame.image.mean()))
    del seen[0]
    return seen


def test_video_plays_in_order_at_its_rate_and_ends(video_file):
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


def test_looping_video_begins_again(video_file):
    camera = VideoCamera("camera_0", VideoConfig(path=video_file, loop=True, rate_hz=20.0))
    for sequence, level in play(camera, last=12).items():
        assert level == pytest.approx(20 * ((sequence - 1) % 5 + 1), abs=3)
    camera.close()


def test_folder_of_images_plays_by_name(tmp_path):
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


class FakeDevice:
    """Stands for `cv2.VideoCapture` of a camera; grants every wish but those in `stubborn`."""

    def __init__(self, stubborn: dict[int, float] | None = None, opened: bool = True) -> None:
        self.settings: dict[int, float] = {}
        self.set_order: list[int] = []
        self.stubborn = stubborn or {}
        self.opened, self.released = opened, False
        self.count, self.frozen, self.unplugged = 0, False, False

    def __call__(self, device: str | int, backend: int) -> "FakeDevice":
        self.device, self.backend = device, backend
        return self

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = self.stubborn.get(key, value)
        self.set_order.append(key)
        return True

    def get(self, key: int) -> float:
        return self.settings[key]

    def grab(self) -> bool:
        time.sleep(0.01)
        self.count += not self.frozen
        return not self.unplugged

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((48, 64, 3), self.count % 256, np.uint8)

    def release(self) -> None:
        self.released = True


CONFIG = UvcConfig(device="/dev/v4l/by-id/usb-cam", width=64, height=48, rate_hz=100.0)


def test_uvc_sets_format_first_and_warms_up():
    device = FakeDevice()
    camera = UvcCamera("camera_0", CONFIG, device)
    order = [cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT]
    assert device.set_order[:4] == [*order, cv2.CAP_PROP_FPS]
    assert (device.device, device.backend) == ("/dev/v4l/by-id/usb-cam", cv2.CAP_V4L2)
    assert device.count == CONFIG.warm_up
    camera.close()
    assert device.released


def test_uvc_index_is_a_number_and_controls_are_fixed():
    device = FakeDevice()
    config = CONFIG.model_copy(update={"device": "2", "exposure": 150.0, "focus": 10.0})
    UvcCamera("camera_0", config, device).close()
    assert device.device == 2
    assert device.settings[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert device.settings[cv2.CAP_PROP_EXPOSURE] == 150.0
    assert device.settings[cv2.CAP_PROP_AUTOFOCUS] == 0.0


def test_uvc_refuses_what_was_not_granted():
    yuyv = float(cv2.VideoWriter.fourcc(*"YUYV"))
    device = FakeDevice({cv2.CAP_PROP_FRAME_WIDTH: 32.0, cv2.CAP_PROP_FOURCC: yuyv})
    with pytest.raises(ConfigError) as refusal:
        UvcCamera("camera_0", CONFIG, device)
    assert "width: asked 64, got 32" in str(refusal.value)
    assert "fourcc: asked MJPG, got YUYV" in str(refusal.value)
    assert "height" not in str(refusal.value)
    assert device.released


def test_uvc_that_cannot_be_opened_is_told():
    with pytest.raises(DeviceNotConnectedError, match="usb-cam"):
        UvcCamera("camera_0", CONFIG, FakeDevice(opened=False))


def test_uvc_delivers_fresh_images_in_sequence():
    camera = UvcCamera("camera_0", CONFIG, FakeDevice())
    for sequence, level in play(camera, last=3).items():
        assert level == CONFIG.warm_up + sequence
    frame = camera.read_latest(max_age_s=5.0)
    assert frame.sequence >= 3
    camera.close()


def test_repeated_images_make_a_camera_stale():
    device = FakeDevice()
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=1)
    device.frozen = True
    with pytest.raises(StaleDataError, match="repeated images"):
        for _ in range(100):
            camera.wait_next(camera.read_latest(5.0).sequence, timeout_s=0.2)
    assert camera.duplicates > 0
    with pytest.raises(StaleDataError):
        camera.read_latest(max_age_s=0.1)
    camera.close()


def test_unplugging_is_told_to_every_reader():
    device = FakeDevice()
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=1)
    device.unplugged = True
    with pytest.raises(DeviceNotConnectedError, match="no more images"):
        for _ in range(1000):
            camera.wait_next(camera.read_latest(5.0).sequence, timeout_s=5.0)
    with pytest.raises(DeviceNotConnectedError):
        camera.read_latest(max_age_s=5.0)
    camera.close()


def test_gaps_are_counted_as_drops():
    device = FakeDevice()
    camera = UvcCamera("camera_0", CONFIG, device)
    image = np.zeros((48, 64, 3), np.uint8)
    for number, arrival_s in enumerate([0.00, 0.01, 0.04, 0.05]):
        camera._accept(image + np.uint8(number), 0, arrival_s)
    assert camera.dropped == 2
    camera.close()


def test_never_started_camera_is_stale():
    camera = UvcCamera("camera_0", CONFIG, FakeDevice())
    with pytest.raises(StaleDataError, match="inf s old"):
        camera.read_latest(max_age_s=1.0)
    camera.close()
