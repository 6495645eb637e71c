"""The real camera node on another process's images; from SIGUSR1 on its camera hangs.

A hung camera hands over its last image again and again, freshly stamped, as USB cameras do. Until
then one pixel counts, as the noise of a sensor would: the simulator's images have none.
"""

import queue
import signal
import threading
import time
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from njf_perception.cameras.base import CameraSource, Grabbed
from njf_perception.cameras.calibration import Calibration, Matrix
from njf_perception.cameras.freshness import Instant
from njf_perception.errors import StaleDataError
from njf_perception.nodes.camera import CameraNode
from njf_perception.nodes.conversions import image_from_msg, stamp_to_ns
from njf_perception.nodes.main import run
from njf_perception.nodes.spinning import SpinThread

RATE_HZ = 20.0
PATIENCE_S = 60.0


class HangingCamera(CameraSource):
    """Takes hidden/<name>/image_raw for its own images."""

    def __init__(self, name: str, _: Any) -> None:
        super().__init__(name, RATE_HZ, repeats_allowed=False)
        self._hung, self._last, self._count = threading.Event(), None, 0
        self._waiting: queue.Queue[Image] = queue.Queue()
        infos: queue.Queue[CameraInfo] = queue.Queue()
        node = Node("relay", use_global_arguments=False)
        qos = qos_profile_sensor_data
        node.create_subscription(Image, f"hidden/{name}/image_raw", self._waiting.put, qos)
        node.create_subscription(CameraInfo, f"hidden/{name}/camera_info", infos.put, qos)
        self._node, self._spinning = node, SpinThread(node)
        try:
            self.calibration = calibration(name, infos.get(timeout=PATIENCE_S))
        except queue.Empty:
            raise StaleDataError(f"{name}: no hidden camera_info. Start the simulator.") from None
        signal.signal(signal.SIGUSR1, lambda *_: self._hung.set())

    def _grab(self) -> Grabbed | None:
        if self._hung.is_set() and self._last is not None:
            time.sleep(1 / RATE_HZ)
            return Grabbed(self._last, Instant.now())
        try:
            msg = self._waiting.get(timeout=1.0)
        except queue.Empty:
            return None
        self._count += 1
        self._last, now = image_from_msg(msg), Instant.now()
        self._last[0, 0] = self._count % 256
        return Grabbed(self._last, now.before((now.wall_ns - stamp_to_ns(msg.header.stamp)) * 1e-9))

    def _release(self) -> None:
        if rclpy.ok():
            self._spinning.close()
            self._node.destroy_node()


def calibration(name: str, info: CameraInfo) -> Calibration:
    """What a camera_info of a pinhole camera says."""
    return Calibration(
        camera_name=name,
        image_width=info.width,
        image_height=info.height,
        camera_matrix=Matrix(rows=3, cols=3, data=[float(value) for value in info.k]),
        distortion_model="plumb_bob",
        distortion_coefficients=Matrix(rows=1, cols=5, data=[0.0] * 5),
    )


if __name__ == "__main__":
    raise SystemExit(run(lambda: CameraNode(open_camera=HangingCamera)))
