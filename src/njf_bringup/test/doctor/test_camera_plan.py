"""What the doctor takes each camera's node to ask for."""

from pathlib import Path

import pytest

from njf_bringup.doctor.camera_plan import CameraPlan, plans
from njf_bringup.graph import load_graph
from njf_bringup.resolve import resolve
from njf_perception.cameras.realsense import RealSenseConfig
from njf_perception.cameras.uvc import UvcConfig
from njf_perception.errors import ConfigError

FILE = """\
/**:
  ros__parameters: {fourcc: YUYV, exposure: 150.0, rate_hz: -1.0}
/**/camera_1_driver:
  ros__parameters: {source: realsense, serial: "012", depth: true, rate_hz: 15.0, width: 848}
/lab/camera_2_driver:
  ros__parameters: {device: /dev/v4l/by-id/two, fourcc: MJPG}
"""


def of_hardware(params_file: Path | str = "", namespace: str = "") -> list[CameraPlan]:
    """The plans of the finger's cameras, on hardware."""
    options = {"sim": False, "cameras": "all", "namespace": namespace}
    return plans(resolve(load_graph(), options).nodes, params_file)


def test_defaults_are_those_of_the_camera_node() -> None:
    plan = of_hardware()[0]
    assert (plan.name, plan.width, plan.height, plan.device) == ("camera_0", 320, 240, "")
    assert plan.is_assumed and len(of_hardware()) == 8
    uvc = UvcConfig()
    assert (plan.source, plan.fourcc) == (uvc.source, uvc.fourcc)
    assert (plan.rate_hz, plan.depth) == (uvc.rate_hz, RealSenseConfig().depth)
    assert CameraPlan(name="a", width=1, height=1).device == uvc.device


def test_a_file_says_what_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(FILE)
    zero, one, two = of_hardware(path)[:3]
    assert (zero.source, zero.fourcc, zero.rate_hz, zero.device) == ("uvc", "YUYV", 30.0, "0")
    assert (one.source, one.depth, one.rate_hz, one.width) == ("realsense", True, 15.0, 848)
    assert two.device == "0" and not two.is_assumed
    assert of_hardware(path, "lab")[2].device == "/dev/v4l/by-id/two"
    assert of_hardware(path, "lab")[2].fourcc == "MJPG"


def test_a_camera_without_a_section_opens_the_default_device(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text("camera_1_driver: {ros__parameters: {device: /dev/video2}}")
    zero, one = of_hardware(path)[:2]
    assert (zero.device, zero.is_assumed) == ("0", True)
    assert (one.device, one.is_assumed) == ("/dev/video2", False)


def test_a_value_that_does_not_fit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text("camera_1_driver: {ros__parameters: {source: webcam}}")
    with pytest.raises(ConfigError, match=r"camera.yaml: /camera_1_driver: 'source'.*'uvc'"):
        of_hardware(path)


def test_a_simulation_has_no_camera_nodes() -> None:
    assert plans(resolve(load_graph(), {"cameras": "all"}).nodes) == []
