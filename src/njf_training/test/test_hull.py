"""The visual hull against a ball whose depth is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from njf_perception.camera import Camera, pixel_grid, project
from njf_perception.workspace import Box, Workspace
from njf_training.dataset import Dataset
from njf_training.hull import CameraRig, Silhouettes, hull_depth

LOW, HIGH = np.array([-0.12, -0.06, 0.0]), np.array([0.12, 0.06, 0.09])


def load(folder: Path) -> tuple[Dataset, CameraRig, Silhouettes, Workspace]:
    dataset = Dataset.open(folder)
    cameras = [camera.camera for camera in dataset.cameras]
    rig = CameraRig.of(cameras, cameras[0])
    workspace = Workspace(Box.from_world(LOW, HIGH, cameras[0]))
    return dataset, rig, Silhouettes(np.asarray(dataset.masks), rig.size), workspace


def test_rays_and_projection_are_inverse_in_every_camera(ball_dataset: Path) -> None:
    dataset, rig, _, _ = load(ball_dataset)
    generator = torch.Generator().manual_seed(0)
    camera = torch.randint(0, len(dataset.cameras), (50,), generator=generator)
    pixels = 40 * torch.rand(50, 2, generator=generator)
    origins, directions = rig.rays(camera, pixels)
    points = origins + 0.4 * directions
    assert torch.allclose(rig.project(camera, points), pixels, atol=1e-3)
    everywhere = rig.project_all(points)
    assert torch.allclose(everywhere[camera, torch.arange(50)], pixels, atol=1e-3)


def test_context_rays_start_at_the_context_camera(ball_dataset: Path) -> None:
    _, rig, _, _ = load(ball_dataset)
    origins, directions = rig.rays(torch.zeros(1, dtype=torch.long), torch.tensor([[31.5, 23.5]]))
    assert torch.allclose(origins, torch.zeros(1, 3), atol=1e-6)
    assert torch.allclose(directions, torch.tensor([[0.0, 0.0, 1.0]]), atol=1e-6)


def test_hull_encloses_the_ball_closely(
    ball_dataset: Path, true_depth: Callable[[Camera, float], np.ndarray]
) -> None:
    dataset, rig, silhouettes, workspace = load(ball_dataset)
    camera = dataset.cameras[0].camera
    mask = dataset.mask(0, 0)
    pixels = torch.from_numpy(pixel_grid(camera.width, camera.height)[mask]).float()
    origins, directions = rig.rays(torch.zeros(len(pixels), dtype=torch.long), pixels)
    depth = hull_depth(silhouettes, 0, rig, workspace, origins, directions).numpy()
    found = ~np.isnan(depth)
    assert found.mean() > 0.9
    truth = true_depth(camera, float(dataset.commands[0, 0]))[mask]
    assert (depth[found] < truth[found] + 0.006).all()  # one pixel is 6 mm out there
    assert np.median(np.abs(depth[found] - truth[found])) < 0.008


def test_rays_beside_the_robot_have_no_depth(ball_dataset: Path) -> None:
    _, rig, silhouettes, workspace = load(ball_dataset)
    corner = torch.tensor([[0.0, 0.0], [63.0, 47.0]])
    origins, directions = rig.rays(torch.zeros(2, dtype=torch.long), corner)
    assert hull_depth(silhouettes, 0, rig, workspace, origins, directions).isnan().all()


def test_a_point_no_camera_sees_is_outside(
    ball_dataset: Path, ball_camera: Callable[[str], Camera]
) -> None:
    dataset, rig, silhouettes, _ = load(ball_dataset)
    far = torch.tensor([[9.0, 9.0, 1.0]])
    assert not silhouettes.inside(0, rig.project_all(far)).any()
    camera = ball_camera("camera_0")
    pixel = project(far.double().numpy(), camera.K)
    assert (pixel > dataset.cameras[0].width).any()
