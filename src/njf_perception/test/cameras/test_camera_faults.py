"""Cameras that fail in the running node: the reason is on the diagnostics, no old image goes out.

USB cameras run through the real source on a fake of OpenCV's device; recordings are real files.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from njf_perception.cameras.freshness import Instant
from njf_perception.cameras.make import SourceConfig
from njf_perception.cameras.uvc import UvcCamera, UvcConfig
from njf_perception.nodes.camera import CameraNode
from njf_perception.nodes.conversions import stamp_to_ns

pytestmark = [pytest.mark.ros, pytest.mark.fault]

LEVELS = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}
UVC = {"width": 64, "height": 48, "rate_hz": 100.0, "warm_up": 0}
CALIBRATION = """
camera_name: camera_0
image_width: 64
image_height: 48
camera_matrix: {rows: 3, cols: 3, data: [60.0, 0, 31.5, 0, 61.0, 23.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


class Bench(Node):
    """A running camera node, and what it says."""

    def __init__(self, wait_until: Callable[..., None]) -> None:
        super().__init__("bench")
        self._wait_until = wait_until
        self.stamps_ns: list[int] = []
        self.arrived_ns: list[int] = []
        self.statuses: list[DiagnosticStatus] = []
        qos = qos_profile_sensor_data
        self.create_subscription(Image, "camera_0/image_raw", self._on_image, qos)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_image(self, msg: Image) -> None:
        self.arrived_ns.append(time.time_ns())
        self.stamps_ns.append(stamp_to_ns(msg.header.stamp))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.statuses += [status for status in msg.status if status.name == "/camera"]

    def sees(self, number: int) -> None:
        """Wait for so many more images."""
        wanted = len(self.stamps_ns) + number
        self._wait_until(lambda: len(self.stamps_ns) >= wanted, what=f"{number} images")

    def told(self, level: str, text: str) -> DiagnosticStatus:
        """Wait for this reason on the diagnostics, at this level."""

        def found() -> list[DiagnosticStatus]:
            return [s for s in self.statuses if text in s.message and s.level == LEVELS[level]]

        self._wait_until(found, what=f"{level} '{text}'")
        return found()[-1]

    def recovers_from(self, text: str) -> None:
        """Wait until the diagnostics say this no more."""
        self.statuses.clear()
        self._wait_until(lambda: any(text not in s.message for s in self.statuses), what="recovery")

    def silent(self, for_s: float = 0.5) -> None:
        """No image comes any more."""
        time.sleep(0.2)  # what is on its way
        before = len(self.stamps_ns)
        time.sleep(for_s)
        assert len(self.stamps_ns) == before

    def honest(self) -> None:
        """Stamps never go back, and none is later than the image's arrival."""
        assert (np.diff(self.stamps_ns) > 0).all()
        assert (np.array(self.stamps_ns) <= np.array(self.arrived_ns) + 10**8).all()


def counter(status: DiagnosticStatus, key: str) -> int:
    return int(next(pair.value for pair in status.values if pair.key == key))


def opened(name: str, config: SourceConfig, device: Any) -> UvcCamera:
    assert isinstance(config, UvcConfig)
    return UvcCamera(name, config, device)


@pytest.fixture
def bench(spin: Callable[..., None], wait_until: Callable[..., None]) -> Callable[..., Bench]:
    """`bench(device, name=value, ...)` runs a camera node, with a fake device when it is uvc."""

    def start(device: Any = None, **values: Any) -> Bench:
        given = UVC | values if device is not None else values
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        if device is None:
            node = CameraNode(overrides)
        else:
            node = CameraNode(overrides, lambda name, config: opened(name, config, device))
        listener = Bench(wait_until)
        spin(node, listener)
        return listener

    return start


def test_pulled_cable(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.unplugged = True
    told.told("error", "do not come any more. Check its cable")
    told.silent()
    told.told("error", "cannot open 0")
    device.unplugged = False
    told.sees(5)
    told.recovers_from("cannot open")
    told.honest()


def test_hung_camera_repeats_one_image(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.frozen = True
    frozen_ns = time.time_ns()
    status = told.told("error", "repeated bit by bit (a hung camera)")
    assert counter(status, "duplicates") > 0
    told.silent()
    assert told.stamps_ns[-1] < frozen_ns + 10**8
    told.honest()
    device.frozen = False
    told.sees(5)  # a camera that comes back is a camera again


def test_driver_that_raises_something_of_its_own(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.raises = RuntimeError("frame queue overflow")
    told.told("error", "capturing ended by RuntimeError('frame queue overflow')")
    told.silent()


def test_dropped_images(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.period_s = 0.1  # of 100 images per second, ten are left
    status = told.told("warn", "images missing: check cable and USB bandwidth")
    assert "instead of 100 Hz" in status.message
    assert counter(status, "dropped") > 50
    told.honest()


def test_images_that_cannot_be_decoded(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.garbled = True
    told.told("error", "cannot be decoded")
    told.silent()


def test_stamps_that_go_backwards(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.skew_s, device.drift_s = -0.1, -0.02
    status = told.told("error", "stamps go backwards")
    assert counter(status, "backwards") > 0
    told.silent()
    told.honest()


def test_camera_clock_that_jumps_ahead(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.skew_s = 0.5
    told.told("error", "stamped in the future (a clock jumped)")
    told.silent()
    told.honest()
    device.skew_s = 0.0
    told.sees(5)


def test_computer_clock_that_jumps_ahead(bench, fake_device, monkeypatch):
    told = bench(fake_device())
    told.sees(5)
    now = Instant.now

    def shifted() -> Instant:
        return Instant(now().wall_ns + 3600 * 10**9, now().monotonic_s)

    monkeypatch.setattr(Instant, "now", staticmethod(shifted))
    status = told.told("warn", "the clock was set by +3.6e+03 s")
    assert counter(status, "clock_jumps") == 1
    told.sees(5)  # stamped by the clock as it is now
    assert told.stamps_ns[-1] - told.arrived_ns[-1] > 3590 * 10**9


def test_images_that_arrive_too_late(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.skew_s = -3.0
    told.told("error", "taken more than 1 s before they arrived")
    told.silent()
    told.honest()


def test_lens_cap(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.dark = True
    status = told.told("warn", "images are black: is the lens cap on")
    assert counter(status, "dark") > 0
    told.honest()
    device.dark = False
    told.recovers_from("images are black")


def test_another_mode_than_granted(bench, fake_device):
    device = fake_device()
    told = bench(device)
    told.sees(5)
    device.height, device.width = 24, 32
    told.told("error", "asked 64 x 48 px, its images are 32 x 24 although it claims otherwise")
    told.silent()


def test_controls_that_are_ignored(bench, fake_device):
    told = bench(fake_device({cv2.CAP_PROP_AUTO_EXPOSURE: 3.0}), exposure=100.0)
    told.told("warn", "ignores controls (auto_exposure: asked 1, got 3)")
    told.sees(5)


def test_calibration_of_another_size(bench, fake_device, tmp_path):
    path = tmp_path / "calibration.yaml"
    path.write_text(CALIBRATION.replace("image_width: 64", "image_width: 128"))
    told = bench(fake_device(), calibration=str(path))
    told.told("error", "Image of 64 x 48 px, calibrated were 128 x 48. Calibrate at the size")
    told.silent()
    assert not told.stamps_ns


def test_image_size_that_changes(bench, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        image = rng.integers(0, 255, (48 if i < 8 else 24, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{i:02}.png"), image)
    told = bench(source="video", path=str(tmp_path), rate_hz=10.0)
    told.sees(1)
    told.told("error", "an image is 64 x 24 px, expected 64 x 48")
    told.silent()
    told.honest()


def test_bag_that_breaks_off_in_the_middle(bench, make_bag, tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(30)]
    whole = make_bag(images, [0.05 * i for i in range(30)])
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    told = bench(source="bag", path=str(cut), topic="/camera_0/image_raw", loop=True)
    told.sees(1)
    told.told("error", "was not closed properly; it breaks off after")
    told.silent()
    told.honest()


def test_recorded_stamps_that_go_backwards(bench, make_bag):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    stamps_s = [1000.0 + 0.05 * (i - 25 * (i > 20)) for i in range(40)]
    bag = make_bag(images, stamps_s)
    told = bench(source="bag", path=str(bag), topic="/camera_0/image_raw", keep_stamps=True)
    told.told("warn", "stamps go backwards")
    told.honest()


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ("data: [.nan, 0, 31.5", "camera_matrix.data.0': Input should be a finite number"),
        ("data: [60.0, 0, .inf", "camera_matrix.data.2': Input should be a finite number"),
        ("data: [0.0, 0, 31.5", "focal lengths 0.0, 61.0 must be above 0"),
    ],
)
def test_calibration_that_is_no_number(start_process, tmp_path, spoiled, reason):
    path = tmp_path / "calibration.yaml"
    path.write_text(CALIBRATION.replace("data: [60.0, 0, 31.5", spoiled))
    assert reason in ended_with(start_process, calibration=str(path))


def test_unknown_topic_of_a_bag(start_process, make_bag, grey_level):
    bag = make_bag([grey_level(0)], [0.0])
    error = ended_with(start_process, source="bag", path=str(bag), topic="/front/image_raw")
    assert "topic '/front/image_raw' is not in the bag" in error
    assert "/camera_0/image_raw" in error


def ended_with(start_process: Callable[..., subprocess.Popen[str]], **values: str | Path) -> str:
    """What a camera process says that ends before it published anything."""
    given = [text for name, value in values.items() for text in ("-p", f"{name}:={value}")]
    process = start_process(
        "njf_perception.nodes.camera", "--ros-args", *given, stderr=subprocess.PIPE
    )
    _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 1
    return errors
