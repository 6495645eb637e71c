"""Files of ROS parameters are read as rcl reads them."""

from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from njf_bringup.doctor.ros_parameters import parameters_of
from njf_perception.errors import ConfigError

FILE = """\
/**:
  ros__parameters: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1}
/**/camera_0_driver:
  ros__parameters: {b: 2}
camera_0_driver:
  ros__parameters: {c: 3}
/*/camera_0_driver:
  ros__parameters: {d: 4}
/lab/camera_0_driver:
  ros__parameters: {e: 5}
/**/camera_1_driver:
  ros__parameters: {g: 6}
/lab/**:
  ros__parameters: {h: 7, e: 7}
/*:
  ros__parameters: {i: 8, c: 8}
/**/left/camera_0_driver:
  ros__parameters: {b: 9}
room:
  camera_0_driver:
    ros__parameters: {j: 10}
  left:
    camera_0_driver:
      ros__parameters: {k: 11}
"""
EXPECTED = {
    "": {"a": 1, "b": 2, "c": 8, "d": 1, "e": 1, "f": 1, "i": 8},
    "/lab": {"a": 1, "b": 2, "c": 1, "d": 4, "e": 7, "f": 1, "h": 7},
    "/room": {"a": 1, "b": 2, "c": 1, "d": 4, "e": 1, "f": 1, "j": 10},
    "/room/left": {"a": 1, "b": 9, "c": 1, "d": 1, "e": 1, "f": 1, "k": 11},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "camera.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("namespace", EXPECTED)
def test_later_sections_win_and_wildcards_fit(file: Path, namespace: str) -> None:
    assert parameters_of(f"{namespace}/camera_0_driver", file) == EXPECTED[namespace]


@pytest.mark.ros
@pytest.mark.parametrize("namespace", EXPECTED)
def test_a_node_reads_the_same(file: Path, namespace: str) -> None:
    context = Context()
    rclpy.init(context=context, args=["--ros-args", "--params-file", str(file)])
    try:
        node = Node(
            "camera_0_driver",
            namespace=namespace,
            context=context,
            automatically_declare_parameters_from_overrides=True,
            start_parameter_services=False,
        )
        found = {name: node.get_parameter(name).value for name in EXPECTED[namespace]}
        strange = [name for name in "abcdefghijk" if node.has_parameter(name) and name not in found]
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    assert (found, strange) == (EXPECTED[namespace], [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds None, expected nodes with ros__parameters"),
        ("camera_0_driver: {rate_hz: 30.0}", "/camera_0_driver/rate_hz holds 30.0"),
        ("camera_0_driver: {ros__parameters: 3}", "/camera_0_driver is 3, expected parameters"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        parameters_of("/camera_0_driver", path)
