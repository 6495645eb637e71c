"""USB cameras: a fake device that grants, refuses, hangs and vanishes."""

import subprocess
import time

import cv2
import pytest

from njf_perception.cameras import v4l
from njf_perception.cameras.freshness import Instant
from njf_perception.cameras.uvc import UvcCamera, UvcConfig
from njf_perception.errors import ConfigError, DeviceNotConnectedError, StaleDataError

CONFIG = UvcConfig(device="/dev/v4l/by-id/usb-cam", width=64, height=48, rate_hz=100.0)


def test_uvc_sets_format_first_and_warms_up(fake_device):
    device = fake_device()
    camera = UvcCamera("camera_0", CONFIG, device)
    order = [cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT]
    assert device.set_order[:4] == [*order, cv2.CAP_PROP_FPS]
    assert (device.device, device.backend) == ("/dev/v4l/by-id/usb-cam", cv2.CAP_V4L2)
    assert device.count == CONFIG.warm_up
    camera.close()
    assert device.released


def test_uvc_index_is_a_number_and_controls_are_fixed(fake_device):
    device = fake_device()
    config = CONFIG.model_copy(update={"device": "2", "exposure": 150.0, "focus": 10.0})
    UvcCamera("camera_0", config, device).close()
    assert device.device == 2
    assert device.settings[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    assert device.settings[cv2.CAP_PROP_EXPOSURE] == 150.0
    assert device.settings[cv2.CAP_PROP_AUTOFOCUS] == 0.0


def test_uvc_refuses_what_was_not_granted(fake_device):
    yuyv = float(cv2.VideoWriter.fourcc(*"YUYV"))
    device = fake_device({cv2.CAP_PROP_FRAME_WIDTH: 32.0, cv2.CAP_PROP_FOURCC: yuyv})
    with pytest.raises(ConfigError) as refusal:
        UvcCamera("camera_0", CONFIG, device)
    assert "width: asked 64, got 32" in str(refusal.value)
    assert "fourcc: asked MJPG, got YUYV" in str(refusal.value)
    assert "height" not in str(refusal.value)
    assert device.released


def test_uvc_that_cannot_be_opened_is_told(fake_device):
    with pytest.raises(DeviceNotConnectedError, match="usb-cam"):
        UvcCamera("camera_0", CONFIG, fake_device(opened=False))


def test_uvc_delivers_fresh_images_in_sequence(fake_device, play):
    camera = UvcCamera("camera_0", CONFIG, fake_device())
    for sequence, level in play(camera, last=3).items():
        assert level == 20 + CONFIG.warm_up + sequence
    frame = camera.read_latest(max_age_s=5.0)
    assert frame.sequence >= 3
    camera.close()


def test_repeated_images_make_a_camera_stale(fake_device, play):
    device = fake_device()
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=1)
    device.frozen = True
    with pytest.raises(StaleDataError, match="repeated bit by bit"):
        for _ in range(100):
            camera.wait_next(camera.read_latest(5.0).sequence, timeout_s=0.2)
    assert camera.counters.duplicates > 0
    with pytest.raises(StaleDataError):
        camera.read_latest(max_age_s=0.1)
    camera.close()


def test_unplugging_is_told_to_every_reader(fake_device, play):
    device = fake_device()
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=1)
    device.unplugged = True
    with pytest.raises(DeviceNotConnectedError, match="do not come any more"):
        for _ in range(1000):
            camera.wait_next(camera.read_latest(5.0).sequence, timeout_s=5.0)
    with pytest.raises(DeviceNotConnectedError):
        camera.read_latest(max_age_s=5.0)
    camera.close()


def test_never_started_camera_is_stale(fake_device):
    camera = UvcCamera("camera_0", CONFIG, fake_device())
    with pytest.raises(StaleDataError, match="inf s old"):
        camera.read_latest(max_age_s=1.0)
    camera.close()


def test_uvc_warns_once_of_controls_that_the_device_ignores(fake_device):
    device = fake_device({cv2.CAP_PROP_AUTO_EXPOSURE: 3.0, cv2.CAP_PROP_FOCUS: 0.0})
    config = CONFIG.model_copy(update={"exposure": 150.0, "focus": 10.0, "gain": 4.0})
    camera = UvcCamera("camera_0", config, device)
    camera.close()
    [warning] = camera.warnings
    assert "auto_exposure: asked 1, got 3; focus: asked 10, got 0" in warning
    assert "v4l2-ctl -d /dev/v4l/by-id/usb-cam --list-ctrls-menus" in warning


def test_what_the_camera_chooses_by_itself_is_warned_of_unless_it_is_set(fake_device):
    device = fake_device()
    automatic = {cv2.CAP_PROP_AUTO_EXPOSURE: 3.0, cv2.CAP_PROP_AUTO_WB: 1.0}
    device.settings.update(automatic)
    camera = UvcCamera("camera_0", CONFIG, device)
    camera.close()
    [warning] = camera.warnings
    assert "usb-cam chooses by itself: exposure, white_balance_k." in warning
    device.settings.update(automatic)
    fixed = CONFIG.model_copy(update={"exposure": 150.0, "white_balance_k": 4600.0})
    camera = UvcCamera("camera_0", fixed, device)
    camera.close()
    assert camera.warnings == []


def test_images_are_stamped_when_they_were_taken(fake_device, play):
    device = fake_device()
    device.skew_s = -0.2  # what exposure and transfer take
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=1)
    frame, now = camera.read_latest(5.0), Instant.now()
    age_s = now.monotonic_s - frame.monotonic_s
    assert 0.2 <= age_s < 5.0
    assert (now.wall_ns - frame.wall_ns) * 1e-9 == pytest.approx(age_s, abs=0.01)
    camera.close()


@pytest.mark.parametrize("skew_s", [-1e5, 1e5])
def test_stamps_of_another_clock_are_not_believed(fake_device, play, skew_s):
    device = fake_device()
    device.skew_s = skew_s
    camera = UvcCamera("camera_0", CONFIG, device)
    play(camera, last=2)
    assert abs(camera.read_latest(5.0).monotonic_s - time.monotonic()) < 5.0
    camera.close()


LISTING = """ioctl: VIDIOC_ENUM_FMT
\tType: Video Capture

\t[0]: 'MJPG' (Motion-JPEG, compressed)
\t\tSize: Discrete 1280x720
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t[1]: 'YUYV' (YUYV 4:2:2)
\t\tSize: Discrete 640x480
\t\t\tInterval: Discrete 0.033s (30.000 fps)
\t\t\tInterval: Discrete 0.133s (7.500 fps)
"""


def test_a_refused_mode_comes_with_those_that_are_offered(fake_device, monkeypatch):
    monkeypatch.setattr(v4l, "offered_modes", lambda device: v4l.parse_modes(LISTING))
    device = fake_device({cv2.CAP_PROP_FPS: 15.0})
    with pytest.raises(ConfigError) as refusal:
        UvcCamera("camera_0", CONFIG, device)
    assert "rate_hz: asked 100, got 15" in str(refusal.value)
    assert "MJPG 1280x720 at 30 fps, YUYV 640x480 at 30 fps, YUYV 640x480 at 7.5 fps" in str(
        refusal.value
    )
    assert "'v4l2-ctl -d /dev/v4l/by-id/usb-cam --list-formats-ext'" in str(refusal.value)


def test_v4l2_ctl_is_asked_and_may_be_missing():
    def answer(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        assert command == ["v4l2-ctl", "-d", "/dev/video7", "--list-formats-ext"]
        return subprocess.CompletedProcess(command, 0, LISTING, "")

    def missing(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(command[0])

    assert len(v4l.offered_modes("/dev/video7", answer)) == 3
    assert v4l.offered_modes("/dev/video7", missing) == []


def test_stable_names_are_those_that_give_images(tmp_path):
    for name in ("usb-B-video-index0", "usb-A-video-index0", "usb-A-video-index1"):
        (tmp_path / name).touch()
    assert [p.name for p in v4l.stable_names(tmp_path)] == [
        "usb-A-video-index0",
        "usb-B-video-index0",
    ]
    assert "usb-A-video-index0" in v4l.available(tmp_path)
    lasting = tmp_path / "usb-C-video-index0"
    lasting.symlink_to(tmp_path / "video3")
    assert v4l.stable_name(str(tmp_path / "video3"), tmp_path / "none") is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video3").symlink_to(tmp_path / "video3")
    assert v4l.stable_name(str(tmp_path / "dev" / "video3"), tmp_path) == lasting
    assert v4l.stable_name(str(lasting), tmp_path) is None
    assert v4l.stable_name("/dev/v4l/by-path/pci-0-video-index0", v4l.BY_ID) is None
    assert "no camera" in v4l.available(tmp_path / "none")
