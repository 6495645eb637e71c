"""RealSense cameras: librealsense's own software device where it is installed, words where not."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from njf_perception.cameras import realsense
from njf_perception.cameras.clock_map import RESET_S, ClockMap
from njf_perception.cameras.realsense import (
    RealSenseCamera,
    RealSenseConfig,
    find_device,
    realsense_module,
)
from njf_perception.cameras.realsense_lens import fit_plumb_bob, lens_calibration
from njf_perception.errors import ConfigError, DeviceNotConnectedError

WIDTH, HEIGHT = 64, 48
LENS = [-0.055, 0.065, 1e-3, -5e-4, -0.02]  # about a D455's colour sensor
CONFIG = RealSenseConfig(serial="12", width=WIDTH, height=HEIGHT, rate_hz=30.0, warm_up=1)


class SoftwareDevice:
    """A librealsense device without hardware: its frames are made here, the rest is the library."""

    def __init__(self, rs: Any) -> None:
        self.rs, self.device = rs, rs.software_device()
        self.device.register_info(rs.camera_info.serial_number, "12")
        self.domain, self.skew_s = rs.timestamp_domain.system_time, 0.0
        self.color = self.device.add_sensor("RGB Camera")
        self.depth = self.device.add_sensor("Stereo Module")
        self.profiles = [
            self._stream(self.color, rs.stream.color, rs.format.rgb8, 3),
            self._stream(self.depth, rs.stream.depth, rs.format.z16, 2),
        ]
        self.depth.add_read_only_option(rs.option.depth_units, 5e-4)
        self._same_place(*self.profiles)
        for option, least, most in (
            (rs.option.enable_auto_exposure, 0, 1),
            (rs.option.exposure, 1, 10000),
            (rs.option.gain, 0, 128),
        ):
            limits = rs.option_range()
            limits.min, limits.max, limits.default, limits.step = least, most, least, 1
            self.color.add_option(option, limits, True)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._feed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    def _stream(self, sensor: Any, kind: Any, pixels: Any, size: int) -> Any:
        stream = self.rs.video_stream()
        stream.type, stream.fmt, stream.bpp = kind, pixels, size
        stream.index, stream.uid, stream.fps = 0, size, 30
        lens = intrinsics(self.rs, "inverse_brown_conrady" if size == 3 else "none")
        if size == 2:  # depth is of half the size, and has to be aligned
            lens.width, lens.height, lens.fx, lens.fy = WIDTH // 2, HEIGHT // 2, 30.0, 30.5
            lens.ppx, lens.ppy = 15.5, 11.5
        stream.width, stream.height, stream.intrinsics = lens.width, lens.height, lens
        return sensor.add_video_stream(stream, True).as_video_stream_profile()

    def _same_place(self, one: Any, other: Any) -> None:
        pose = self.rs.extrinsics()
        pose.rotation, pose.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0]
        one.register_extrinsics_to(other, pose)
        other.register_extrinsics_to(one, pose)

    def _feed(self) -> None:
        number = 0
        while not self._ending.wait(1 / 30):
            number += 1
            stamp_ms = 1e3 * (time.time() + self.skew_s)
            color = np.full((HEIGHT, WIDTH, 3), number % 200, np.uint8)
            depth = np.full((HEIGHT // 2, WIDTH // 2), 1000, np.uint16)
            for sensor, profile, pixels in zip(
                (self.color, self.depth), self.profiles, (color, depth), strict=True
            ):
                if not sensor.get_active_streams():
                    continue
                frame = self.rs.software_video_frame()
                frame.pixels, frame.bpp = pixels, pixels.itemsize * pixels[0, 0].size
                frame.stride, frame.timestamp = pixels.strides[0], stamp_ms
                frame.domain, frame.frame_number, frame.profile = self.domain, number, profile
                sensor.on_video_frame(frame)


def intrinsics(rs: Any, model: str) -> Any:
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy = WIDTH, HEIGHT, 60.0, 61.0
    lens.ppx, lens.ppy, lens.model = 31.5, 23.5, getattr(rs.distortion, model)
    lens.coeffs = [0.0] * 5 if model == "none" else LENS
    return lens


@pytest.fixture
def rs() -> Any:
    """The real module; it needs libusb, but no camera."""
    try:
        return realsense_module()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture
def software(rs: Any) -> Iterator[SoftwareDevice]:
    device = SoftwareDevice(rs)
    device.start()
    yield device
    device.close()


@pytest.fixture
def opened(software: SoftwareDevice) -> Iterator[Callable[..., RealSenseCamera]]:
    """`opened(**changes)` is a running camera on the software device."""
    cameras: list[RealSenseCamera] = []

    def start(**changes: Any) -> RealSenseCamera:
        config = CONFIG.model_copy(update=changes)
        cameras.append(RealSenseCamera("camera_0", config, software.device))
        cameras[-1].start()
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.close()


def test_images_come_fresh_with_the_factory_calibration(opened):
    camera = opened()
    first = camera.wait_next(0, 10.0)
    later = camera.wait_next(first.sequence, 10.0)
    assert later.image.shape == (HEIGHT, WIDTH, 3)
    assert later.image[0, 0, 0] > first.image[0, 0, 0]
    assert later.depth_mm is None
    assert 0 <= time.monotonic() - later.monotonic_s < 5.0
    assert abs(later.wall_ns - time.time_ns()) < 5 * 10**9
    assert camera.calibration is not None
    assert camera.calibration.intrinsics.tolist() == [[60, 0, 31.5], [0, 61, 23.5], [0, 0, 1]]


def test_depth_comes_in_millimetres_beside_the_image(opened):
    camera = opened(depth=True)
    sequence = 0
    for _ in range(100):
        frame = camera.wait_next(sequence, 10.0)
        sequence = frame.sequence
        if frame.depth_mm is not None:
            break
    assert frame.depth_mm is not None
    assert frame.depth_mm.shape == (HEIGHT, WIDTH)
    assert np.median(frame.depth_mm) == 500  # 1000 units of half a millimetre


@pytest.mark.parametrize("skew_s", [-1e6, 1e6])
def test_a_hardware_clock_is_mapped_to_this_computers(software, opened, rs, skew_s):
    software.domain, software.skew_s = rs.timestamp_domain.hardware_clock, skew_s
    camera = opened()
    frame = camera.wait_next(0, 10.0)
    assert abs(frame.monotonic_s - time.monotonic()) < 5.0
    assert abs(frame.wall_ns - time.time_ns()) < 5 * 10**9


def test_controls_are_fixed_and_what_lacks_is_warned_of(software, opened, rs):
    camera = opened(exposure=200.0, gain=16.0, white_balance_k=4600.0)
    assert software.color.get_option(rs.option.exposure) == 200.0
    assert software.color.get_option(rs.option.gain) == 16.0
    [warning] = camera.warnings
    assert "white_balance: not supported" in warning
    assert "exposure" not in warning.split("enable_auto_white_balance")[0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"width": 640}, "no color of 640 x 48 px at 30 Hz. It offers 64 x 48 px at 30 Hz"),
        ({"rate_hz": 60.0}, "at 60 Hz"),
        ({"exposure": 1e6}, "exposure 1e[+]06 is outside 1 to 10000"),
    ],
)
def test_what_the_camera_cannot_do_is_refused_with_what_it_can(software, changes, text):
    with pytest.raises(ConfigError, match=text):
        RealSenseCamera("camera_0", CONFIG.model_copy(update=changes), software.device)


def test_a_camera_that_is_gone_is_told(software, opened, monkeypatch):
    camera = opened()
    camera.wait_next(0, 10.0)
    software.close()

    class Gone:
        @staticmethod
        def is_connected() -> bool:
            return False

    monkeypatch.setattr(camera, "_device", Gone)
    with pytest.raises(DeviceNotConnectedError, match="RealSense 12 is gone. Check its cable"):
        camera.wait_next(10**6, timeout_s=20.0)


def test_without_a_camera_it_says_so(rs):
    with pytest.raises(DeviceNotConnectedError, match="RealSense 99 is not there; connected: none"):
        find_device(rs, "99")


@pytest.mark.parametrize("model", ["brown_conrady", "inverse_brown_conrady"])
def test_the_fitted_lens_is_the_librarys(rs, model):
    lens = intrinsics(rs, model)
    coefficients, error_px = fit_plumb_bob(lens, rs.rs2_project_point_to_pixel)
    assert error_px < 0.01
    ray = np.array([0.3, -0.2, 1.0])
    K = np.array([[60.0, 0, 31.5], [0, 61.0, 23.5], [0, 0, 1]])
    ours = cv2.projectPoints(ray[None], np.zeros(3), np.zeros(3), K, coefficients)[0].ravel()
    np.testing.assert_allclose(ours, rs.rs2_project_point_to_pixel(lens, list(ray)), atol=0.01)


class Lens:
    """Intrinsics as librealsense gives them, of a lens that no polynomial follows."""

    width, height, fx, fy, ppx, ppy = 640, 480, 300.0, 300.0, 319.5, 239.5
    coeffs = (0.5, 0.0, 0.0, 0.0, 0.0)

    class model:  # noqa: N801
        name = "kannala_brandt4"


def test_a_lens_that_plumb_bob_does_not_follow_is_refused():
    def steps(lens: Any, ray: Any) -> list[float]:
        return [300 * ray[0] + 319.5, 300 * ray[1] + 239.5 + 5 * (ray[0] > 0)]

    with pytest.raises(ConfigError, match="kannala_brandt4 differs from plumb_bob by"):
        lens_calibration("camera_0", Lens, steps)


class Refusing:
    """What pyrealsense2 looks like to somebody who may not open the camera, or one that hangs."""

    class camera_info:  # noqa: N801
        serial_number = "serial"

    def __init__(self, refuses_sensors: bool) -> None:
        self.refuses_sensors = refuses_sensors

    def context(self) -> "Refusing":
        return self

    def query_devices(self) -> list["Refusing"]:
        if not self.refuses_sensors:
            raise RuntimeError("Cannot open /dev/video0: Permission denied")
        return [self]

    def get_info(self, key: str) -> str:
        return "12"

    def query_sensors(self) -> list[Any]:
        raise RuntimeError("failed to set power state")


@pytest.mark.parametrize(
    ("refuses_sensors", "text"), [(False, "Permission denied"), (True, "power state")]
)
def test_a_camera_that_may_not_be_opened_is_told(monkeypatch, refuses_sensors, text):
    monkeypatch.setattr(realsense, "realsense_module", lambda: Refusing(refuses_sensors))
    with pytest.raises(DeviceNotConnectedError, match=f"RealSense 12: .*{text}.*udev rules"):
        RealSenseCamera("camera_0", CONFIG)


def test_an_exposure_that_nobody_fixed_is_warned_of(software, opened, rs):
    software.color.set_option(rs.option.enable_auto_exposure, 1)
    [warning] = opened().warnings
    assert "RealSense 12 chooses by itself: exposure." in warning
    assert opened(exposure=200.0).warnings == []


def test_without_the_module_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(ConfigError, match="pip install pyrealsense2"):
        RealSenseCamera("camera_0", CONFIG)


def test_a_clock_map_takes_the_fastest_arrival():
    clock = ClockMap()
    delays_s = [0.030, 0.010, 0.025, 0.012]
    found = [clock.monotonic_s(i / 30, 500.0 + i / 30 + d) for i, d in enumerate(delays_s)]
    np.testing.assert_allclose(
        found, [500.030, 500.010 + 1 / 30, 500.010 + 2 / 30, 500.010 + 3 / 30]
    )


def test_a_device_clock_that_begins_anew_is_mapped_anew():
    clock = ClockMap()
    clock.monotonic_s(100.0, 500.0)
    assert clock.monotonic_s(0.0, 500.0 + 2 * RESET_S) == pytest.approx(500.0 + 2 * RESET_S)
    assert clock.monotonic_s(1.0, 501.0 + 2 * RESET_S) == pytest.approx(501.0 + 2 * RESET_S)
