"""Cameras on a ring around the robot."""

import numpy as np
import pytest

from njf_control.robot import CameraConfig, RobotConfig
from njf_control.simulation_config import CameraPlacesConfig
from njf_perception.camera import Camera, invert, transform
from njf_sim.camera_places import camera_places, look_along, ring_azimuths

FIELD_OF_VIEW_RAD = 0.63


def seen_by(T_world_camera: np.ndarray, config: CameraConfig) -> Camera:
    f = 0.5 * config.height / np.tan(0.5 * FIELD_OF_VIEW_RAD)
    K = np.array([[f, 0, 0.5 * (config.width - 1)], [0, f, 0.5 * (config.height - 1)], [0, 0, 1.0]])
    return Camera(config.name, config.width, config.height, K, T_world_camera)


def test_the_ellipsoid_in_the_workspace_just_fits_every_image(finger: RobotConfig) -> None:
    low, high = np.array(finger.workspace_min_m), np.array(finger.workspace_max_m)
    directions = np.random.default_rng(0).normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = (low + high) / 2 + directions * (high - low) / 2
    places = camera_places(CameraPlacesConfig(), finger.cameras, finger)
    assert list(places) == finger.camera_names
    for config in finger.cameras:
        camera = seen_by(places[config.name], config)
        pixels = camera.project(transform(invert(camera.T_world_camera), points))
        size = np.array([config.width, config.height])
        margin = np.minimum(pixels.min(axis=0) + 0.5, size - 0.5 - pixels.max(axis=0)) / size
        assert margin.min() == pytest.approx(0.04, abs=0.002), config.name


def test_every_camera_looks_at_the_point_with_its_image_upright(finger: RobotConfig) -> None:
    target = np.array([0.1, -0.2, 0.3])
    wanted = CameraPlacesConfig(
        look_at_m=target.tolist(), distance_m=2.0, positions_m={"camera_1": [0.1, -0.2, 1.3]}
    )
    places = camera_places(wanted, finger.cameras, finger)
    for config in finger.cameras:
        T = places[config.name]
        expected = 1.0 if config.name == "camera_1" else 2.0
        np.testing.assert_allclose(T[:3, 3] + expected * T[:3, 2], target, atol=1e-12)
        np.testing.assert_allclose(T[:3, :3].T @ T[:3, :3], np.eye(3), atol=1e-12)
        assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
        if config.name != "camera_1":
            assert T[2, 0] == 0.0 and T[2, 1] < 0.0  # right is level, down goes down


def test_straight_down_is_a_direction_like_any_other() -> None:
    R = look_along(np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)


def test_held_out_cameras_stand_between_the_others() -> None:
    def camera(role: str) -> CameraConfig:
        config = {"name": "camera", "role": role, "width": 8, "height": 6}
        return CameraConfig.model_validate(config)

    roles = ["control", "training", "training", "training", "held_out", "held_out"]
    azimuths = np.rad2deg(ring_azimuths([camera(role) for role in roles], 0.0))
    np.testing.assert_allclose(azimuths, [0, 90, 180, 270, 45, 225])
    azimuths = np.rad2deg(ring_azimuths([camera("held_out")] * 2, 0.0))
    np.testing.assert_allclose(azimuths, [0, 180])
