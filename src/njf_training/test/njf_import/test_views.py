"""Cameras and what they saw, turned into ideal pinholes; against OpenCV's own projection."""

from typing import Any

import cv2
import numpy as np
import pytest

from njf_perception.camera import pixel_grid
from njf_perception.errors import DataError
from njf_training.njf_import.layout import RawCamera
from njf_training.njf_import.poses import metres, pose_matrix, world_camera
from njf_training.njf_import.views import View

LENS = {"k1": -0.2, "k2": 0.06, "p1": 0.003, "p2": -0.002, "k3": 0.01}


def view(reduce: int = 1, **changes: Any) -> View:
    values = {"fl_x": 70.0, "fl_y": 72.0, "cx": 30.7, "cy": 22.4, "w": 64, "h": 48, **changes}
    raw = RawCamera(transform_matrix=np.eye(4).tolist(), **values)
    return View.of(raw, "view_0", reduce)


def seen(points: np.ndarray, **lens: float) -> np.ndarray:
    """Pixels of camera-frame points in the published image."""
    K = np.array([[70.0, 0, 30.7], [0, 72.0, 22.4], [0, 0, 1]])
    names = ("k1", "k2", "p1", "p2", "k3")
    distortion = np.array([lens.get(name, 0.0) for name in names])
    return cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, distortion)[0][:, 0]


def cloud(count: int = 50) -> np.ndarray:
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.5, 1.0, (count, 1))
    return np.concatenate([rng.uniform(-0.35, 0.35, (count, 2)) * depth, depth], axis=1)


@pytest.mark.parametrize("reduce", [1, 2])
@pytest.mark.parametrize("lens", [{}, LENS])
def test_points_fall_where_the_ideal_camera_sees_them(reduce: int, lens: dict[str, float]) -> None:
    camera = view(reduce, **lens)
    assert camera.distorted == bool(lens)
    assert np.allclose(
        camera.points(seen(cloud(), **lens)), camera.camera.project(cloud()), atol=2e-3
    )


def test_an_image_is_straightened_and_reduced_like_its_points() -> None:
    """A bright blob around a distorted point is found where the ideal camera sees the point."""
    camera = view(2, **LENS)
    for point in ([0.2, 0.12, 0.8], [-0.25, 0.1, 0.9], [0.1, -0.2, 0.9]):
        u, v = seen(np.array([point]), **LENS)[0]
        distance = np.linalg.norm(pixel_grid(64, 48) - [u, v], axis=-1)
        blob = (255 * np.exp(-0.5 * (distance / 2) ** 2)).astype(np.uint8)
        image = camera.image(np.repeat(blob[..., None], 3, axis=-1))[..., 0].astype(float)
        assert image.shape == (24, 32)
        found = (pixel_grid(32, 24) * image[..., None]).sum((0, 1)) / image.sum()
        assert np.allclose(found, camera.camera.project(np.array([point]))[0], atol=0.12)


@pytest.mark.parametrize("reduce", [1, 2])
@pytest.mark.parametrize("lens", [{}, LENS])
def test_flow_of_a_moving_wall(reduce: int, lens: dict[str, float]) -> None:
    """Every pixel sees a wall 0.8 m ahead that moves by (20, -10) mm."""
    camera = view(reduce, **lens)
    K = np.array([[70.0, 0, 30.7], [0, 72.0, 22.4], [0, 0, 1]])
    distortion = np.array([lens.get(name, 0.0) for name in ("k1", "k2", "p1", "p2", "k3")])
    rays = cv2.undistortPoints(pixel_grid(64, 48).reshape(-1, 1, 2), K, distortion)[:, 0]
    wall = np.concatenate([0.8 * rays, np.full((len(rays), 1), 0.8)], axis=1)
    moved = seen(wall + [0.02, -0.01, 0.0], **lens)
    published = (moved - pixel_grid(64, 48).reshape(-1, 2)).reshape(48, 64, 2).astype(np.float32)
    flow = camera.flow(published)
    expected = np.array([0.02 * 70 / 0.8, -0.01 * 72 / 0.8]) / reduce
    assert np.allclose(flow[6:-6, 6:-6], expected, atol=0.02)


def test_masks_shrink_by_majority() -> None:
    mask = np.zeros((48, 64), bool)
    mask[0:2, 0:2] = mask[2, 2] = True
    mask[4:6, 4] = mask[4, 5] = True
    small = view(2).mask(mask)
    assert small[0, 0] and not small[1, 1] and small[2, 2] and small.sum() == 2


def test_depth_is_a_measured_value_or_unknown() -> None:
    depth = np.array([[800, 1200, 0, 0], [0, 1210, 0, 0]], np.uint16)
    found = metres(depth, 2)
    assert found[0, 0] == pytest.approx(1.2) and np.isnan(found[0, 1])


def test_opengl_looks_backwards() -> None:
    """A camera 2 m above the origin that looks down along its -z."""
    opengl = np.eye(4)
    opengl[2, 3] = 2.0
    pose = world_camera(opengl)
    assert np.allclose(pose[:3, 2], [0, 0, -1]) and np.allclose(pose[:3, 1], [0, -1, 0])
    assert np.allclose(pose @ [0, 0, 2, 1], [0, 0, 0, 1])


@pytest.mark.parametrize("diagonal", [(2, 2, 2, 1), (1, 1, -1, 1)])
def test_a_scaled_or_mirrored_pose_is_refused(diagonal: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="no rigid transform"):
        pose_matrix(np.diag(diagonal).astype(float).tolist())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_model": "OPENCV_FISHEYE"}, "camera model OPENCV_FISHEYE"),
        ({"k4": 0.1}, "k4 = 0.1"),
        ({"reduce": 3}, "cannot be reduced 3 times"),
    ],
)
def test_what_cannot_be_handled_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        view(**changes)
