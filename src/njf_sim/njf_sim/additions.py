"""What `simulation.add` puts into a model before it is compiled: cameras, sites, paint, floor."""

# MuJoCo is a compiled module without type stubs.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable

import mujoco
import numpy as np

from njf_control.robot import RobotConfig
from njf_control.simulation_config import SpeckleConfig
from njf_perception.errors import ConfigError
from njf_sim.camera_places import MUJOCO_FROM_OPENCV, camera_places

_SPECKLES_PER_WORKSPACE = 40.0
_LIGHTNESS = np.array([0.2126, 0.7152, 0.0722])  # of red, green and blue (ITU-R BT.709)
_DARKEST, _LIGHTEST, _GLOSSIEST = 0.25, 0.7, 0.2
_FLOOR_COLOUR = [0.42, 0.46, 0.52, 1.0]
_FLOOR_PAINT = [0.05, 0.12, 0.0]  # as in the MJCF files: speckle contrast, its size [m], grid [m]


def add_to(spec: mujoco.MjSpec, robot: RobotConfig) -> None:
    """Add to a model what the robot's file asks for.

    Raises:
        ConfigError: an addition refers to a body or a camera that does not exist, or exists
            already.
    """
    add = robot.simulation.add
    for name, site in add.sites.items():
        _refuse_double("site", name, (other.name for other in spec.sites))
        _body(spec, site.body, f"simulation.add.sites.{name}").add_site(
            name=name, pos=site.position_m
        )
    if add.cameras is not None:
        _add_cameras(spec, robot)
    if add.speckle is not None:
        _speckle(spec, add.speckle, robot)
    if add.floor_m is not None:
        _add_floor(spec, add.floor_m)


def _add_cameras(spec: mujoco.MjSpec, robot: RobotConfig) -> None:
    config = robot.simulation.add.cameras
    assert config is not None
    present = [camera.name for camera in spec.cameras]
    for name in config.positions_m:
        _refuse_double("camera", name, present)
    missing = [camera for camera in robot.cameras if camera.name not in present]
    for name, T_world_camera in camera_places(config, missing, robot).items():
        quat = np.zeros(4)
        mujoco.mju_mat2Quat(quat, (T_world_camera[:3, :3] @ MUJOCO_FROM_OPENCV).ravel())
        fovy = np.rad2deg(config.field_of_view_rad)
        spec.worldbody.add_camera(name=name, pos=T_world_camera[:3, 3], quat=quat, fovy=fovy)


def _speckle(spec: mujoco.MjSpec, config: SpeckleConfig, robot: RobotConfig) -> None:
    sides = np.subtract(robot.workspace_max_m, robot.workspace_min_m)
    size_m = config.size_m or float(sides.max()) / _SPECKLES_PER_WORKSPACE
    spec.nuser_geom = max(spec.nuser_geom, 3)
    for geom in spec.geoms:
        if not np.any(geom.userdata):
            geom.userdata = [config.contrast, size_m, 0.0]
            _show_speckle(spec.material(geom.material) or geom)


def _show_speckle(surface: "mujoco.MjsMaterial | mujoco.MjsGeom") -> None:
    """Bring lightness and gloss to where speckle is lost neither in black, nor white, nor glints.

    A glint moves otherwise than the surface.
    """
    colour = np.array(surface.rgba[:3])
    lightness = float(_LIGHTNESS @ colour)
    if lightness < _DARKEST:
        grey = (_DARKEST - lightness) / (1.0 - lightness)
        colour = colour + grey * (1.0 - colour)
    elif lightness > _LIGHTEST:
        colour = colour * _LIGHTEST / lightness
    surface.rgba = [*colour, surface.rgba[3]]
    if isinstance(surface, mujoco.MjsMaterial):
        surface.specular = min(surface.specular, _GLOSSIEST)


def _add_floor(spec: mujoco.MjSpec, height_m: float) -> None:
    """A plane that is only seen: it touches nothing."""
    spec.nuser_geom = max(spec.nuser_geom, 3)
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0.0, 0.0, height_m],
        size=[0.0, 0.0, 0.1],
        rgba=_FLOOR_COLOUR,
        contype=0,
        conaffinity=0,
        userdata=_FLOOR_PAINT,
    )


def _body(spec: mujoco.MjSpec, name: str, key: str) -> "mujoco.MjsBody":
    body = spec.body(name)
    if body is None:
        names = ", ".join(other.name for other in spec.bodies if other.name)
        raise ConfigError(f"{key}: the MJCF file has no body '{name}'; its bodies: {names}.")
    return body


def _refuse_double(kind: str, name: str, present: Iterable[str]) -> None:
    if name in present:
        raise ConfigError(
            f"simulation.add would add the {kind} '{name}', but the MJCF file has one of that name."
        )
