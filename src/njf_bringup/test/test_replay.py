"""`njf replay`: model and solver answer a recording, and no robot could hear them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from njf_bringup.paths import robot_file
from njf_control.robot import RobotConfig, load_robot
from njf_perception.camera import Camera
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel
from njf_training.bag import BagWriter, message_types

PERIOD_NS = 100_000_000
IMAGES = 60
FROM, TO = np.array([0.0, 0.0, 0.0]), np.array([0.35, 0.3, -0.25])
RUNNING = 2


class Film:
    """Writes what cameras and driver of a simulated finger would have sent."""

    def __init__(self, folder: Path, robot: RobotConfig) -> None:
        self.robot, self.types = robot, message_types().types
        self.writer = BagWriter(folder)
        self.camera = robot.control_camera.name
        self.topics = {
            f"/{self.camera}/image_raw": "sensor_msgs/msg/Image",
            f"/{self.camera}/camera_info": "sensor_msgs/msg/CameraInfo",
            "/command": "njf_msgs/msg/Command",
            "/command_applied": "njf_msgs/msg/CommandApplied",
            "/safety_state": "njf_msgs/msg/SafetyState",
        }
        for topic, kind in self.topics.items():
            self.writer.add_topic(topic, kind)

    def write(self, topic: str, stamp: int, **fields: Any) -> None:
        kind = self.topics[topic]
        header = self._header(stamp)
        data = message_types().serialize_cdr(self.types[kind](header=header, **fields), kind)
        self.writer.write(topic, stamp, bytes(data))

    def image(self, stamp: int, image: np.ndarray, camera: Camera) -> None:
        height, width = image.shape[:2]
        size = {"height": height, "width": width}
        self.write(
            f"/{self.camera}/camera_info",
            stamp,
            **size,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=camera.K.ravel(),
            r=np.eye(3).ravel(),
            p=np.zeros(12),
            binning_x=0,
            binning_y=0,
            roi=self.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
        )
        data = np.ascontiguousarray(image).ravel()
        encoded = {"encoding": "rgb8", "is_bigendian": 0, "step": 3 * width, "data": data}
        self.write(f"/{self.camera}/image_raw", stamp, **size, **encoded)

    def driver(self, stamp: int, values: np.ndarray) -> None:
        names, zero = self.robot.channel_names, self._header(0).stamp
        self.write(
            "/command", stamp, channel_names=names, values=values, image_stamp=zero, source=""
        )
        self.write(
            "/command_applied",
            stamp,
            channel_names=names,
            requested=values,
            applied=values,
            measured=values,
            alterations=np.zeros(len(names), np.uint8),
            reason="",
            image_stamp=zero,
        )
        counts = ("accepted_count", "limited_count", "rejected_count", "watchdog_count")
        self.write(
            "/safety_state",
            stamp,
            state=RUNNING,
            reason="",
            command_age_s=0.0,
            watchdog_timeout_s=0.1,
            **dict.fromkeys(counts, 0),
        )

    def _header(self, stamp: int) -> Any:
        time_type = self.types["builtin_interfaces/msg/Time"]
        when = time_type(stamp // 10**9, stamp % 10**9)
        return self.types["std_msgs/msg/Header"](when, f"{self.camera}_optical_frame")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a finger that moves from one posture to another, and rests at the ends."""
    robot = load_robot(robot_file("finger"))
    model = RobotModel.from_robot(robot)
    renderer, name = Renderer(model), robot.control_camera.name
    folder = tmp_path_factory.mktemp("replay") / "bag"
    film = Film(folder, robot)
    for index in range(IMAGES):
        share = np.clip((index - 10) / (IMAGES - 15), 0, 1)
        values = FROM + share * (TO - FROM)
        renderer.pose(model.settle(values))
        begin = 10**9 + index * PERIOD_NS
        film.image(begin, renderer.render(name).rgb, model.cameras[name])
        for cycle in range(5):
            film.driver(begin + cycle * PERIOD_NS // 5, values)
    film.writer.close()
    return folder


@pytest.mark.ros
@pytest.mark.slow
def test_the_solver_points_where_the_robot_went_and_nobody_is_commanded(
    recording: Path, tmp_path: Path, ros_context: None, wait_until: Callable[..., None]
) -> None:
    from rclpy.node import Node

    watcher = Node("watcher")
    options = ["--bag", str(recording), "--run-dir", str(tmp_path), "--rate", "0.5"]
    options.append("--no-visualize")
    domain = os.environ["ROS_DOMAIN_ID"]
    command = [sys.executable, "-m", "njf_bringup.cli", "replay", *options, "--domain", domain]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    commanders = set()
    while process.poll() is None:
        commanders.update(
            info.node_name for info in watcher.get_publishers_info_by_topic("command")
        )
        time.sleep(0.2)
    watcher.destroy_node()
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert not commanders, "somebody could have moved a robot"
    score = json.loads((tmp_path / "shadow.json").read_text())
    assert score["encodings"] > 3 and score["shadow_commands"] > 3, output
    assert score["cosine_median"] > 0.8, output


@pytest.mark.ros
def test_a_replay_stays_out_of_the_users_domain(recording: Path, tmp_path: Path) -> None:
    options = ["--bag", str(recording), "--run-dir", str(tmp_path), "--checkpoint", "none.pt"]
    command = [sys.executable, "-m", "njf_bringup.cli", "replay", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    domain = os.environ["ROS_DOMAIN_ID"]
    assert "ROS_DOMAIN_ID=" in done.stdout and f"ROS_DOMAIN_ID={domain} " not in done.stdout
    assert done.returncode == 1, done.stderr
