"""Whether a camera has turned: known rotations, and scenes that say nothing about it."""

import cv2
import numpy as np
import pytest
from jaxtyping import Float, UInt8

from njf_perception.camera import Camera
from njf_perception.registration import ReferenceView, Verdict, rotation_angle_rad

K = np.array([[370.0, 0.0, 159.5], [0.0, 370.0, 119.5], [0.0, 0.0, 1.0]])
CAMERA = Camera("camera_0", 320, 240, K, np.eye(4))


def picture(seed: int) -> UInt8[np.ndarray, "h w 3"]:
    """A wide random picture, so that a turned camera does not look beyond it."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.GaussianBlur(rng.normal(size=(400, 480, 3)), (0, 0), sigma) * sigma
        for sigma in (2.0, 5.0, 20.0)
    ]
    total = np.sum(layers, axis=0)
    return (128 + 40 * total / total.std()).clip(0, 255).astype(np.uint8)


def view(
    wide: UInt8[np.ndarray, "h w 3"], R: Float[np.ndarray, "3 3"]
) -> UInt8[np.ndarray, "k l 3"]:
    """What a camera sees of a picture far away, when R maps its directions to the picture's."""
    to_middle = np.array([[1.0, 0.0, 80.0], [0.0, 1.0, 80.0], [0.0, 0.0, 1.0]])
    H = to_middle @ K @ R @ np.linalg.inv(K)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(wide, H, (320, 240), flags=flags), np.uint8)


def rotation(x_deg: float, y_deg: float, z_deg: float) -> Float[np.ndarray, "3 3"]:
    return cv2.Rodrigues(np.deg2rad([x_deg, y_deg, z_deg]))[0]


def with_robot(
    image: UInt8[np.ndarray, "h w 3"], left: int, seed: int
) -> UInt8[np.ndarray, "h w 3"]:
    """A textured thing in front of a third of the image."""
    image = image.copy()
    image[40:200, left : left + 150] = picture(seed)[40:200, left : left + 150]
    return image


@pytest.fixture(scope="module")
def reference() -> ReferenceView:
    return ReferenceView(view(picture(0), np.eye(3)), CAMERA)


@pytest.mark.parametrize("turn", [(5, 0, 0), (0, -5, 0), (0, 0, 5), (2, 3, -1), (0.5, 0, 0)])
def test_a_turn_is_found_though_the_robot_has_moved(reference, turn) -> None:
    R = rotation(*turn)
    image = with_robot(view(picture(0), R), left=90, seed=7)
    found = reference.register(image, CAMERA)
    assert found.verdict is Verdict.TURNED
    assert rotation_angle_rad(found.R_trained_camera @ R.T) < np.deg2rad(0.05)
    assert found.angle_rad == pytest.approx(np.deg2rad(np.linalg.norm(turn)), abs=1e-3)
    assert found.inliers <= found.matches and found.residual_px < 1.0


def test_finer_and_darker_images_are_compared_at_the_size_of_the_reference(reference) -> None:
    R = rotation(1, -3, 2)
    image = cv2.resize(view(picture(0), R), (640, 480), interpolation=cv2.INTER_CUBIC)
    found = reference.register((0.6 * image).astype(np.uint8), CAMERA.scaled(640, 480))
    assert found.verdict is Verdict.TURNED
    assert rotation_angle_rad(found.R_trained_camera @ R.T) < np.deg2rad(0.1)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.05, 0.05, 0)])
def test_a_camera_in_its_place_is_left_alone(reference, turn) -> None:
    found = reference.register(with_robot(view(picture(0), rotation(*turn)), 20, 3), CAMERA)
    assert found.verdict is Verdict.UNMOVED
    assert np.array_equal(found.R_trained_camera, np.eye(3))


def test_another_scene_and_an_empty_one_are_not_recognised(reference) -> None:
    for image in (view(picture(1), np.eye(3)), np.full((240, 320, 3), 90, np.uint8)):
        found = reference.register(image, CAMERA)
        assert found.verdict is Verdict.UNKNOWN
        assert np.array_equal(found.R_trained_camera, np.eye(3)) and found.inliers == 0
    blank = ReferenceView(np.full((240, 320, 3), 90, np.uint8), CAMERA)
    assert blank.register(view(picture(0), np.eye(3)), CAMERA).verdict is Verdict.UNKNOWN


def test_one_thing_that_moved_in_a_strange_scene_is_no_turned_camera(reference) -> None:
    """It may be the robot itself, turned as a whole."""
    image = view(picture(1), np.eye(3))
    known = view(picture(0), rotation(0, 0, 4))
    image[80:158, 110:210] = known[80:158, 110:210]
    assert reference.register(image, CAMERA).verdict is Verdict.UNKNOWN


def test_a_camera_that_looks_elsewhere_is_not_compensated(reference) -> None:
    found = reference.register(view(picture(0), rotation(0, 0, 20)), CAMERA)
    assert found.verdict is Verdict.UNKNOWN
