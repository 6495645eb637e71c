"""The camera node through a real graph, playing a folder of images."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from njf_perception.cameras.base import CameraSource, Grabbed
from njf_perception.cameras.calibration import Calibration, Undistorter
from njf_perception.cameras.freshness import Instant
from njf_perception.cameras.make import SourceConfig
from njf_perception.cameras.realsense import RealSenseConfig
from njf_perception.config import parse_config
from njf_perception.errors import ConfigError
from njf_perception.message_image import decode_compressed, decode_compressed_depth
from njf_perception.nodes.camera import CameraNode
from njf_perception.nodes.conversions import (
    camera_from_info,
    depth_from_msg,
    image_from_msg,
    stamp_to_ns,
)

pytestmark = pytest.mark.ros

CALIBRATION = """
camera_name: camera_3
image_width: 64
image_height: 48
camera_matrix: {rows: 3, cols: 3, data: [60.0, 0, 31.5, 0, 61.0, 23.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}
"""


class Listener(Node):
    """Collects what a camera says."""

    def __init__(self) -> None:
        super().__init__("listener")
        self.images: list[Image] = []
        self.infos: list[CameraInfo] = []
        self.statuses: list[DiagnosticStatus] = []
        qos = qos_profile_sensor_data
        self.create_subscription(Image, "camera_3/image_raw", self.images.append, qos)
        self.create_subscription(CameraInfo, "camera_3/camera_info", self.infos.append, qos)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.statuses.extend(msg.status)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty images of noise, and a calibration beside them."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        image = rng.integers(0, 256, (48, 64, 3), np.uint8)
        cv2.imwrite(str(images / f"{i:03}.png"), image)
    (tmp_path / "calibration.yaml").write_text(CALIBRATION)
    return images


@pytest.fixture
def start(spin: Callable[..., None]) -> Callable[..., tuple[CameraNode, Listener]]:
    """`start(name=value, ...)` spins a camera node with these parameters and a listener."""

    def make(**values: object) -> tuple[CameraNode, Listener]:
        node = camera_node(**values)
        listener = Listener()
        spin(node, listener)
        return node, listener

    return make


def camera_node(**values: object) -> CameraNode:
    given = {"camera": "camera_3", "source": "video", "rate_hz": 20.0} | values
    return CameraNode([Parameter(name, value=value) for name, value in given.items()])


def test_images_come_with_frame_stamp_and_calibration(start, folder, wait_until):
    calibration = str(folder.parent / "calibration.yaml")
    _, listener = start(path=str(folder), loop=True, calibration=calibration)
    wait_until(lambda: len(listener.images) >= 3 and len(listener.infos) >= 3)
    image, info = listener.images[-1], listener.infos[-1]
    assert image.header.frame_id == info.header.frame_id == "camera_3_optical_frame"
    assert image_from_msg(image).shape == (48, 64, 3)
    stamps = [stamp_to_ns(msg.header.stamp) for msg in listener.images]
    assert (np.diff(stamps) > 0).all()
    camera = camera_from_info(info, "camera_3")
    assert camera.K[1].tolist() == [0.0, 61.0, 23.5]


def test_a_prefix_comes_before_the_frame(start, folder, wait_until):
    _, listener = start(path=str(folder), loop=True, tf_prefix="left/")
    wait_until(lambda: listener.images and listener.infos)
    frames = {listener.images[-1].header.frame_id, listener.infos[-1].header.frame_id}
    assert frames == {"left/camera_3_optical_frame"}


def test_distortion_is_kept_on_request(start, folder, wait_until):
    calibration = str(folder.parent / "calibration.yaml")
    _, listener = start(path=str(folder), loop=True, calibration=calibration, undistort=False)
    wait_until(lambda: listener.infos)
    with pytest.raises(ConfigError, match="distortion"):
        camera_from_info(listener.infos[-1], "camera_3")


def test_uncalibrated_camera_says_so(start, folder, wait_until):
    _, listener = start(path=str(folder), loop=True)
    wait_until(lambda: listener.infos)
    assert listener.infos[-1].k[0] == 0.0


def test_end_of_the_recording_is_told(start, folder, wait_until):
    _, listener = start(path=str(folder))
    wait_until(lambda: any("at its end" in status.message for status in listener.statuses))
    ended = next(s for s in listener.statuses if "at its end" in s.message)
    assert ended.level == DiagnosticStatus.WARN
    values = {pair.key: pair.value for pair in ended.values}
    assert int(values["published"]) > 0
    assert int(values["published"]) + int(values["skipped"]) == 20


def test_wrong_size_of_calibration_is_told(start, folder, wait_until):
    calibration = folder.parent / "calibration.yaml"
    calibration.write_text(CALIBRATION.replace("image_width: 64", "image_width: 32"))
    _, listener = start(path=str(folder), loop=True, calibration=str(calibration))
    wait_until(lambda: any("Calibrate at the size" in s.message for s in listener.statuses))
    assert not listener.images


class DepthCamera(CameraSource):
    """Noise and a slope, with a calibration of its own."""

    def __init__(self, name: str, config: SourceConfig) -> None:
        assert isinstance(config, RealSenseConfig)
        super().__init__(name, 20.0, repeats_allowed=False)
        self.calibration = parse_config(yaml.safe_load(CALIBRATION), Calibration, "test")
        self._rng = np.random.default_rng(0)

    def _grab(self) -> Grabbed:
        self._stopping.wait(0.05)
        image = self._rng.integers(0, 256, (48, 64, 3), np.uint8)
        depth_mm = np.tile(np.arange(500, 564, dtype=np.uint16), (48, 1))
        return Grabbed(image, Instant.now(), depth_mm)

    def _release(self) -> None:
        pass


def test_depth_and_factory_calibration_go_out_undistorted(spin, wait_until):
    values = {"camera": "camera_3", "source": "realsense", "depth": True}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node, listener = CameraNode(overrides, DepthCamera), Listener()
    depths: list[Image] = []
    listener.create_subscription(
        Image, "camera_3/aligned_depth_to_color/image_raw", depths.append, qos_profile_sensor_data
    )
    spin(node, listener)
    wait_until(lambda: depths and listener.infos and listener.images)
    assert camera_from_info(listener.infos[-1], "camera_3").K[0].tolist() == [60.0, 0.0, 31.5]
    depth_m = depth_from_msg(depths[-1])
    assert depth_m.shape == (48, 64)
    assert depth_m[23, 31] == pytest.approx(0.531, abs=0.001)
    undistorter = Undistorter(parse_config(yaml.safe_load(CALIBRATION), Calibration, "test"))
    slope_mm = np.tile(np.arange(500, 564, dtype=np.uint16), (48, 1))
    expected = undistorter.depth(slope_mm) * 1e-3
    assert not np.array_equal(expected, slope_mm * 1e-3)
    np.testing.assert_allclose(np.nan_to_num(depth_m), expected, atol=1e-6)


def test_compressed_images_and_depth_are_those_sent_raw(spin, wait_until):
    values = {"camera": "camera_3", "source": "realsense", "depth": True}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    overrides.append(Parameter("compressed_format", value="png"))
    node, listener = CameraNode(overrides, DepthCamera), Listener()
    stream = "camera_3/aligned_depth_to_color/image_raw"
    found, depths = {}, []
    for topic in ("camera_3/image_raw/compressed", f"{stream}/compressedDepth"):
        keep = found.setdefault(topic, []).append
        listener.create_subscription(CompressedImage, topic, keep, qos_profile_sensor_data)
    listener.create_subscription(Image, stream, depths.append, qos_profile_sensor_data)
    spin(node, listener)
    wait_until(lambda: all(len(messages) > 5 for messages in found.values()) and len(depths) > 5)
    colour, depth = found["camera_3/image_raw/compressed"], found[f"{stream}/compressedDepth"]
    raws = {stamp_to_ns(m.header.stamp): m for m in listener.images}
    common = [m for m in colour if stamp_to_ns(m.header.stamp) in raws]
    assert common and common[0].format == "rgb8; png compressed bgr8"
    for message in common:
        same = raws[stamp_to_ns(message.header.stamp)]
        assert np.array_equal(decode_compressed(message, "/t"), image_from_msg(same))
    measured_mm = np.nan_to_num(depth_from_msg(depths[-1])) * 1e3
    np.testing.assert_allclose(decode_compressed_depth(depth[-1], "/d"), measured_mm, atol=1e-3)


def test_an_unknown_compression_ends_the_node(ros_context, folder):
    with pytest.raises(ConfigError, match="compressed_format is 'gif'; expected jpeg or png"):
        camera_node(path=str(folder), compressed_format="gif")


@pytest.mark.parametrize("parameter", ["path", "calibration"])
def test_missing_files_end_the_node(ros_context, parameter):
    with pytest.raises(ConfigError, match="/nowhere/x"):
        camera_node(**{parameter: "/nowhere/x"})


def test_process_without_its_device_says_so_and_ends(start_process):
    process = start_process(
        "njf_perception.nodes.camera",
        "--ros-args",
        "-p",
        "device:=/dev/v4l/by-id/none",
        stderr=subprocess.PIPE,
    )
    _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 1
    assert "error: camera_0: cannot open /dev/v4l/by-id/none" in errors
