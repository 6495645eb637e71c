"""Live calibration: cameras on topics, a board that rests, Ctrl-C."""

import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from typer.testing import CliRunner

from njf_bringup.calibration.request import Request
from njf_bringup.calibration.run import run
from njf_bringup.cli import app
from njf_bringup.nodes.board_watch import BoardWatch
from njf_perception.calibration.board import Board
from njf_perception.calibration.files import load_camera_poses
from njf_perception.calibration.refuse import Limits
from njf_perception.calibration.sightings import load_sightings
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


def request(rig: BoardRig, out: Path, **changes: Any) -> Request:
    values: dict = {"live": list(rig.lenses)}
    return Request(rig.board, out, **(values | changes))


def test_rests_on_topics_calibrate_a_rig_also_after_a_refusal(
    spin: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rig, out = board_rig(2, 5, np.random.default_rng(3)), tmp_path / "out"
    watches: list[BoardWatch] = []
    original = BoardWatch.__init__

    def remember(self: BoardWatch, board: Board, cameras: list[str]) -> None:
        original(self, board, cameras)
        watches.append(self)

    monkeypatch.setattr(BoardWatch, "__init__", remember)
    spin(Cameras(rig, lambda: [watch.end() for watch in watches]))
    with pytest.raises(DataError, match=r"over the limit of 0\.01 px.*Without the cam") as refusal:
        run(request(rig, out, limits=Limits(error_px=0.01, views=2)))
    assert [path.name for path in out.iterdir()] == ["sightings.json"]
    # The command from the message, but for the limit that was too strict.
    words = shlex.split(str(refusal.value).split("Without the cameras: njf ")[1])
    words[words.index("--limit-px") + 1] = "1.0"
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    poses = load_camera_poses(out / "camera_poses.yaml").cameras
    assert rig.errors({name: pose.matrix for name, pose in poses.items()})[0].max() < 2e-3
    assert not (out / "camera_00.yaml").exists()  # the images were rectified
    again = {"folder": out / "sightings.json", "live": [], "intrinsics": True}
    for changes in ({"intrinsics": True}, again):
        with pytest.raises(DataError, match="images of camera_00 are rectified"):
            run(request(rig, tmp_path / "lenses", **changes))


def test_what_was_seen_is_kept_when_an_error_ends_the_watching(
    spin: Callable[..., None], tmp_path: Path
) -> None:
    rig = board_rig(2, 2, np.random.default_rng(3))
    cameras = Cameras(rig, lambda: setattr(cameras, "_empty", np.zeros((240, 320), np.uint8)))
    spin(cameras)
    message = r"has 320 x 240 px.*Without the cameras: njf calibrate --views .*sightings\.json"
    with pytest.raises(DataError, match=message):
        run(request(rig, tmp_path))
    _, views = load_sightings(tmp_path / "sightings.json", rig.board)
    assert {view.camera for view in views} == set(rig.lenses)


def test_a_silent_camera_is_named(ros_context: None, tmp_path: Path) -> None:
    watch = BoardWatch(Board(), ["camera_7"])
    message = (
        r"nothing on camera_7/camera_info for 0\.3 s.*njf up --robot my_robot\.yaml --hardware "
        r"--task none --cameras all --params-file camera\.yaml"
    )
    with pytest.raises(StaleDataError, match=message):
        watch.lenses(patience_s=0.3)
    threading.Thread(target=watch.end).start()
    assert list(watch.sightings()) == []
    watch.close()
