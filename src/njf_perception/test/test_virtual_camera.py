"""Looking through a turned camera as if it were not: pixels, images, surfaces, and when."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from njf_perception.camera import Camera, project
from njf_perception.checkpoint import load_checkpoint
from njf_perception.depth_view import depth_view
from njf_perception.registration import ReferenceView, Registration, Verdict
from njf_perception.scene import PixelNerfScene
from njf_perception.virtual_camera import (
    CameraWatch,
    encode_turned,
    turned_image,
    turned_surface,
)

R = cv2.Rodrigues(np.deg2rad([3.0, -4.0, 2.0]))[0]


class Answers(ReferenceView):
    """A `ReferenceView` that knows the answers beforehand."""

    def __init__(self, *answers: Registration) -> None:
        self.image = np.full((48, 64, 3), 77, np.uint8)
        self._answers = list(answers)

    def register(self, image: np.ndarray, camera: Camera) -> Registration:
        return self._answers.pop(0)


def answer(verdict: Verdict, R: np.ndarray) -> Registration:
    return Registration(verdict, R, 0.0, 0, 0, float("nan"))


@pytest.fixture
def scene(tiny_checkpoint, tiny_camera) -> PixelNerfScene:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return load_checkpoint(tiny_checkpoint).scene_model().encode(image, tiny_camera)


def turned(scene: PixelNerfScene) -> PixelNerfScene:
    return replace(scene, encoding=scene.encoding._replace(R_trained_camera=R))


def test_points_of_a_turned_camera_lie_on_the_rays_of_its_pixels(scene) -> None:
    pixels = np.random.default_rng(1).uniform([10, 8], [54, 40], (50, 2))
    points, confidence = turned_surface(turned(scene), pixels)
    in_camera = points.double().numpy() @ R
    np.testing.assert_allclose(project(in_camera, scene.camera.K), pixels, atol=1e-3)
    trained_px = project(points.double().numpy(), scene.camera.K)
    expected, sure = turned_surface(scene, trained_px)
    torch.testing.assert_close(points, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(confidence, sure, atol=1e-4, rtol=0)


def test_measured_depth_is_that_along_the_turned_cameras_axis(scene) -> None:
    pixels = np.random.default_rng(1).uniform([10, 8], [54, 40], (50, 2))
    points, _ = turned_surface(turned(scene), pixels)
    measured_m = (points.double().numpy() @ R)[:, 2] + 0.004
    nearer, _ = turned_surface(turned(scene), pixels, measured_m)
    np.testing.assert_allclose((nearer.double().numpy() @ R)[:, 2], measured_m, atol=1e-6)


def test_depth_images_are_those_of_the_image_taken(scene) -> None:
    depth, confidence = depth_view(turned(scene), 16)
    v, u = np.mgrid[0:12, 0:16].astype(np.float64)
    pixels = np.stack([4 * u + 1.5, 4 * v + 1.5], axis=-1).reshape(-1, 2)
    points, sure = turned_surface(turned(scene), pixels)
    expected = np.where(sure.numpy() >= 0.5, (points.double().numpy() @ R)[:, 2], np.nan)
    np.testing.assert_allclose(depth.ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(confidence.ravel(), sure.numpy(), atol=1e-6)


def test_the_unturned_image_is_recovered_and_filled_from_the_reference(tiny_camera) -> None:
    camera = tiny_camera.scaled(320, 240)
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.normal(size=(240, 320, 3)), (0, 0), 6.0)
    smooth = (128 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)
    H = camera.K @ R @ np.linalg.inv(camera.K)
    taken = cv2.warpPerspective(smooth, np.linalg.inv(H), (320, 240))
    seen = turned_image(taken, camera, R, np.full((240, 320, 3), 7, np.uint8))
    covered = cv2.warpPerspective(np.full((240, 320), 255, np.uint8), H, (320, 240))
    inside = (
        cv2.erode(covered, np.ones((9, 9)), borderType=cv2.BORDER_CONSTANT, borderValue=0) == 255
    )
    assert 0.5 < inside.mean() < 0.95
    assert np.abs(seen.astype(int) - smooth)[inside].max() <= 6
    assert (seen[covered == 0] == 7).all()


def test_an_unturned_camera_costs_and_changes_nothing(scene, tiny_camera) -> None:
    watch = CameraWatch(Answers(), 1.0)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    found = encode_turned(watch, scene.model, image, tiny_camera)
    assert torch.equal(found.encoding.feature_map, scene.encoding.feature_map)
    assert np.array_equal(found.encoding.R_trained_camera, np.eye(3))


def test_the_model_is_shown_the_unturned_image(scene, tiny_camera) -> None:
    watch = CameraWatch(Answers(answer(Verdict.TURNED, R)), 1.0)
    camera = tiny_camera.scaled(128, 96)
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    watch.compare(image, camera, 0)
    found = encode_turned(watch, scene.model, image, camera)
    seen = turned_image(image, camera, R, watch.reference.image)
    expected = scene.model.encode(seen, tiny_camera).encoding
    assert torch.equal(found.encoding.feature_map, expected.feature_map)
    assert np.array_equal(found.encoding.R_trained_camera, R) and found.camera is camera


def test_a_scene_that_is_not_recognised_leaves_what_was_known(tiny_camera) -> None:
    nearly = cv2.Rodrigues(np.deg2rad([0.05, 0.0, 0.0]))[0] @ R
    watch = CameraWatch(
        Answers(
            answer(Verdict.UNKNOWN, np.eye(3)),
            answer(Verdict.TURNED, R),
            answer(Verdict.UNKNOWN, np.eye(3)),
            answer(Verdict.TURNED, nearly),
            answer(Verdict.UNMOVED, np.eye(3)),
        ),
        1.0,
    )
    image = np.zeros((48, 64, 3), np.uint8)
    for expected in (np.eye(3), R, R, R, np.eye(3)):
        watch.compare(image, tiny_camera, 0)
        assert np.array_equal(watch.R_trained_camera, expected)


def test_images_are_compared_now_and_then(tiny_camera) -> None:
    watch = CameraWatch(Answers(answer(Verdict.UNMOVED, np.eye(3))), 2.0)
    assert watch.due(5_000_000_000)
    watch.compare(np.zeros((48, 64, 3), np.uint8), tiny_camera, 5_000_000_000)
    assert not watch.due(6_900_000_000) and watch.due(7_000_000_000)
    assert watch.due(0), "another recording has begun"
