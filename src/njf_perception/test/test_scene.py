"""The PixelNeRF model: encoding, surface, rendering, and their agreement."""

import numpy as np
import pytest
import torch

from njf_perception.camera import Camera, invert
from njf_perception.encoder import EncoderConfig
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerf, PixelNerfConfig
from njf_perception.workspace import Box

CONFIG = PixelNerfConfig(
    encoder=EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=8),
    field=FieldConfig(hidden=16, layers=2, frequencies=2),
)
LOW, HIGH = np.array([-0.1, -0.1, 0.0]), np.array([0.1, 0.1, 0.06])


def camera_above(name: str, x: float = 0.0) -> Camera:
    """A camera half a metre above the table, looking down."""
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = [x, 0.0, 0.5]
    K = np.array([[90.0, 0.0, 31.5], [0.0, 90.0, 23.5], [0.0, 0.0, 1.0]])
    return Camera(name, 64, 48, K, pose)


def slab_scene(height: float = 0.03):
    """A scene whose field is solid below `height` [m], everywhere in the box, and grey."""
    torch.manual_seed(0)
    camera = camera_above("camera_0")
    model = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera)).eval()
    model.query = (
        lambda points, features, code: (  # type: ignore[method-assign]
            1e4
            * (points[..., 2] > 0.5 - height).float()
            * model.workspace.normalize(points).abs().le(1).all(-1),
            torch.full((*points.shape[:-1], 3), 0.5),
        )
    )
    model.depth_proposal = lambda read: torch.full(read.shape[:-1], 0.5 - height)  # type: ignore[method-assign]
    return model.encode(np.zeros((48, 64, 3), np.uint8), camera), camera


def test_marching_finds_a_known_surface() -> None:
    scene, camera = slab_scene()
    pixels = torch.tensor([[31.5, 23.5], [33.0, 20.0]])
    points, opacity = scene.surface_reference(pixels)
    assert torch.allclose(points[:, 2], torch.tensor(0.47), atol=2e-3)
    assert torch.allclose(opacity, torch.ones(2), atol=1e-3)
    again = camera.project(points.double().numpy())
    assert np.allclose(again, pixels.numpy(), atol=1e-3)


def test_guided_surface_agrees_with_the_march() -> None:
    scene, _ = slab_scene()
    pixels = torch.tensor([[31.5, 23.5], [33.0, 20.0], [28.0, 25.0]])
    fast, _ = scene.surface(pixels)
    slow, _ = scene.surface_reference(pixels)
    assert torch.allclose(fast, slow, atol=4e-3)


def test_a_measured_depth_is_taken_unless_it_is_of_something_else() -> None:
    scene, _ = slab_scene()
    pixels = torch.tensor([[30.0, 20.0], [31.0, 22.0], [33.0, 25.0]])
    own = scene.surface(pixels)[0][:, 2]
    measured = torch.stack([own[0] + 0.01, own[1] + 0.3, torch.tensor(torch.nan)])
    depth = scene.surface(pixels, measured)[0][:, 2]
    assert torch.allclose(depth, torch.stack([own[0] + 0.01, own[1], own[2]]))


def test_render_from_another_camera_sees_the_same_surface() -> None:
    scene, _ = slab_scene()
    view = scene.render(camera_above("camera_1", x=0.02).scaled(32, 24))
    middle = view.depth[10:14, 14:18]
    assert np.allclose(middle, 0.47, atol=2e-3)
    assert np.allclose(view.rgb[10:14, 14:18], 0.5, atol=1e-2)
    assert view.opacity[0, 0] == 0 and np.isnan(view.depth[0, 0])


def test_encoding_is_deterministic_and_has_the_configured_size() -> None:
    torch.manual_seed(0)
    camera = camera_above("camera_0")
    model = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera)).eval()
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    first, second = model.encode(image, camera), model.encode(image, camera)
    assert first.encoding.feature_map.shape == (PixelNerf.PROPOSALS + 8, 12, 16)
    assert first.encoding.global_code.shape == (8,)
    assert torch.equal(first.encoding.feature_map, second.encoding.feature_map)


def test_image_of_the_wrong_size_is_refused() -> None:
    camera = camera_above("camera_0")
    model = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera))
    with pytest.raises(ValueError, match="image is 32x24, camera 'camera_0' is 64x48"):
        model.encode(np.zeros((24, 32, 3), np.uint8), camera)


def test_features_outside_the_image_repeat_the_edge() -> None:
    camera = camera_above("camera_0")
    model = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera))
    scene = model.encode(np.zeros((48, 64, 3), np.uint8), camera)
    ray = torch.tensor([[10.0, 0.0, 0.5], [20.0, 0.0, 0.5]])
    features = scene.features(ray)
    assert torch.allclose(features[0], features[1])


def test_workspace_center_and_normalisation_agree() -> None:
    camera = camera_above("camera_0", x=0.05)
    workspace = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera)).workspace
    corner = invert(camera.T_world_camera) @ np.append(HIGH, 1.0)
    corners = torch.tensor(np.stack([corner[:3], workspace.center.double().numpy()])).float()
    expected = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    assert torch.allclose(workspace.normalize(corners), expected, atol=1e-5)


def test_workspace_intersection_brackets_the_box() -> None:
    camera = camera_above("camera_0")
    workspace = PixelNerf(CONFIG, Box.from_world(LOW, HIGH, camera)).workspace
    directions = torch.tensor([[0.0, 0.0, 1.0], [3.0, 0.0, 1.0]])
    entry, exit_ = workspace.intersect(torch.zeros(2, 3), directions)
    assert torch.allclose(torch.stack([entry[0], exit_[0]]), torch.tensor([0.44, 0.5]), atol=1e-5)
    assert exit_[1] <= entry[1]
