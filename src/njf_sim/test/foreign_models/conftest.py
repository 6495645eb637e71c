"""A small robot in the layout of MuJoCo Menagerie's folders, and its description."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from njf_control.robot import RobotConfig

ARM = """<mujoco model="arm">
  <compiler angle="radian" meshdir="assets" autolimits="true"/>
  <default>
    <default class="visual"><geom type="mesh" mesh="box" group="2" material="black"
      contype="0" conaffinity="0"/></default>
    <default class="collision"><geom type="sphere" size="0.3" group="3"/></default>
  </default>
  <asset>
    <material name="black" rgba="0 0 0 1" specular="0.9"/>
    <mesh name="box" file="box.obj"/>
  </asset>
  <worldbody>
    <body name="link1">
      <joint name="joint1" axis="0 0 1" range="-2 2"/>
      <geom class="visual"/>
      <geom class="collision"/>
      <body name="link2" pos="0 0 0.2">
        <joint name="joint2" axis="0 1 0" range="0.5 2"/>
        <geom type="capsule" fromto="0 0 0  0.3 0 0" size="0.03" rgba="1 1 1 1" group="2"/>
        <body name="finger" pos="0.3 0 0">
          <joint name="slide" type="slide" axis="1 0 0" range="0 0.04"/>
          <geom size="0.02" user="0.5 0.015 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="actuator1" joint="joint1" kp="50" ctrlrange="-2 2"/>
    <position name="actuator2" joint="joint2" kp="50" ctrlrange="0.5 2"/>
    <position name="gripper" joint="slide" kp="50" ctrlrange="0 0.04"/>
  </actuator>
</mujoco>
"""
SCENE = """<mujoco model="scene">
  <include file="iiwa14.xml"/>
  <worldbody><geom name="floor" type="plane" size="1 1 0.1"/></worldbody>
</mujoco>
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of Menagerie with one robot, under a name that Menagerie has."""
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    robot = tmp_path / "kuka_iiwa_14"
    (robot / "assets").mkdir(parents=True)
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    vertices = [f"v {0.04 * x} {0.04 * y} {0.1 * z}" for x, y, z in corners]
    sides = ["1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4"]
    faces = [f"f {side}" for side in sides]
    (robot / "assets" / "box.obj").write_text("\n".join(vertices + faces) + "\n")
    (robot / "iiwa14.xml").write_text(ARM)
    (robot / "scene.xml").write_text(SCENE)
    return tmp_path


@pytest.fixture
def arm_file(checkout: Path) -> Path:
    """The MJCF file of the robot alone."""
    return checkout / "kuka_iiwa_14" / "iiwa14.xml"


@pytest.fixture
def describe() -> Callable[..., RobotConfig]:
    """Describes the arm of an MJCF file; further arguments are keys of `simulation`."""
    return _arm


def _arm(mjcf: str | Path, **changes: Any) -> RobotConfig:
    """The arm's description; `changes` are keys of `simulation`."""
    channels = [
        {"name": "actuator1", "unit": "rad", "lower": -1.0, "upper": 1.0, "max_rate": 2.0},
        {"name": "actuator2", "unit": "rad", "lower": 0.6, "upper": 1.6, "max_rate": 2.0},
    ]
    roles = ["control", "training", "training", "training", "held_out", "held_out"]
    cameras = [
        {"name": f"camera_{i}", "role": role, "width": 64, "height": 48}
        for i, role in enumerate(roles)
    ]
    simulation = {
        "mjcf": str(mjcf),
        "gravity": False,
        "hold": {"gripper": 0.02},
        "tips": ["tip"],
        "add": {
            "cameras": {},
            "sites": {"tip": {"body": "finger", "position_m": [0.02, 0.0, 0.0]}},
            "speckle": {},
            "floor_m": -0.2,
        },
    }
    return RobotConfig.model_validate(
        {
            "name": "arm",
            "channels": channels,
            "driver": {"kind": "simulated", "rate_hz": 50.0},
            "safety": {},
            "cameras": cameras,
            "simulation": simulation | changes,
            "workspace_min_m": [-0.4, -0.4, -0.2],
            "workspace_max_m": [0.4, 0.4, 0.6],
        }
    )
