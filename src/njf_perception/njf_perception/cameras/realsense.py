"""Intel RealSense cameras through librealsense's Python module, which is installed only for them.

The mode is chosen from what the camera lists, and read back from the running streams. Exposure,
gain and white balance are fixed on request and read back. The intrinsics are the factory's.
"""

import importlib
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt16
from pydantic import Field

from njf_perception.cameras.base import CameraSource, Grabbed
from njf_perception.cameras.clock_map import ClockMap
from njf_perception.cameras.device_config import DeviceConfig, warn_of_automatic
from njf_perception.cameras.freshness import Instant
from njf_perception.cameras.realsense_lens import lens_calibration
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_TIMEOUT_MS = 1000
_MILLIMETRE_M = 1e-3
_SHOWN_MODES = 12


class RealSenseConfig(DeviceConfig):
    """What to ask of a RealSense."""

    source: Literal["realsense"] = "realsense"
    serial: str = Field(default="", description="serial number; empty: the only RealSense there is")
    depth: bool = Field(default=False, description="also publish depth, aligned to the images")


def realsense_module() -> Any:
    """The module pyrealsense2.

    Raises:
        ConfigError: it is not installed, or a library that it needs is not.
    """
    try:
        return importlib.import_module("pyrealsense2")
    except ImportError as error:
        missing = "`pip install pyrealsense2`"
        if not isinstance(error, ModuleNotFoundError):
            missing = "`sudo apt install libusb-1.0-0 libudev1`"
        raise ConfigError(
            f"the camera source realsense needs pyrealsense2 ({error}). Install it with {missing}, "
            "or run realsense-ros and no camera node; see docs/hardware/cameras.md."
        ) from None


def find_device(rs: Any, serial: str) -> Any:
    """The connected RealSense with a serial number; the only one when `serial` is empty.

    Raises:
        DeviceNotConnectedError: there is none; the message lists those there are.
        ConfigError: there are several and no number says which.
    """
    devices = {d.get_info(rs.camera_info.serial_number): d for d in rs.context().query_devices()}
    found = ", ".join(sorted(devices)) or "none"
    if not serial and len(devices) > 1:
        raise ConfigError(f"there are RealSense cameras {found}. Set the parameter serial to one.")
    if not devices or (serial and serial not in devices):
        raise DeviceNotConnectedError(
            f"RealSense {serial or '(any)'} is not there; connected: {found}. Plug it into a USB 3 "
            "port, close realsense-viewer and realsense-ros, and see `rs-enumerate-devices -s`."
        )
    return devices[serial] if serial else next(iter(devices.values()))


class RealSenseCamera(CameraSource):
    """A RealSense's colour images, on request with depth aligned to them.

    Args:
        name: of the camera.
        config: what to ask of it.
        device: librealsense's device; None: found by its serial number.

    Raises:
        DeviceNotConnectedError: no such camera.
        ConfigError: pyrealsense2 is missing, or the camera has no such mode or setting; the message
            lists what it offers.
    """

    def __init__(self, name: str, config: RealSenseConfig, device: Any = None) -> None:
        super().__init__(name, config.rate_hz, repeats_allowed=False)
        self._config = config
        self._rs = realsense_module()
        self._running: list[Any] = []
        try:
            self._device = device or find_device(self._rs, config.serial)
            self._sensors = list(self._device.query_sensors())
            self._clock = ClockMap()
            self._align = self._rs.align(self._rs.stream.color)
            self._frames = self._rs.syncer()
            self._open()
            for _ in range(config.warm_up):
                self._grab()
        except RuntimeError as error:  # how librealsense says everything
            self._release()
            raise DeviceNotConnectedError(
                f"{name}: RealSense {config.serial or '(any)'}: {error}. See that no other program "
                "uses it and that librealsense's udev rules let you open it "
                "(docs/hardware/cameras.md), then unplug it and plug it in again."
            ) from None
        except Exception:
            self._release()
            raise

    def _open(self) -> None:
        rs, config = self._rs, self._config
        self._warn_of_usb_2()
        wanted = {rs.stream.color: rs.format.rgb8}
        if config.depth:
            wanted[rs.stream.depth] = rs.format.z16
        chosen = [self._choose(stream, kind) for stream, kind in wanted.items()]
        color_sensor = chosen[0][0]
        self._fix_controls(color_sensor)
        self._warn_of_automatic(color_sensor)
        for sensor in {id(s): s for s, _ in chosen}.values():
            if sensor.supports(rs.option.global_time_enabled):
                sensor.set_option(rs.option.global_time_enabled, 1)
            sensor.open([profile for owner, profile in chosen if owner is sensor])
            self._running.append(sensor)
            sensor.start(self._frames)
        active = [
            p for p in color_sensor.get_active_streams() if p.stream_type() == rs.stream.color
        ]
        video = active[0].as_video_stream_profile()
        granted = (video.width(), video.height(), video.fps(), video.format())
        if granted != (config.width, config.height, config.rate_hz, rs.format.rgb8):
            raise ConfigError(
                f"{self.name}: asked {self._asked()} in rgb8, got {granted}. Choose another mode."
            )
        self.calibration = lens_calibration(
            self.name, video.get_intrinsics(), rs.rs2_project_point_to_pixel
        )

    def _warn_of_usb_2(self) -> None:
        key = self._rs.camera_info.usb_type_descriptor
        version = self._device.get_info(key) if self._device.supports(key) else ""
        if version.startswith(("1", "2")):
            self.warnings.append(
                f"RealSense {self._config.serial} is on USB {version}: images may be late or "
                "missing. Use a USB 3 port and the cable it came with."
            )

    def _choose(self, stream: Any, kind: Any) -> tuple[Any, Any]:
        """Sensor and profile of the wanted mode.

        Depth is aligned to the image later and may be of another size: it is the largest there is,
        where none is of the image's.
        """
        config, rs = self._config, self._rs
        wanted = (config.width, config.height)
        offered = {
            (video.width(), video.height(), video.fps()): (sensor, profile)
            for sensor in self._sensors
            for profile in sensor.get_stream_profiles()
            if profile.stream_type() == stream and profile.format() == kind
            for video in (profile.as_video_stream_profile(),)
        }
        sizes = {mode[:2]: found for mode, found in offered.items() if mode[2] == config.rate_hz}
        if stream == rs.stream.depth and wanted not in sizes and sizes:
            return sizes[max(sizes)]
        if wanted in sizes:
            return sizes[wanted]
        modes = [f"{w} x {h} px at {fps} Hz" for w, h, fps in sorted(offered, reverse=True)]
        raise ConfigError(
            f"{self.name}: RealSense {config.serial} has no {stream.name} of {self._asked()}. It "
            f"offers {', '.join(modes[:_SHOWN_MODES]) or 'nothing of this kind'}; all of them: "
            "`rs-enumerate-devices`. On a USB 2 port it has fewer."
        )

    def _asked(self) -> str:
        config = self._config
        return f"{config.width} x {config.height} px at {config.rate_hz:g} Hz"

    def _fix_controls(self, sensor: Any) -> None:
        option, config = self._rs.option, self._config
        wanted: list[tuple[Any, float]] = []
        if config.exposure is not None or config.gain is not None:
            wanted.append((option.enable_auto_exposure, 0.0))
        if config.white_balance_k is not None:
            wanted.append((option.enable_auto_white_balance, 0.0))
        values = {
            option.exposure: config.exposure,
            option.gain: config.gain,
            option.white_balance: config.white_balance_k,
        }
        wanted += [(key, value) for key, value in values.items() if value is not None]
        ignored = [text for key, value in wanted if (text := self._set(sensor, key, value))]
        if ignored:
            self.warnings.append(
                f"RealSense {config.serial} ignores controls ({'; '.join(ignored)}), so its images "
                "may change by themselves. See its controls in realsense-viewer."
            )

    def _warn_of_automatic(self, sensor: Any) -> None:
        option, config = self._rs.option, self._config
        asked = {
            "exposure": (option.enable_auto_exposure, (config.exposure, config.gain)),
            "white_balance_k": (option.enable_auto_white_balance, (config.white_balance_k,)),
        }
        automatic = [
            name
            for name, (key, values) in asked.items()
            if values.count(None) == len(values)
            and sensor.supports(key)
            and sensor.get_option(key) > 0.0
        ]
        self.warnings += warn_of_automatic(f"RealSense {config.serial}".rstrip(), automatic)

    def _set(self, sensor: Any, option: Any, value: float) -> str:
        """Set one option; what was not granted, in words.

        Raises:
            ConfigError: the value is outside the option's range.
        """
        if not sensor.supports(option):
            return f"{option.name}: not supported"
        allowed = sensor.get_option_range(option)
        if not allowed.min <= value <= allowed.max:
            raise ConfigError(
                f"{self.name}: {option.name} {value:g} is outside {allowed.min:g} to "
                f"{allowed.max:g}. Choose a value in steps of {allowed.step:g}."
            )
        sensor.set_option(option, value)
        got = sensor.get_option(option)
        granted = abs(got - value) <= allowed.step
        return "" if granted else f"{option.name}: asked {value:g}, got {got:g}"

    def _grab(self) -> Grabbed | None:
        arrived, frames = self._frames.try_wait_for_frames(_TIMEOUT_MS)
        now = Instant.now()
        if not arrived:
            if not self._device.is_connected():
                raise DeviceNotConnectedError(
                    f"{self.name}: RealSense {self._config.serial} is gone. Check its cable."
                )
            return None
        color = frames.get_color_frame()
        if not color:
            return None
        taken = self._taken(color, now)
        depth_mm = self._depth_mm(frames)
        return Grabbed(np.array(np.asanyarray(color.get_data())), taken, depth_mm)

    def _depth_mm(self, frames: Any) -> UInt16[np.ndarray, "h w"] | None:
        if not self._config.depth or not frames.get_depth_frame():
            return None
        depth = self._align.process(frames).get_depth_frame()
        if not depth:
            return None
        scale = depth.get_units() / _MILLIMETRE_M
        values = np.asanyarray(depth.get_data())
        if abs(scale - 1.0) < 1e-6:
            return values.copy()
        millimetres = np.rint(values * scale)
        return np.where(millimetres <= np.iinfo(np.uint16).max, millimetres, 0).astype(np.uint16)

    def _taken(self, color: Any, now: Instant) -> Instant:
        """When the image was taken, by the domain of its stamp.

        Global and system time are this computer's wall clock; a hardware stamp counts from an
        instant of the camera's own.
        """
        stamp_s = color.get_timestamp() * 1e-3
        if color.get_frame_timestamp_domain() == self._rs.timestamp_domain.hardware_clock:
            return now.before(now.monotonic_s - self._clock.monotonic_s(stamp_s, now.monotonic_s))
        return now.before(now.wall_ns * 1e-9 - stamp_s)

    def _release(self) -> None:
        running, self._running = self._running, []
        for sensor in running:
            try:
                sensor.stop()
                sensor.close()
            except RuntimeError:  # a camera that was unplugged cannot be stopped
                continue
