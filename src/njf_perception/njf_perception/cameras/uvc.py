"""USB cameras (UVC) through OpenCV's V4L2 backend.

What a camera is asked for and what it does differ easily: format, size and rate are set in that
order, read back, and a difference is refused; the images' own size is checked once more. Exposure,
gain, white balance and focus are worth fixing: optical flow and learned features suffer when the
camera adapts. Here a difference is only warned of, as many cameras lack one of them, and so is what
nobody fixed.
"""

from collections.abc import Callable
from typing import Any, Literal

import cv2
from pydantic import Field

from njf_perception.cameras import v4l
from njf_perception.cameras.base import CameraSource, Grabbed
from njf_perception.cameras.device_config import DeviceConfig, warn_of_automatic
from njf_perception.cameras.freshness import LATE_S, Instant
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_MANUAL_EXPOSURE = 1.0  # V4L2_EXPOSURE_MANUAL
_AUTOMATIC = {  # by setting: the property, and its values with which the camera chooses itself
    "exposure": (cv2.CAP_PROP_AUTO_EXPOSURE, (0.0, 3.0)),  # V4L2_EXPOSURE_AUTO, _APERTURE_PRIORITY
    "white_balance_k": (cv2.CAP_PROP_AUTO_WB, (1.0,)),
    "focus": (cv2.CAP_PROP_AUTOFOCUS, (1.0,)),
}
_BUFFERS = 2  # one to fill while the other is read; with one, every image begun meanwhile is lost
_BROKEN_IN_A_ROW = 10  # a cable that loses packets now and then spoils one


class UvcConfig(DeviceConfig):
    """What to ask of a USB camera."""

    source: Literal["uvc"] = "uvc"
    device: str = Field(
        default="0", description="device: /dev/v4l/by-id/... (stable), /dev/videoN, or an index"
    )
    fourcc: str = Field(
        default="MJPG", min_length=4, max_length=4, description="pixel format, four characters"
    )
    focus: float | None = Field(
        default=None, ge=0, le=1e6, description="fixed focus [device unit]; not set: automatic"
    )


class UvcCamera(CameraSource):
    """A UVC camera. `open_capture` takes device and backend, as `cv2.VideoCapture` does.

    An image is taken when the kernel says so (the buffer's stamp, on the monotonic clock); where it
    says nothing sensible, when the image arrived.

    Raises:
        DeviceNotConnectedError: the device cannot be opened.
        ConfigError: it does not grant the mode; the message lists asked, granted and offered.
    """

    def __init__(
        self,
        name: str,
        config: UvcConfig,
        open_capture: Callable[..., Any] = cv2.VideoCapture,
    ) -> None:
        super().__init__(name, config.rate_hz, repeats_allowed=False)
        self._config = config
        self._broken = 0  # images in a row that could not be decoded
        device = int(config.device) if config.device.isdigit() else config.device
        self._device = open_capture(device, cv2.CAP_V4L2)
        if not self._device.isOpened():
            raise DeviceNotConnectedError(
                f"{name}: cannot open {config.device}. {v4l.available()} "
                "See that no other program uses it, and that you are in the group 'video'."
            )
        try:
            self._request_mode()
            self._fix_controls()
            self._warn_of_automatic()
            for _ in range(config.warm_up):
                self._grab()
        except Exception:
            self._release()
            raise

    def _request_mode(self) -> None:
        """Set format, size and rate, in this order, and compare with what was granted."""
        config = self._config
        wanted = {
            "fourcc": (cv2.CAP_PROP_FOURCC, float(cv2.VideoWriter.fourcc(*config.fourcc)), 0.0),
            "width": (cv2.CAP_PROP_FRAME_WIDTH, float(config.width), 0.0),
            "height": (cv2.CAP_PROP_FRAME_HEIGHT, float(config.height), 0.0),
            "rate_hz": (cv2.CAP_PROP_FPS, config.rate_hz, 0.5),
        }
        refused = self._set(wanted)
        self._device.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        if refused:
            raise self._refusal("; ".join(refused))

    def _refusal(self, what: str) -> ConfigError:
        path = self._config.device
        path = f"/dev/video{path}" if path.isdigit() else path
        advice = v4l.advice(path, v4l.offered_modes(path))
        return ConfigError(f"{self.name}: {path} does not do what was asked ({what}). {advice}")

    def _fix_controls(self) -> None:
        config = self._config
        wanted: dict[str, tuple[int, float, float]] = {}
        if config.exposure is not None:
            wanted["auto_exposure"] = (cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE, 0.0)
            wanted["exposure"] = (cv2.CAP_PROP_EXPOSURE, config.exposure, 0.5)
        if config.gain is not None:
            wanted["gain"] = (cv2.CAP_PROP_GAIN, config.gain, 0.5)
        if config.white_balance_k is not None:
            wanted["auto_white_balance"] = (cv2.CAP_PROP_AUTO_WB, 0.0, 0.0)
            wanted["white_balance_k"] = (cv2.CAP_PROP_WB_TEMPERATURE, config.white_balance_k, 50.0)
        if config.focus is not None:
            wanted["autofocus"] = (cv2.CAP_PROP_AUTOFOCUS, 0.0, 0.0)
            wanted["focus"] = (cv2.CAP_PROP_FOCUS, config.focus, 0.5)
        if ignored := self._set(wanted):
            self.warnings.append(
                f"{config.device} ignores controls ({'; '.join(ignored)}), so its images may "
                f"change by themselves. See 'v4l2-ctl -d {config.device} --list-ctrls-menus'."
            )

    def _warn_of_automatic(self) -> None:
        """Say what nobody fixed, here or with v4l2-ctl before. What a camera lacks reads -1."""
        automatic = [
            name
            for name, (key, values) in _AUTOMATIC.items()
            if getattr(self._config, name) is None and self._device.get(key) in values
        ]
        self.warnings += warn_of_automatic(self._config.device, automatic)

    def _set(self, wanted: dict[str, tuple[int, float, float]]) -> list[str]:
        """Set properties (key, value, tolerance) in order; what was not granted, in words."""
        for key, value, _ in wanted.values():
            self._device.set(key, value)
        granted = {name: self._device.get(key) for name, (key, _, _) in wanted.items()}
        return [
            f"{name}: asked {_readable(name, value)}, got {_readable(name, granted[name])}"
            for name, (_, value, tolerance) in wanted.items()
            if not abs(granted[name] - value) <= tolerance
        ]

    def _grab(self) -> Grabbed | None:
        config = self._config
        arrived = self._device.grab()
        now = Instant.now()  # before decoding, which takes time
        decoded, image = self._device.retrieve() if arrived else (False, None)
        if image is None or not decoded:
            self._broken += 1
            if not arrived or self._broken > _BROKEN_IN_A_ROW:
                raise self._gone("cannot be decoded" if arrived else "do not come any more")
            return None
        self._broken = 0
        if image.shape[:2] != (config.height, config.width):
            raise self._refusal(
                f"asked {config.width} x {config.height} px, its images are {image.shape[1]} x "
                f"{image.shape[0]} although it claims otherwise"
            )
        return Grabbed(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), self._taken(now))

    def _gone(self, what: str) -> DeviceNotConnectedError:
        return DeviceNotConnectedError(
            f"{self.name}: images of {self._config.device} {what}. Check its cable, and the "
            "bandwidth when several cameras share one USB controller."
        )

    def _taken(self, now: Instant) -> Instant:
        """When the image that arrived just now was taken.

        uvcvideo stamps buffers with CLOCK_MONOTONIC, which is Python's too; a camera of another
        driver may report something else, which is then decades away.
        """
        age_s = now.monotonic_s - self._device.get(cv2.CAP_PROP_POS_MSEC) * 1e-3
        plausible = -LATE_S < age_s < 10 * LATE_S
        return now.before(age_s) if plausible else now

    def _release(self) -> None:
        self._device.release()


def _readable(name: str, value: float) -> str:
    if name != "fourcc":
        return f"{value:g}"
    return int(value).to_bytes(4, "little", signed=False).decode("latin-1")
