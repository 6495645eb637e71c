"""The simulator node over a live graph: images, poses, servo bus, ground truth, diagnostics."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PointStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState

from njf_control.drivers.dynamixel.models import XL320
from njf_control.drivers.dynamixel.protocol import Instruction, encode_instruction
from njf_perception.errors import ConfigError
from njf_perception.nodes.conversions import (
    camera_from_info,
    depth_from_msg,
    image_from_msg,
    stamp_to_ns,
    transform_to_matrix,
)
from njf_sim.nodes.simulator import SimulatorNode
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel
from tf2_ros import Buffer, TransformListener

pytestmark = pytest.mark.ros

START = [0.3, -0.4, 0.5]
MakeSimulator = Callable[..., SimulatorNode]


class Listener(Node):
    """Subscribes to what the simulator says about two cameras and itself."""

    def __init__(self, *cameras: str) -> None:
        super().__init__("listener")
        self.images: dict[str, list[Image]] = {name: [] for name in cameras}
        self.infos: dict[str, list[CameraInfo]] = {name: [] for name in cameras}
        self.joints: list[JointState] = []
        self.tips: list[PointStamped] = []
        self.statuses: list[DiagnosticStatus] = []
        for name in cameras:
            self._listen(Image, f"{name}/image_raw", self.images[name].append)
            self._listen(CameraInfo, f"{name}/camera_info", self.infos[name].append)
        self._listen(JointState, "ground_truth/joint_states", self.joints.append)
        self._listen(PointStamped, "ground_truth/tip", self.tips.append)
        self._listen(DiagnosticArray, "/diagnostics", lambda msg: self.statuses.extend(msg.status))

    def _listen(self, message: type, topic: str, callback: Callable[[Any], None]) -> None:
        self.create_subscription(message, topic, callback, qos_profile_sensor_data)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "ports" / "servos"


@pytest.fixture
def make_simulator(ros_context: None, link: Path, robot_file: Path) -> MakeSimulator:
    """`make_simulator(name=value, ...)` makes the node with these parameters."""

    def make(**parameters: Any) -> SimulatorNode:
        given = {
            "robot_file": str(robot_file),
            "cameras": ["camera_0", "camera_5"],
            "port_link": str(link),
            "initial_setpoint": START,
            **parameters,
        }
        return SimulatorNode([Parameter(name, value=value) for name, value in given.items()])

    return make


def write(port: int, motor_id: int, name: str, value: int) -> None:
    register = XL320[name]
    parameters = struct.pack("<H", register.address) + register.encode(value)
    os.write(port, encode_instruction(motor_id, Instruction.WRITE, parameters))


def test_images_show_the_state_at_their_stamp(
    make_simulator: MakeSimulator, model: RobotModel, spin, wait_until
) -> None:
    listener = Listener("camera_0", "camera_5")
    spin(make_simulator(), listener)
    wait_until(lambda: all(len(images) > 2 for images in listener.images.values()))
    wait_until(lambda: listener.joints and listener.tips and all(listener.infos.values()))
    renderer = Renderer(model)
    renderer.pose(np.array(listener.joints[-1].position))
    for name, images in listener.images.items():
        image = images[-1]
        assert (image.encoding, image.header.frame_id) == ("rgb8", f"{name}_optical_frame")
        np.testing.assert_array_equal(image_from_msg(image), renderer.render(name).rgb)
        camera = camera_from_info(listener.infos[name][-1], name)
        np.testing.assert_array_equal(camera.K, model.cameras[name].K)
    model.set_position(START)
    tip = listener.tips[-1]
    assert tip.header.frame_id == "world"
    np.testing.assert_allclose([tip.point.x, tip.point.y, tip.point.z], model.tip, atol=1e-6)


def test_a_camera_with_depth_sends_it_beside_its_images(
    make_simulator: MakeSimulator,
    robot_file: Path,
    tmp_path: Path,
    model: RobotModel,
    spin,
    wait_until,
) -> None:
    text = robot_file.read_text()
    with_depth = tmp_path / "finger.yaml"
    with_depth.write_text(text.replace("{name: camera_0,", "{name: camera_0, depth: true,"))
    assert with_depth.read_text() != text
    listener, depths = Listener("camera_0"), []
    listener._listen(Image, "camera_0/aligned_depth_to_color/image_raw", depths.append)
    spin(make_simulator(robot_file=str(with_depth)), listener)
    wait_until(lambda: depths and listener.images["camera_0"])
    assert listener.count_publishers("camera_5/aligned_depth_to_color/image_raw") == 0
    message = depths[-1]
    assert (message.encoding, message.header.frame_id) == ("16UC1", "camera_0_optical_frame")
    wait_until(lambda: message.header in [image.header for image in listener.images["camera_0"]])
    model.set_position(START)
    renderer = Renderer(model)
    measured, true = depth_from_msg(message), renderer.render("camera_0").depth
    known = np.isfinite(measured)
    assert 0.8 < known.mean() < 1.0
    np.testing.assert_allclose(measured[known], true[known], atol=6e-4)


def test_all_messages_of_an_instant_share_its_stamp(
    make_simulator: MakeSimulator, spin, wait_until
) -> None:
    listener = Listener("camera_0", "camera_5")
    spin(make_simulator(), listener)
    wait_until(lambda: all(len(images) > 5 for images in listener.images.values()))

    def stamps(messages: list[Any]) -> set[int]:
        return {stamp_to_ns(message.header.stamp) for message in messages}

    for other in (listener.images["camera_5"], listener.infos["camera_0"], listener.joints):
        assert len(stamps(listener.images["camera_0"]) & stamps(list(other))) >= 3


def test_camera_poses_are_on_tf_static(
    make_simulator: MakeSimulator, model: RobotModel, spin, wait_until
) -> None:
    from rclpy.time import Time

    listener = Listener()
    buffer = Buffer()
    transforms = TransformListener(buffer, listener)
    spin(make_simulator(), listener)
    frame = "camera_5_optical_frame"
    wait_until(lambda: buffer.can_transform("world", frame, Time()))
    found = buffer.lookup_transform("world", frame, Time()).transform
    expected = model.cameras["camera_5"].T_world_camera
    np.testing.assert_allclose(transform_to_matrix(found), expected, atol=1e-9)
    assert not buffer.can_transform("world", "camera_1_optical_frame", Time())
    del transforms


def test_a_prefix_comes_before_all_frames(make_simulator: MakeSimulator, spin, wait_until) -> None:
    from rclpy.time import Time

    listener, buffer = Listener("camera_0"), Buffer()
    transforms = TransformListener(buffer, listener)
    spin(make_simulator(tf_prefix="left/"), listener)
    frame = "left/camera_0_optical_frame"
    wait_until(lambda: buffer.can_transform("left/world", frame, Time()))
    wait_until(lambda: listener.images["camera_0"] and listener.infos["camera_0"] and listener.tips)
    assert listener.images["camera_0"][-1].header.frame_id == frame
    assert listener.infos["camera_0"][-1].header.frame_id == frame
    assert listener.tips[-1].header.frame_id == "left/world"
    del transforms


def test_bytes_on_the_servo_bus_move_the_robot(
    make_simulator: MakeSimulator, link: Path, spin, wait_until
) -> None:
    listener = Listener()
    spin(make_simulator(), listener)
    port = os.open(link, os.O_RDWR | os.O_NOCTTY)
    try:
        write(port, 2, "torque_enable", 1)
        write(port, 2, "goal_position", XL320.units.position_to_raw(0.6))
        wait_until(lambda: listener.joints and abs(listener.joints[-1].position[1] - 0.6) < 0.005)
    finally:
        os.close(port)
    assert listener.joints[-1].name == ["joint_0", "joint_1", "joint_2"]


def test_the_link_goes_with_its_simulator_and_with_no_other(
    make_simulator: MakeSimulator, link: Path
) -> None:
    first = make_simulator()
    second = make_simulator()
    first.destroy_node()
    assert os.path.exists(link)
    second.destroy_node()
    assert not link.is_symlink()


def figure(listener: Listener, key: str) -> list[float]:
    values = [pair for status in listener.statuses for pair in status.values]
    return [float(pair.value) for pair in values if pair.key == key]


def test_only_watched_cameras_are_rendered(make_simulator: MakeSimulator, spin, wait_until) -> None:
    listener = Listener("camera_5")
    spin(make_simulator(), listener)
    wait_until(lambda: figure(listener, "cameras_watched"))
    wait_until(lambda: listener.images["camera_5"])
    assert set(figure(listener, "cameras_watched")[1:]) <= {1.0}


def test_a_rate_that_cannot_be_held_is_reported(
    make_simulator: MakeSimulator, spin, wait_until
) -> None:
    listener = Listener("camera_0", "camera_1", "camera_2", "camera_5")
    spin(make_simulator(cameras=[""], camera_rate_hz=120.0), listener)
    wait_until(lambda: any("instead of 120" in status.message for status in listener.statuses))
    slow = next(s for s in listener.statuses if "instead of" in s.message)
    assert slow.level == DiagnosticStatus.WARN
    assert max(figure(listener, "render_ms")) > 8.0


def test_noise_differs_from_image_to_image(make_simulator: MakeSimulator, spin, wait_until) -> None:
    listener = Listener("camera_0")
    spin(make_simulator(noise_levels=2.0), listener)
    wait_until(lambda: len(listener.images["camera_0"]) > 3)
    first, second = (image_from_msg(m).astype(float) for m in listener.images["camera_0"][:2])
    assert (first - second).std() == pytest.approx(2.0 * np.sqrt(2.0), rel=0.1)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"cameras": ["camera_9"]}, "camera_9.*camera_0"),
        ({"initial_setpoint": [0.1, 0.2]}, "2 values.*3 channels"),
        ({"robot_file": "/nowhere.yaml"}, "/nowhere.yaml"),
        ({"port_link": "/proc/servos"}, "port_link is /proc/servos"),
    ],
)
def test_wrong_parameters_are_explained(
    make_simulator: MakeSimulator, parameters: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_simulator(**parameters)


def test_the_process_cleans_up_when_interrupted(
    start_process: Callable[..., subprocess.Popen[str]],
    robot_file: Path,
    link: Path,
    wait_until,
) -> None:
    process = start_process(
        "njf_sim.nodes.simulator",
        *("--ros-args", "-p", f"robot_file:={robot_file}", "-p", f"port_link:={link}"),
        *("-p", "cameras:=[camera_0]"),
    )
    wait_until(lambda: os.path.exists(link), 60.0)
    process.terminate()
    assert process.wait(60.0) == 0
    assert not link.is_symlink()
