"""Live calibration: cameras on topics, a board that rests, Ctrl-C."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_bringup.calibration.sources import from_topics
from njf_bringup.nodes.board_watch import BoardWatch
from njf_perception.calibration.board import Board
from njf_perception.calibration.rig import calibrate_rig
from njf_perception.camera import Camera
from njf_perception.errors import DataError, StaleDataError
from njf_perception.nodes.conversions import camera_info_msg, image_to_msg, ns_to_stamp
from njf_sim.board_pictures import board_picture
from njf_sim.board_rig import BoardRig, board_rig

pytestmark = pytest.mark.ros


class Cameras(Node):
    """Sends the images of a rig, one rest of the board after the other, ten times a second."""

    def __init__(self, rig: BoardRig, end: Callable[[], object]) -> None:
        super().__init__("cameras")
        rng, self._end, self._tick, self._rig = np.random.default_rng(0), end, 0, rig
        seen = {(c, i): board_picture(rig.board, rig.lenses[c], T, rng) for c, i, T in rig.seen()}
        self._empty = np.full((480, 640), 128, np.uint8)
        self._seen, self._instants = seen, list(rig.T_world_board)
        self._images = {n: self.create_publisher(Image, f"{n}/image_raw", 5) for n in rig.lenses}
        self._infos = {
            n: self.create_publisher(CameraInfo, f"{n}/camera_info", 5) for n in rig.lenses
        }
        self.create_timer(0.1, self._send)

    def _send(self) -> None:
        # Until somebody listens the board stays away: no rest is missed.
        listening = all(p.get_subscription_count() for p in self._images.values())
        index, phase = divmod(self._tick, 9)
        self._tick += listening
        if index > len(self._instants):
            self._end()
        instant = self._instants[index - 1] if 0 < index <= len(self._instants) else ""
        for name, lens in self._rig.lenses.items():
            image = self._seen.get((name, instant), self._empty) if phase < 7 else self._empty
            header = Header(stamp=ns_to_stamp(time.time_ns()), frame_id="eye")
            camera = Camera(name, lens.width, lens.height, lens.K, np.eye(4))
            self._infos[name].publish(camera_info_msg(camera, header))
            self._images[name].publish(image_to_msg(image, header, "mono8"))


def test_rests_on_topics_calibrate_a_rig(
    spin: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = board_rig(2, 5, np.random.default_rng(3))
    watches: list[BoardWatch] = []
    original = BoardWatch.__init__

    def remember(self: BoardWatch, board: Board, cameras: list[str]) -> None:
        original(self, board, cameras)
        watches.append(self)

    monkeypatch.setattr(BoardWatch, "__init__", remember)
    spin(Cameras(rig, lambda: [watch.end() for watch in watches]))
    gathered = from_topics(rig.board, list(rig.lenses), find_lenses=False)
    found = calibrate_rig(rig.board, gathered.lenses, gathered.views).solution
    assert rig.errors(found.T_world_camera)[0].max() < 2e-3
    with pytest.raises(DataError, match="images of camera_00 are rectified"):
        from_topics(rig.board, list(rig.lenses), find_lenses=True)


def test_a_silent_camera_is_named(ros_context: None, tmp_path: Path) -> None:
    watch = BoardWatch(Board(), ["camera_7"])
    with pytest.raises(StaleDataError, match=r"nothing on camera_7/camera_info for 0.3 s"):
        watch.lenses(patience_s=0.3)
    threading.Thread(target=watch.end).start()
    assert list(watch.sightings()) == []
    watch.close()
