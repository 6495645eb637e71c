"""Depth images over a live graph: found by their time, refused in words, never in the way."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from njf_control.nodes.depth_watch import DepthWatch
from njf_control.robot import CameraConfig
from njf_perception.camera import Camera
from njf_perception.nodes.conversions import image_to_msg, ns_to_stamp

pytestmark = pytest.mark.ros

CONFIG = CameraConfig(name="camera_0", role="control", width=8, height=6, depth=True)
CAMERA = Camera("camera_0", 8, 6, np.array([[9.0, 0, 3.5], [0, 9.0, 2.5], [0, 0, 1]]), np.eye(4))
DEPTH_MM = np.arange(48, dtype=np.uint16).reshape(6, 8) + 400
SLOP_S = 0.02
TIMEOUT_S = 0.5
S = 1_000_000_000


def header(stamp_ns: int) -> Header:
    return Header(stamp=ns_to_stamp(stamp_ns), frame_id="camera_0_optical_frame")


def image(stamp_ns: int) -> Image:
    return image_to_msg(np.zeros((6, 8, 3), np.uint8), header(stamp_ns), "rgb8")


class Eye(Node):
    """A depth camera, and a node that watches it."""

    def __init__(self) -> None:
        super().__init__("eye")
        self.warnings: list[str] = []
        self.watch = DepthWatch(self, CONFIG, SLOP_S, TIMEOUT_S)
        self._depths = self.create_publisher(Image, "camera_0/aligned_depth_to_color/image_raw", 5)

    def get_logger(self) -> Any:
        return type("Log", (), {"warning": lambda _, text: self.warnings.append(text)})()

    def send(self, stamp_ns: int, values: np.ndarray, encoding: str = "16UC1") -> None:
        deadline_s = time.monotonic() + 60.0
        while self._depths.get_subscription_count() == 0:
            assert time.monotonic() < deadline_s, "the subscription is not found"
            time.sleep(0.01)
        self._depths.publish(image_to_msg(values, header(stamp_ns), encoding))


@pytest.fixture
def eye(spin: Callable[..., None]) -> Eye:
    node = Eye()
    spin(node)
    return node


@pytest.mark.parametrize("depth_first", [True, False])
def test_depth_is_found_by_the_time_of_its_image(
    eye: Eye, wait_until: Callable[..., None], depth_first: bool
) -> None:
    metres = np.where(DEPTH_MM > 410, DEPTH_MM / 1e3, np.nan).astype(np.float32)
    for stamp_ns, values, encoding in ((1 * S, DEPTH_MM, "16UC1"), (2 * S, metres, "32FC1")):
        if not depth_first:
            eye.watch.see(image(stamp_ns))
        eye.send(stamp_ns + 5_000_000, values, encoding)
        if depth_first:
            time.sleep(0.1)
            eye.watch.see(image(stamp_ns))
        wait_until(lambda at=stamp_ns: eye.watch.at(at, CAMERA) is not None)
    first, second = eye.watch.at(1 * S, CAMERA), eye.watch.at(2 * S, CAMERA)
    assert first is not None and second is not None
    np.testing.assert_allclose(first, DEPTH_MM / 1e3, rtol=1e-6)
    np.testing.assert_array_equal(second, metres)
    assert eye.watch.at(3 * S, CAMERA) is None
    assert eye.watch.used >= 4 and eye.watch.problem == "" and not eye.warnings


@pytest.mark.parametrize(
    ("values", "encoding", "problem"),
    [
        (np.ones((6, 8), np.uint8), "mono8", "encoding 'mono8', expected 16UC1"),
        (np.ones((3, 4), np.uint16), "16UC1", "is 4x3 px, the images are 8x6"),
        (np.zeros((6, 8), np.uint16), "16UC1", "measures nothing at any pixel"),
        (np.full((6, 8), np.nan, np.float32), "32FC1", "measures nothing at any pixel"),
    ],
)
def test_unusable_depth_is_named_once_and_left(
    eye: Eye,
    wait_until: Callable[..., None],
    values: np.ndarray,
    encoding: str,
    problem: str,
) -> None:
    for stamp_ns in (1 * S, 2 * S):
        eye.watch.see(image(stamp_ns))
        eye.send(stamp_ns, values, encoding)
        eye.watch.problem = ""
        wait_until(lambda at=stamp_ns: eye.watch.at(at, CAMERA) is None and eye.watch.problem)
        assert problem in eye.watch.problem
    assert len(eye.warnings) == 1 and "The model's own depth is used" in eye.warnings[0]
    assert eye.watch.used == 0
    eye.watch.see(image(3 * S))
    eye.send(3 * S, DEPTH_MM)
    wait_until(lambda: eye.watch.at(3 * S, CAMERA) is not None)
    assert eye.watch.problem == ""


def test_depth_of_another_time_is_not_used_and_soon_missed(
    eye: Eye, wait_until: Callable[..., None]
) -> None:
    eye.watch.see(image(1 * S))
    eye.send(1 * S + int(1.5e9 * SLOP_S), DEPTH_MM)
    wait_until(lambda: eye.watch.at(1 * S, CAMERA) is None and eye.watch.problem)
    assert "no depth image on 'camera_0/aligned_depth_to_color/image_raw'" in eye.watch.problem


def test_only_the_newest_pairs_are_kept(eye: Eye, wait_until: Callable[..., None]) -> None:
    for step in range(1, 13):
        eye.watch.see(image(step * S))
        eye.send(step * S, DEPTH_MM)
        wait_until(lambda at=step: eye.watch.at(at * S, CAMERA) is not None)
    assert eye.watch.at(1 * S, CAMERA) is None
    assert eye.watch.at(11 * S, CAMERA) is not None
