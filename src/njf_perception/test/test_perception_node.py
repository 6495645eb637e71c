"""The perception node through a real graph: images in, encodings and depth out, faults told."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_msgs.msg import SceneEncoding
from njf_perception.camera import Camera
from njf_perception.checkpoint import load_checkpoint, save_checkpoint
from njf_perception.nodes.conversions import camera_info_msg, image_to_msg, ns_to_stamp
from njf_perception.nodes.encoding import encoding_from_msg
from njf_perception.nodes.perception import PerceptionNode

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Probe(Node):
    """Plays the camera and collects what the perception node says."""

    def __init__(self, camera: Camera) -> None:
        super().__init__("probe")
        self.encodings: list[SceneEncoding] = []
        self.depths: list[Image] = []
        self.statuses: list[DiagnosticStatus] = []
        self.images = self.create_publisher(Image, "camera_0/image_raw", 5)
        self.infos = self.create_publisher(CameraInfo, "camera_0/camera_info", 5)
        self.create_subscription(SceneEncoding, "perception/encoding", self.encodings.append, 1)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.camera = camera
        self.image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        self.create_timer(0.05, self._send)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.statuses.extend(msg.status)

    def _send(self) -> None:
        stamp = ns_to_stamp(self.get_clock().now().nanoseconds)
        header = Header(stamp=stamp, frame_id="camera_0_optical_frame")
        self.infos.publish(camera_info_msg(self.camera, header))
        self.images.publish(image_to_msg(self.image, header, "rgb8"))

    def told(self, text: str) -> bool:
        """Whether an error with `text` is on the diagnostics."""
        errors = [s for s in self.statuses if s.level == DiagnosticStatus.ERROR]
        return any(text in status.message for status in errors)


@pytest.fixture
def start(
    spin: Callable[..., None], tiny_camera: Camera
) -> Callable[..., tuple[PerceptionNode, Probe]]:
    """`start(checkpoint, camera=..., ...)` spins a perception node and a probe."""

    def make(
        checkpoint: Path | str, camera: str = "camera_0", **others: Any
    ) -> tuple[PerceptionNode, Probe]:
        values = {"checkpoint": str(checkpoint), "camera": camera} | others
        node = PerceptionNode([Parameter(name, value=value) for name, value in values.items()])
        probe = Probe(tiny_camera)
        spin(node, probe)
        return node, probe

    return make


def test_every_image_becomes_the_models_encoding(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint)
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    wait_until(lambda: len(probe.encodings) >= 3, what="encodings")
    loaded = load_checkpoint(tiny_checkpoint)
    msg = probe.encodings[-1]
    assert msg.checkpoint_id == loaded.content_id
    assert msg.header.frame_id == "camera_0_optical_frame" and msg.header.stamp.sec > 0
    encoding, camera = encoding_from_msg(msg, "camera_0")
    expected = loaded.scene_model().encode(probe.image, probe.camera).encoding
    np.testing.assert_array_equal(camera.K, probe.camera.K)
    np.testing.assert_allclose(encoding.feature_map, expected.feature_map, atol=1e-5)
    np.testing.assert_allclose(encoding.global_code, expected.global_code, atol=1e-5)
    wait_until(lambda: any(s.message == "ok" for s in probe.statuses), what="healthy diagnostics")
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS


def test_depth_comes_only_when_subscribed(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint)
    node.trigger_configure()
    node.trigger_activate()
    wait_until(lambda: len(probe.encodings) >= 2, what="encodings")
    probe.create_subscription(Image, "perception/depth", probe.depths.append, 1)
    wait_until(lambda: probe.depths, what="depth")
    depth = probe.depths[0]
    assert (depth.encoding, depth.width, depth.height) == ("32FC1", 80, 60)


def test_inactive_node_is_silent_and_can_resume(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint)
    node.trigger_configure()
    node.trigger_activate()
    wait_until(lambda: probe.encodings, what="encodings")
    node.trigger_deactivate()
    probe.encodings.clear()
    wait_until(lambda: any(s.message == "not active" for s in probe.statuses), what="not active")
    assert len(probe.encodings) <= 1  # one may have been on its way
    node.trigger_activate()
    wait_until(lambda: len(probe.encodings) >= 2, what="encodings after resuming")


def test_missing_checkpoint_refuses_configuration(start, wait_until):
    node, probe = start("/nowhere/model.pt")
    assert node.trigger_configure() == FAILURE
    wait_until(lambda: probe.told("/nowhere/model.pt"), what="the error on the diagnostics")


def test_checkpoint_of_another_camera_refuses_configuration(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint, camera="camera_9")
    assert node.trigger_configure() == FAILURE
    wait_until(lambda: probe.told("checkpoint is for camera 'camera_0'"), what="the error")


def test_finer_images_of_the_same_camera_are_welcome(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint)
    probe.camera = probe.camera.scaled(128, 96)
    probe.image = np.repeat(np.repeat(probe.image, 2, axis=0), 2, axis=1)
    node.trigger_configure()
    node.trigger_activate()
    wait_until(lambda: probe.encodings, what="an encoding of an image of 128 x 96 px")


def test_wrong_image_size_and_calibration_are_told_and_recovered_from(
    start, tiny_checkpoint, wait_until
):
    node, probe = start(tiny_checkpoint)
    trained = probe.camera
    probe.camera = trained.scaled(32, 24)
    node.trigger_configure()
    node.trigger_activate()
    wait_until(lambda: probe.told("32 x 24 px, the checkpoint was trained on 64 x 48"))
    zoomed = trained.K * [[1.2], [1.2], [1.0]]
    probe.camera = Camera("camera_0", 64, 48, zoomed, np.eye(4))
    wait_until(lambda: probe.told("intrinsics differ"))
    uncalibrated = Camera("camera_0", 64, 48, np.zeros((3, 3)), np.eye(4))
    probe.camera = uncalibrated
    wait_until(lambda: probe.told("uncalibrated"))
    assert not probe.encodings
    probe.camera = trained
    wait_until(lambda: probe.encodings, what="encodings after the camera was repaired")


def test_image_that_does_not_fit_its_camera_info_is_told(start, tiny_checkpoint, wait_until):
    node, probe = start(tiny_checkpoint)
    probe.image = probe.image[:, :60]
    node.trigger_configure()
    node.trigger_activate()
    wait_until(lambda: probe.told("60 x 48 px, its camera_info says 64 x 48"))


def test_a_turned_camera_is_told_and_compensated(
    start, tiny_checkpoint, tiny_camera, wait_until, tmp_path
):
    loaded = load_checkpoint(tiny_checkpoint)
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 2.0)
    wide = (3.0 * (wide - 128.0) + 128.0).clip(0, 255).astype(np.uint8)
    save_checkpoint(tmp_path / "b.pt", loaded.info, loaded.perception, loaded.jacobian, wide)
    node, probe = start(tmp_path / "b.pt", correction=True)
    probe.camera = camera = tiny_camera.scaled(320, 240)
    R = cv2.Rodrigues(np.deg2rad([0.0, 4.0, 0.0]))[0]
    H = camera.K @ R.T @ np.linalg.inv(camera.K)
    probe.image = cv2.warpPerspective(wide, H, (320, 240))
    node.trigger_configure()
    node.trigger_activate()
    told = "turned by 4.0 deg since training; compensated"
    wait_until(lambda: any(told in s.message for s in probe.statuses), what="the warning")
    probe.encodings.clear()
    wait_until(lambda: probe.encodings, what="an encoding after it")
    encoding, _ = encoding_from_msg(probe.encodings[-1], "camera_0")
    np.testing.assert_allclose(encoding.R_trained_camera, R, atol=1e-3)
    node.set_parameters([Parameter("correction", value=False)])
    wait_until(lambda: any("not compensated" in s.message for s in probe.statuses), what="no help")
    probe.encodings.clear()
    wait_until(lambda: len(probe.encodings) > 1, what="encodings of what is seen")
    encoding, _ = encoding_from_msg(probe.encodings[-1], "camera_0")
    np.testing.assert_array_equal(encoding.R_trained_camera, np.eye(3))


def test_parameters_out_of_range_are_refused(ros_context):
    node = PerceptionNode()
    result = node.set_parameters([Parameter("num_threads", value=0)])[0]
    node.destroy_node()
    assert not result.successful and "num_threads" in result.reason


def test_process_ends_cleanly_on_sigint(spin, tiny_camera, start_process, wait_until):
    probe = Probe(tiny_camera)
    spin(probe)
    process = start_process("njf_perception.nodes.perception", stderr=subprocess.PIPE)
    wait_until(lambda: probe.statuses, timeout_s=60.0, what="the process")
    process.send_signal(signal.SIGINT)
    assert process.wait(30.0) == 0
    assert "Traceback" not in process.stderr.read()
