"""Tags of a calibration board in the images of running cameras."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from njf_perception.calibration.bags import lens_of_info
from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting, TagDetector
from njf_perception.calibration.folders import check_size
from njf_perception.calibration.lens import Lens
from njf_perception.errors import StaleDataError
from njf_perception.nodes.conversions import image_from_msg, stamp_to_ns

_PATIENCE_S = 10.0
_TICK_S = 0.05


class BoardWatch:
    """Subscribes to images and camera_info of cameras, and keeps the newest of each."""

    def __init__(self, board: Board, cameras: Sequence[str]) -> None:
        self._cameras = cameras
        self._detector = TagDetector(board)
        self._infos: dict[str, CameraInfo] = {}
        self._images: dict[str, Image] = {}
        self._ending = threading.Event()
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("calibrate", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        for name in cameras:
            self._subscribe(name)

    def lenses(self, patience_s: float = _PATIENCE_S) -> dict[str, Lens]:
        """Each camera's lens, once all of them send images and camera_info.

        Raises:
            StaleDataError: one does not, for `patience_s`.
            DataError: the distortion of one is none that is known.
        """
        deadline_s = time.monotonic() + patience_s
        while missing := self._missing():
            if time.monotonic() > deadline_s:
                raise StaleDataError(
                    f"nothing on {missing[0]} for {patience_s:g} s. Start the cameras: njf up "
                    "--robot my_robot.yaml --hardware --task none --cameras all --params-file "
                    "camera.yaml, or your own drivers."
                )
            self._executor.spin_once(timeout_sec=_TICK_S)
        return {name: lens_of_info(name, self._infos[name]) for name in self._cameras}

    def sightings(self) -> Iterator[tuple[str, int, Sighting]]:
        """(camera, stamp [ns], tags) of the newest images, until Ctrl-C or `end`.

        Raises:
            DataError: an image is of another size than its camera_info, or cannot be decoded.
        """
        before = None
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGINT, lambda *_: self.end())
        try:
            while not self._ending.is_set():
                self._executor.spin_once(timeout_sec=_TICK_S)
                for name in [name for name in self._cameras if name in self._images]:
                    yield self._look(name, self._images.pop(name))
        finally:
            if before is not None:
                signal.signal(signal.SIGINT, before)

    def end(self) -> None:
        """End `sightings`; from any thread."""
        self._ending.set()

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _subscribe(self, name: str) -> None:
        qos = qos_profile_sensor_data

        def on_image(msg: Image) -> None:
            self._images[name] = msg

        def on_info(msg: CameraInfo) -> None:
            self._infos[name] = msg

        self._node.create_subscription(Image, f"{name}/image_raw", on_image, qos)
        self._node.create_subscription(CameraInfo, f"{name}/camera_info", on_info, qos)

    def _missing(self) -> list[str]:
        """Topics that have not come."""
        images = [f"{name}/image_raw" for name in self._cameras if name not in self._images]
        infos = [f"{name}/camera_info" for name in self._cameras if name not in self._infos]
        return sorted(images + infos)

    def _look(self, name: str, msg: Image) -> tuple[str, int, Sighting]:
        gray = cv2.cvtColor(image_from_msg(msg), cv2.COLOR_RGB2GRAY)
        info = self._infos[name]
        size = (gray.shape[1], gray.shape[0])
        check_size(f"an image on {name}/image_raw", size, (int(info.width), int(info.height)))
        return name, stamp_to_ns(msg.header.stamp), self._detector(np.asarray(gray, np.uint8))
