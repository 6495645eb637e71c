"""A fake USB camera with all its moods, and bags made on the spot."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from njf_perception.cameras.base import CameraSource

TYPES = get_typestore(Stores.ROS2_JAZZY)


class FakeDevice:
    """Stands for `cv2.VideoCapture` of a camera; grants every wish but those in `stubborn`.

    Attributes:
        height, width: of its images, whatever was asked [px].
        period_s: between images [s].
        skew_s: how far its stamps are ahead of the truth [s].
        drift_s: what every image adds to that [s].
        dark, frozen, unplugged, garbled: what may go wrong.
    """

    def __init__(self, stubborn: dict[int, float] | None = None, opened: bool = True) -> None:
        self.settings: dict[int, float] = {}
        self.set_order: list[int] = []
        self.stubborn = stubborn or {}
        self.opened, self.released = opened, False
        self.height, self.width, self.period_s = 48, 64, 0.01
        self.count, self.skew_s, self.drift_s = 0, 0.0, 0.0
        self.dark = self.frozen = self.unplugged = self.garbled = False
        self.raises: Exception | None = None

    def __call__(self, device: str | int, backend: int) -> "FakeDevice":
        self.device, self.backend = device, backend
        return self

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened and not self.unplugged

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = self.stubborn.get(key, value)
        self.set_order.append(key)
        return True

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_POS_MSEC:
            return 1e3 * (self.taken_s + self.skew_s)
        return self.settings.get(key, -1.0)  # a camera without the control

    def grab(self) -> bool:
        time.sleep(self.period_s)
        if self.raises is not None:
            raise self.raises
        self.taken_s = time.monotonic()
        self.skew_s += self.drift_s
        self.count += not self.frozen
        return not self.unplugged

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.garbled:
            return False, None
        level = self.count % 8 if self.dark else 20 + self.count % 200
        return True, np.full((self.height, self.width, 3), level, np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def fake_device() -> Callable[..., FakeDevice]:
    """`fake_device(stubborn, opened)` makes a camera."""
    return FakeDevice


@pytest.fixture
def grey_level() -> Callable[[int], np.ndarray]:
    """Image number `index`: one grey level that survives compression."""
    return lambda index: np.full((48, 64, 3), 20 + 20 * index, np.uint8)


@pytest.fixture
def play() -> Callable[[CameraSource, int], dict[int, int]]:
    """`play(camera, last)` starts it; grey levels by sequence number up to `last`; it may skip."""

    def run(camera: CameraSource, last: int) -> dict[int, int]:
        camera.start()
        seen: dict[int, int] = {0: 0}
        while max(seen) < last:
            frame = camera.wait_next(max(seen), timeout_s=10.0)
            seen[frame.sequence] = round(float(frame.image.mean()))
        del seen[0]
        return seen

    return run


@pytest.fixture
def make_bag(tmp_path: Path) -> Callable[..., Path]:
    """`make_bag(images, stamps_s, compressed)` writes them on /camera_0/image_raw."""

    def make(
        images: Sequence[np.ndarray], stamps_s: Sequence[float], compressed: bool = False
    ) -> Path:
        folder = tmp_path / "bag"
        writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        kind = "sensor_msgs/msg/CompressedImage" if compressed else "sensor_msgs/msg/Image"
        with writer:
            images_on = writer.add_connection("/camera_0/image_raw", kind, typestore=TYPES)
            text_on = writer.add_connection("/note", "std_msgs/msg/String", typestore=TYPES)
            text = TYPES.types["std_msgs/msg/String"](data="hello")
            writer.write(text_on, 0, TYPES.serialize_cdr(text, "std_msgs/msg/String"))
            for image, stamp_s in zip(images, stamps_s, strict=True):
                message = _message(image, stamp_s, compressed)
                writer.write(images_on, round(stamp_s * 1e9), TYPES.serialize_cdr(message, kind))
        return folder / "bag.mcap"

    return make


def _message(image: np.ndarray, stamp_s: float, compressed: bool) -> Any:
    types = TYPES.types
    stamp_ns = round(stamp_s * 1e9)
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera_0_optical_frame")
    if compressed:
        data = cv2.imencode(".png", image[..., ::-1])[1].ravel()
        return types["sensor_msgs/msg/CompressedImage"](header=header, format="png", data=data)
    height, width = image.shape[:2]
    return types["sensor_msgs/msg/Image"](
        header=header,
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(image).ravel(),
    )
