"""A model behind a turned camera says of the same points what it says unturned."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_control.servo.model import surface_jacobians
from njf_perception.camera import Camera, project
from njf_perception.encoder import EncoderConfig
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerf, PixelNerfConfig, PixelNerfScene
from njf_perception.workspace import Box

K = np.array([[60.0, 0.0, 31.5], [0.0, 60.0, 23.5], [0.0, 0.0, 1.0]])
CAMERA = Camera("camera_0", 64, 48, K, np.eye(4))
R = cv2.Rodrigues(np.deg2rad([3.0, -4.0, 2.0]))[0]


@pytest.fixture
def scene() -> PixelNerfScene:
    torch.manual_seed(0)
    encoder = EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=8)
    config = PixelNerfConfig(encoder=encoder, field=FieldConfig(hidden=16, layers=2))
    box = Box.from_world(np.array([-0.2, -0.2, 0.4]), np.array([0.2, 0.2, 0.6]), CAMERA)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return PixelNerf(config, box).eval().encode(image, CAMERA)


def turned(pixels: Float[np.ndarray, "n 2"], by: Float[np.ndarray, "3 3"]) -> np.ndarray:
    """Where another camera in the same place sees what this one sees at pixels."""
    return project(CAMERA.rays(pixels) @ by.T, K)


def test_points_and_their_image_motion_are_the_turned_cameras(scene: PixelNerfScene) -> None:
    field = JacobianField(JacobianConfig(), scene.model.workspace, 8, 8, 3)
    pixels = np.random.default_rng(1).uniform([12, 10], [52, 38], (30, 2))
    behind = replace(scene, encoding=scene.encoding._replace(R_trained_camera=R))
    seen = surface_jacobians(behind, field, pixels)
    unturned = surface_jacobians(scene, field, turned(pixels, R))
    np.testing.assert_allclose(project(seen.points_m.astype(float), K), pixels, atol=1e-3)
    np.testing.assert_allclose(seen.confidence, unturned.confidence, atol=1e-4)
    for step in 0.02 * np.eye(3):
        moved = project(seen.points_m + seen.jacobian_m @ step, K)
        expected = turned(project(unturned.points_m + unturned.jacobian_m @ step, K), R.T)
        np.testing.assert_allclose(moved, expected, atol=1e-3)
        assert np.abs(moved - pixels).max() > 0.01, "the command moves nothing"
