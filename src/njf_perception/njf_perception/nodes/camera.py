"""Node `camera`: publishes a USB camera, a RealSense, a video, a folder of images or a bag."""

import threading
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from jaxtyping import UInt8
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from njf_perception.camera import Camera
from njf_perception.cameras import bandwidth
from njf_perception.cameras.base import CameraSource, EndOfVideoError, Frame
from njf_perception.cameras.calibration import (
    Calibration,
    Undistorter,
    load_calibration,
    require_size,
)
from njf_perception.cameras.make import SourceConfig, open_source, parse_settings, settings
from njf_perception.cameras.uvc import UvcConfig
from njf_perception.cameras.v4l import stable_name
from njf_perception.errors import DeviceNotConnectedError, NjfError, StaleDataError
from njf_perception.frames import optical_frame
from njf_perception.nodes.conversions import camera_info_msg, ns_to_stamp
from njf_perception.nodes.diagnostics import DiagnosticsPublisher, Figures, Health
from njf_perception.nodes.image_publisher import (
    DepthPublisher,
    ImagePublisher,
    declare_compression,
)
from njf_perception.nodes.main import run
from njf_perception.nodes.parameters import declare, declare_tf_prefix

_PATIENCE_S = 1.0
_RETRY_S = 2.0  # between attempts to open a device that was lost
_SLOW_SHARE = 0.7  # of the wanted rate


class CameraNode(Node):
    """Publishes `<camera>/image_raw` and `<camera>/camera_info`, stamped with the acquisition time.

    A camera that measures depth also gets `<camera>/aligned_depth_to_color/image_raw` [mm]. Both
    come compressed, too, on the topics of image_transport's plugins. Images that nobody subscribes
    to are not made. Without a calibration, a file's or the camera's own, the camera info says so (K
    is zero, REP 104). With one, lens distortion is removed before publishing unless `undistort` is
    false: the models expect a pinhole camera. A device that is lost is an error until it is back.
    """

    def __init__(
        self,
        overrides: list[Parameter] | None = None,
        open_camera: Callable[[str, SourceConfig], CameraSource] = open_source,
    ) -> None:
        super().__init__("camera", parameter_overrides=overrides)
        self._name: str = declare(self, "camera", "camera_0", "Topic namespace and name in frames")
        self._frame_id = optical_frame(self._name, declare_tf_prefix(self))
        path = declare(
            self,
            "calibration",
            "",
            "Calibration YAML (ROS format); empty: the camera's own",
        )
        undistort = declare(self, "undistort", True, "Remove lens distortion when calibrated")
        calibration = load_calibration(path) if path else None
        self._open_again = self._opener(open_camera)
        self._source = self._open()
        self._calibration = calibration or self._source.calibration
        self._undistorter = _make_undistorter(self._calibration) if undistort else None
        how = declare_compression(self)
        self._images = ImagePublisher(self, self._name, how)
        self._infos = self.create_publisher(CameraInfo, f"{self._name}/camera_info", 5)
        stream = f"{self._name}/aligned_depth_to_color"
        self._depths = DepthPublisher(self, stream, how) if self._measures_depth else None
        self._problem, self._ended = "", False
        self._published, self._skipped = Figures(), 0
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

    def _opener(
        self, open_camera: Callable[[str, SourceConfig], CameraSource]
    ) -> Callable[[], CameraSource]:
        """What opens the configured camera."""
        values = {
            s.name: declare(self, s.name, s.default, s.description, s.minimum, s.maximum)
            for s in settings()
        }
        config = parse_settings(values)
        if isinstance(config, UvcConfig):
            self._tell_place(config)
        self._measures_depth = getattr(config, "depth", False)
        return lambda: open_camera(self._name, config)

    def _open(self) -> CameraSource:
        source = self._open_again()
        for warning in source.warnings:
            self.get_logger().warning(warning)
        return source

    def _tell_place(self, config: UvcConfig) -> None:
        """Say what the camera needs of its USB links, and its lasting name."""
        if (lasting := stable_name(config.device)) is not None:
            self.get_logger().info(
                f"device {config.device} may be another one tomorrow; its lasting name: {lasting}"
            )
        mode = bandwidth.Mode(
            self._name, config.device, config.width, config.height, config.rate_hz, config.fourcc
        )
        report = bandwidth.report([mode])
        tell = self.get_logger().info if report.fits else self.get_logger().warning
        tell(f"USB bandwidth: {report.sentence}")

    def _publish_all(self) -> None:
        """Body of the publishing thread."""
        sequence = 0
        while not self._stopping.is_set():
            try:
                frame = self._source.wait_next(sequence, _PATIENCE_S)
                self._skipped += frame.sequence - sequence - 1  # this machine was too slow for them
                sequence = frame.sequence
                self._publish(frame)
                self._problem = ""
            except rclpy_implementation.RCLError:
                if self.context.ok():
                    raise
                return  # a signal came while an image was being published
            except EndOfVideoError as error:
                self._ended = True
                self._problem = str(error)
                self.get_logger().info(self._problem)
                return
            except StaleDataError as error:
                self._report(error)
            except DeviceNotConnectedError as error:
                self._report(error)
                self._reconnect()
                sequence = 0
            except NjfError as error:
                return self._report(error)

    def _reconnect(self) -> None:
        """Try to open the device until it is back or the node ends."""
        self._source.close()
        while not self._stopping.wait(_RETRY_S):
            try:
                self._source = self._open()
            except NjfError as error:
                self._report(error)
            else:
                self.get_logger().info("opened the camera again")
                return self._source.start()

    def _publish(self, frame: Frame) -> None:
        header = Header(stamp=ns_to_stamp(frame.wall_ns), frame_id=self._frame_id)
        image, depth_mm = frame.image, frame.depth_mm
        if self._undistorter is not None:
            image = self._undistorter(image)
            depth_mm = None if depth_mm is None else self._undistorter.depth(depth_mm)
        self._infos.publish(self._info(image, header))
        self._images.publish(image, header)
        if depth_mm is not None and self._depths is not None:
            self._depths.publish(depth_mm, header)
        self._published.add(0.0)

    def _info(self, image: UInt8[np.ndarray, "h w 3"], header: Header) -> CameraInfo:
        height, width = image.shape[:2]
        calibration = self._calibration
        if calibration is None:
            return CameraInfo(header=header, width=width, height=height)
        require_size(image, calibration.image_width, calibration.image_height)
        msg = camera_info_msg(
            Camera(self._name, width, height, calibration.intrinsics, np.eye(4)), header
        )
        if self._undistorter is None:
            msg.distortion_model = calibration.distortion_model
            msg.d = calibration.distortion.tolist()
        return msg

    def _report(self, error: NjfError) -> None:
        """Show an error; log it when it is news, and the age of the newest image is none."""
        known, self._problem = self._problem, str(error)
        if not known or (self._problem != known and not isinstance(error, StaleDataError)):
            self.get_logger().error(self._problem)

    def _health(self) -> Health:
        rate_hz, _ = self._published.read()
        source = self._source
        values: dict[str, float | int | str] = {
            "rate_hz": rate_hz,
            "wanted_rate_hz": source.rate_hz,
            "published": self._published.total,
            "skipped": self._skipped,
            **asdict(source.counters),
        }
        if self._problem and not self._ended:
            return Health(self._problem, error=True, values=values)
        told = [self._problem, source.trouble(), *source.warnings]
        if not self._ended and rate_hz < _SLOW_SHARE * source.rate_hz:
            told.append(f"{rate_hz:.1f} Hz instead of {source.rate_hz:g} Hz")
        message = "; ".join(text for text in told if text)
        return Health(message or "ok", warning=bool(message), values=values)


def _make_undistorter(calibration: Calibration | None) -> Undistorter | None:
    if calibration is None or not calibration.distortion.any():
        return None
    return Undistorter(calibration)


def main() -> int:
    """Run the node until it is told to end."""
    return run(CameraNode)


if __name__ == "__main__":
    raise SystemExit(main())
