"""USB cameras (UVC) through OpenCV's V4L2 backend.

What a camera is asked for and what it does differ easily: format, size and rate are set in that
order, read back, and a difference is refused. Exposure, white balance and focus are worth fixing:
optical flow and learned features suffer when the camera adapts.
"""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from njf_perception.cameras.base import CameraSource
from njf_perception.config import Config
from njf_perception.errors import ConfigError, DeviceNotConnectedError

_MANUAL_EXPOSURE = 1.0  # V4L2_EXPOSURE_MANUAL


class UvcConfig(Config):
    """What to ask of the camera."""

    device: str = Field(description="/dev/v4l/by-id/... (stable), /dev/videoN, or an index")
    width: int = Field(default=640, gt=0, description="image width [px]")
    height: int = Field(default=480, gt=0, description="image height [px]")
    rate_hz: float = Field(default=30.0, gt=0, description="images per second [Hz]")
    fourcc: str = Field(default="MJPG", min_length=4, max_length=4, description="pixel format")
    exposure: float | None = Field(
        default=None, description="fixed exposure [device unit]; None: auto"
    )
    white_balance_k: float | None = Field(
        default=None, description="fixed white balance [K]; None: auto"
    )
    focus: float | None = Field(default=None, description="fixed focus [device unit]; None: auto")
    warm_up: int = Field(default=5, ge=0, description="first images to throw away")


class UvcCamera(CameraSource):
    """A UVC camera. `open_capture` takes device and backend, as `cv2.VideoCapture` does.

    Raises:
        DeviceNotConnectedError: the device cannot be opened.
        ConfigError: it does not grant what was asked; the message lists asked and granted.
    """

    def __init__(
        self,
        name: str,
        config: UvcConfig,
        open_capture: Callable[..., Any] = cv2.VideoCapture,
    ) -> None:
        super().__init__(name, config.rate_hz, repeats_allowed=False)
        self._config = config
        device = int(config.device) if config.device.isdigit() else config.device
        self._device = open_capture(device, cv2.CAP_V4L2)
        if not self._device.isOpened():
            raise DeviceNotConnectedError(
                f"{name}: cannot open {config.device}. See which cameras there are with "
                "'ls /dev/v4l/by-id', and that no other program uses this one."
            )
        try:
            self._request()
            self._warm_up()
        except Exception:
            self._release()
            raise

    def _request(self) -> None:
        """Set format, size and rate, in this order, and compare with what was granted."""
        config = self._config
        fourcc = float(cv2.VideoWriter.fourcc(*config.fourcc))
        wanted = {
            "fourcc": (cv2.CAP_PROP_FOURCC, fourcc, 0.0),
            "width": (cv2.CAP_PROP_FRAME_WIDTH, float(config.width), 0.0),
            "height": (cv2.CAP_PROP_FRAME_HEIGHT, float(config.height), 0.0),
            "rate_hz": (cv2.CAP_PROP_FPS, config.rate_hz, 0.5),
        }
        wanted |= self._fixed_controls()
        for key, value, _ in wanted.values():
            self._device.set(key, value)
        self._device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        granted = {name: self._device.get(key) for name, (key, _, _) in wanted.items()}
        refused = [
            f"{name}: asked {_readable(name, value)}, got {_readable(name, granted[name])}"
            for name, (_, value, tolerance) in wanted.items()
            if abs(granted[name] - value) > tolerance
        ]
        if refused:
            raise ConfigError(
                f"{self.name}: {config.device} does not do what was asked ({'; '.join(refused)}). "
                "Choose a mode from 'v4l2-ctl --list-formats-ext'."
            )

    def _fixed_controls(self) -> dict[str, tuple[int, float, float]]:
        config = self._config
        controls = {}
        if config.exposure is not None:
            controls["auto_exposure"] = (cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE, 0.0)
            controls["exposure"] = (cv2.CAP_PROP_EXPOSURE, config.exposure, 0.5)
        if config.white_balance_k is not None:
            controls["auto_white_balance"] = (cv2.CAP_PROP_AUTO_WB, 0.0, 0.0)
            controls["white_balance_k"] = (
                cv2.CAP_PROP_WB_TEMPERATURE,
                config.white_balance_k,
                50.0,
            )
        if config.focus is not None:
            controls["autofocus"] = (cv2.CAP_PROP_AUTOFOCUS, 0.0, 0.0)
            controls["focus"] = (cv2.CAP_PROP_FOCUS, config.focus, 0.5)
        return controls

    def _warm_up(self) -> None:
        for _ in range(self._config.warm_up):
            self._grab()

    def _grab(self) -> tuple[UInt8[np.ndarray, "h w 3"], int, float]:
        arrived = self._device.grab()
        # Before decoding: the stamp is when the image arrived.
        wall_ns, monotonic_s = time.time_ns(), time.monotonic()
        decoded, image = self._device.retrieve() if arrived else (False, None)
        if image is None or not decoded:
            raise DeviceNotConnectedError(
                f"{self.name}: {self._config.device} sends no more images. Check its cable, and "
                "the bandwidth when several cameras share one USB controller."
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), wall_ns, monotonic_s

    def _release(self) -> None:
        self._device.release()


def _readable(name: str, value: float) -> str:
    if name != "fourcc":
        return f"{value:g}"
    return int(value).to_bytes(4, "little", signed=False).decode("latin-1")
