"""Node `camera`: publishes a UVC camera, a video file or a folder of images."""

import threading
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_perception.camera import Camera
from njf_perception.cameras.base import CameraSource, EndOfVideoError, Frame
from njf_perception.cameras.calibration import Calibration, Undistorter, load_calibration
from njf_perception.cameras.uvc import UvcCamera, UvcConfig
from njf_perception.cameras.video import VideoCamera, VideoConfig
from njf_perception.config import parse_config
from njf_perception.errors import NjfError, StaleDataError
from njf_perception.nodes.conversions import camera_info_msg, image_to_msg, ns_to_stamp
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Figures, Health
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare

_PATIENCE_S = 1.0


class CameraNode(Node):
    """Publishes `<camera>/image_raw` and `<camera>/camera_info`, stamped with the acquisition time.

    Without a calibration the camera info says so (K is zero, REP 104). With one, lens distortion
    is removed before publishing unless `undistort` is false: the models expect a pinhole camera.
    """

    def __init__(self, overrides: list[Parameter] | None = None) -> None:
        super().__init__("camera", parameter_overrides=overrides)
        self._name: str = declare(self, "camera", "camera_0", "Topic namespace and frame prefix")
        self._calibration = self._load_calibration()
        self._undistorter = self._make_undistorter()
        self._source = self._open_source()
        self._images = self.create_publisher(Image, f"{self._name}/image_raw", 5)
        self._infos = self.create_publisher(CameraInfo, f"{self._name}/camera_info", 5)
        self._problem, self._ended = "", False
        self._published = Figures()
        DiagnosticsPublisher(self, self._name, self._health)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish_all, name="publish", daemon=True)
        self._source.start()
        self._thread.start()

    def destroy_node(self) -> None:
        """Stop the threads and release the device on every path out."""
        self._stopping.set()
        self._thread.join()
        self._source.close()
        super().destroy_node()

    def _load_calibration(self) -> Calibration | None:
        path = declare(self, "calibration", "", "Calibration YAML (ROS format); empty: none")
        return load_calibration(path) if path else None

    def _make_undistorter(self) -> Undistorter | None:
        wanted = declare(self, "undistort", True, "Remove lens distortion when calibrated")
        if self._calibration is None or not wanted or not self._calibration.distortion.any():
            return None
        return Undistorter(self._calibration)

    def _open_source(self) -> CameraSource:
        """Open what the parameters name: a path wins over a device."""
        path = declare(self, "path", "", "Video file or folder of images; empty: use device")
        rate_hz = declare(self, "rate_hz", 0.0, "Images per second; 0: default [Hz]", 0.0, 1000.0)
        settings = {"rate_hz": rate_hz} if rate_hz else {}
        loop = declare(self, "loop", False, "Play the video for ever")
        uvc = {
            "device": declare(self, "device", "0", "/dev/v4l/by-id/..., or an index"),
            "width": declare(self, "width", 640, "Image width [px]", 1, 8192),
            "height": declare(self, "height", 480, "Image height [px]", 1, 8192),
            "fourcc": declare(self, "fourcc", "MJPG", "Pixel format, four characters"),
        } | self._fixed_controls()
        if path:
            video = {"path": Path(path), "loop": loop} | settings
            return VideoCamera(self._name, parse_config(video, VideoConfig, "parameters"))
        return UvcCamera(self._name, parse_config(uvc | settings, UvcConfig, "parameters"))

    def _fixed_controls(self) -> dict[str, float]:
        limits = {
            "exposure": "Fixed exposure [device unit]; negative: automatic",
            "white_balance_k": "Fixed white balance [K]; negative: automatic",
            "focus": "Fixed focus [device unit]; negative: automatic",
        }
        values = {
            name: declare(self, name, -1.0, description, -1.0, 1e6)
            for name, description in limits.items()
        }
        return {name: value for name, value in values.items() if value >= 0}

    def _publish_all(self) -> None:
        """Body of the publishing thread."""
        sequence = 0
        while not self._stopping.is_set():
            try:
                frame = self._source.wait_next(sequence, _PATIENCE_S)
                sequence = frame.sequence
                self._publish(frame)
                self._problem = ""
            except EndOfVideoError as error:
                self._ended = True
                self._problem = str(error)
                self.get_logger().info(self._problem)
                return
            except NjfError as error:
                self._report(error)
                if not isinstance(error, StaleDataError):
                    return

    def _publish(self, frame: Frame) -> None:
        header = Header(stamp=ns_to_stamp(frame.wall_ns), frame_id=f"{self._name}_optical_frame")
        image = frame.image if self._undistorter is None else self._undistorter(frame.image)
        self._infos.publish(self._info(image, header))
        self._images.publish(image_to_msg(image, header, "rgb8"))
        self._published.add(0.0)

    def _info(self, image: UInt8[np.ndarray, "h w 3"], header: Header) -> CameraInfo:
        height, width = image.shape[:2]
        if self._calibration is None:
            return CameraInfo(header=header, width=width, height=height)
        msg = camera_info_msg(
            Camera(self._name, width, height, self._calibration.intrinsics, np.eye(4)), header
        )
        if self._undistorter is None:
            msg.distortion_model = self._calibration.distortion_model
            msg.d = self._calibration.distortion.tolist()
        return msg

    def _report(self, error: NjfError) -> None:
        if str(error) != self._problem:
            self._problem = str(error)
            self.get_logger().error(self._problem)

    def _health(self) -> Health:
        rate_hz, _ = self._published.read()
        values = {
            "rate_hz": rate_hz,
            "wanted_rate_hz": self._source.rate_hz,
            "published": self._published.total,
            "dropped": self._source.dropped,
            "duplicates": self._source.duplicates,
        }
        if self._problem:
            return Health(self._problem, error=not self._ended, warning=True, values=values)
        slow = rate_hz < 0.7 * self._source.rate_hz
        message = f"{rate_hz:.1f} Hz instead of {self._source.rate_hz:g} Hz" if slow else "ok"
        return Health(message, warning=slow, values=values)


def main() -> int:
    """Run the node until it is told to end."""
    return run(CameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
