"""Where cameras stand that look at a robot: on a ring, each just far enough to see it all."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from njf_control.robot import CameraConfig, RobotConfig
from njf_control.simulation_config import CameraPlacesConfig
from njf_perception.errors import ConfigError

# MuJoCo's cameras look along -z with y up; OpenCV's look along +z with y down.
MUJOCO_FROM_OPENCV = np.diag([1.0, -1.0, -1.0])
_NEAREST_M = 1e-3
_MARGIN = 0.04  # of the image, at each edge
_STEEP = 0.999  # of the way straight down, where the image's up has to be something else than z


def camera_places(
    config: CameraPlacesConfig, missing: Sequence[CameraConfig], robot: RobotConfig
) -> dict[str, Float[np.ndarray, "4 4"]]:
    """T_world_camera, with OpenCV's axes, of every camera in `missing`.

    Raises:
        ConfigError: a position is of a camera that is not missing, or in the point to look at.
    """
    names = [camera.name for camera in missing]
    if unknown := [name for name in config.positions_m if name not in names]:
        raise ConfigError(
            f"simulation.add.cameras.positions_m places {unknown}, which are no cameras of the "
            f"robot's file; its cameras: {', '.join(robot.camera_names)}."
        )
    low, high = np.array(robot.workspace_min_m), np.array(robot.workspace_max_m)
    target = (low + high) / 2 if config.look_at_m is None else np.array(config.look_at_m)
    middle, half_size = (low + high) / 2 - target, (high - low) / 2
    ring = [camera for camera in missing if camera.name not in config.positions_m]
    azimuths = ring_azimuths(ring, config.azimuth_rad)
    places = {}
    for index, (camera, azimuth) in enumerate(zip(ring, azimuths, strict=True)):
        elevation = config.elevations_rad[index % len(config.elevations_rad)]
        flat = np.cos(elevation)
        towards = -np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
        R = look_along(towards)
        slopes = _half_image(camera, config.field_of_view_rad)
        distance = config.distance_m or least_distance(middle, half_size, R, slopes)
        places[camera.name] = _pose(R, target - distance * towards)
    for name, position in config.positions_m.items():
        places[name] = _pose(look_along(_towards(name, position, target)), np.array(position))
    return places


def ring_azimuths(cameras: Sequence[CameraConfig], first_rad: float) -> list[float]:
    """Angle of each camera around z: held-out cameras stand halfway between the others.

    Which of the gaps they take is spread evenly, too.
    """
    held_out = [camera.role == "held_out" for camera in cameras]
    learning, judging = held_out.count(False), held_out.count(True)
    gap = 2 * np.pi / max(learning, 1)
    azimuths, seen = [], [0, 0]
    for is_held_out in held_out:
        count = seen[is_held_out]
        seen[is_held_out] += 1
        if not is_held_out:
            azimuths.append(first_rad + count * gap)
        elif learning:
            azimuths.append(first_rad + (count * learning // judging + 0.5) * gap)
        else:
            azimuths.append(first_rad + 2 * np.pi * count / judging)
    return azimuths


def look_along(direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Axes of a camera (right, down, forward as columns) that looks along a unit direction.

    Its image has the world's z up; that of a camera that looks straight down has y up.
    """
    up = np.array([0.0, 0.0, 1.0])
    if abs(direction[2]) > _STEEP:
        up = np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), direction], axis=1)


def least_distance(
    middle: Float[np.ndarray, "3"],
    half_size: Float[np.ndarray, "3"],
    R: Float[np.ndarray, "3 3"],
    slopes: Float[np.ndarray, "2"],
) -> float:
    """From where an ellipsoid touches the edge of the image, or the nearest of them [m].

    A point at (x, y, z) in camera axes, from the point looked at, is inside the image if x and y
    are at most `slopes` times its depth, which is z more than the distance. The largest x / slope
    - z on an ellipsoid is that of its middle plus the length of the scaled normal.

    Args:
        middle: of the ellipsoid, from the point looked at, world axes [m].
        half_size: its half axes along the world's [m].
        R: axes of the camera as columns, see `look_along`.
        slopes: x and y over z at the edges of the image.
    """
    normals = [s * R[:, i] / slopes[i] - R[:, 2] for i in (0, 1) for s in (-1.0, 1.0)]
    return float(max(n @ middle + np.linalg.norm(half_size * n) for n in normals))


def _half_image(camera: CameraConfig, field_of_view_rad: float) -> Float[np.ndarray, "2"]:
    """Half the width and height of the image at distance one, less a margin."""
    half_height = np.tan(field_of_view_rad / 2) * (1 - 2 * _MARGIN)
    return half_height * np.array([camera.width / camera.height, 1.0])


def _towards(
    name: str, position: Sequence[float], target: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    way = target - position
    length = np.linalg.norm(way)
    if length < _NEAREST_M:
        raise ConfigError(f"simulation.add.cameras: {name} stands in the point it looks at.")
    return way / length


def _pose(R: Float[np.ndarray, "3 3"], t: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T
