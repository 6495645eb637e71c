"""A tiny world with closed forms: one ball that a single command slides along x."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from njf_control.jacobian import JacobianConfig
from njf_control.robot import RobotConfig
from njf_perception.camera import Camera, invert, pixel_grid, transform
from njf_perception.encoder import EncoderConfig
from njf_perception.field import FieldConfig
from njf_perception.scene import PixelNerfConfig
from njf_training.dataset import DatasetCamera, DatasetInfo
from njf_training.train_config import TrainConfig

RADIUS_M = 0.03
HEIGHT_M = 0.04
REACH_M = 0.06  # motion per radian of command
WIDTH, HEIGHT = 64, 48
EYES = {"camera_0": (0.0, -0.35, 0.4), "camera_1": (0.4, 0.1, 0.35), "camera_2": (-0.3, 0.3, 0.4)}
ROLES: dict[str, Literal["control", "training"]] = {
    "camera_0": "control",
    "camera_1": "training",
    "camera_2": "training",
}

SMALL = FieldConfig(hidden=32, layers=2, frequencies=3)
CONFIG = TrainConfig(
    steps=150,
    batch=4,
    rays=48,
    warmup_steps=10,
    learning_rate=5e-3,
    ema=0.9,
    save_every=50,
    threads=1,
    log=[],
    validate_every=150,
    perception=PixelNerfConfig(
        encoder=EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=16),
        field=SMALL,
    ),
    jacobian=JacobianConfig(field=SMALL, twist_hidden=16),
)
ROBOT = RobotConfig.model_validate(
    {
        "name": "ball",
        "channels": [
            {"name": "slide", "unit": "rad", "lower": -1, "upper": 1, "max_rate": 1, "motor_id": 1}
        ],
        "driver": {"kind": "dynamixel", "model": "xl320", "port": "", "baud": 1, "rate_hz": 50},
        "safety": {},
        "cameras": [{"name": "camera_0", "role": "control", "width": 64, "height": 48}],
        "simulation": {"mjcf": "ball.xml"},
        "workspace_min_m": [-0.12, -0.06, 0.0],
        "workspace_max_m": [0.12, 0.06, 0.09],
    }
)


def look_at_ball(name: str) -> Camera:
    """A camera at EYES[name], looking at the middle of the ball's track."""
    eye = np.array(EYES[name])
    forward = np.array([0.0, 0.0, HEIGHT_M]) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    K = np.array([[80.0, 0.0, (WIDTH - 1) / 2], [0.0, 80.0, (HEIGHT - 1) / 2], [0.0, 0.0, 1.0]])
    return Camera(name, WIDTH, HEIGHT, K, pose)


def ball_depth(camera: Camera, command: float) -> np.ndarray:
    """Depth of the ball per pixel [m], NaN beside it."""
    center = transform(
        invert(camera.T_world_camera), np.array([[REACH_M * command, 0.0, HEIGHT_M]])
    )[0]
    rays = camera.rays(pixel_grid(WIDTH, HEIGHT))
    a, b = (rays**2).sum(-1), rays @ center
    inside = b**2 - a * (center @ center - RADIUS_M**2)
    return np.where(inside >= 0, (b - np.sqrt(np.maximum(inside, 0))) / a, np.nan)


def _flow(camera: Camera, depth: np.ndarray, before: float, after: float) -> np.ndarray:
    points = camera.rays(pixel_grid(WIDTH, HEIGHT)) * depth[..., None]
    world = transform(camera.T_world_camera, points) + [REACH_M * (after - before), 0.0, 0.0]
    moved = camera.project(transform(invert(camera.T_world_camera), world))
    return moved - pixel_grid(WIDTH, HEIGHT)


@pytest.fixture(scope="session")
def ball_camera() -> Callable[[str], Camera]:
    return look_at_ball


@pytest.fixture(scope="session")
def true_depth() -> Callable[[Camera, float], np.ndarray]:
    return ball_depth


@pytest.fixture(scope="session")
def ball_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten trajectories of four states and two motions, with exact masks and flow."""
    folder = tmp_path_factory.mktemp("ball")
    cameras = [look_at_ball(name) for name in EYES]
    rng = np.random.default_rng(0)
    start = rng.uniform(-1, 1, 20)
    commands = np.stack([start, np.clip(start + rng.normal(0, 0.2, 20), -1, 1)], 1).reshape(-1, 1)
    pairs = np.arange(40, dtype=np.int32).reshape(20, 2)
    depth = np.array([[ball_depth(camera, float(u)) for camera in cameras] for u in commands[:, 0]])
    masks = ~np.isnan(depth)
    images = np.where(masks[..., None], [200, 60, 40], [120, 125, 130]).astype(np.uint8)
    flow = np.array(
        [
            [_flow(c, depth[a, i], *commands[[a, b], 0])[::2, ::2] for i, c in enumerate(cameras)]
            for a, b in pairs
        ]
    )
    arrays = {
        "images": images,
        "background": np.full((3, HEIGHT, WIDTH, 3), 120, np.uint8),
        "masks": np.packbits(masks.reshape(40, 3, -1), axis=-1),
        "commands": commands,
        "trajectory": np.repeat(np.arange(10, dtype=np.int32), 4),
        "pairs": pairs,
        "flow": flow.astype(np.float16),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    info = DatasetInfo(
        robot="ball",
        channel_names=["slide"],
        channel_units=["rad"],
        cameras=[
            DatasetCamera(
                name=camera.name,
                role=ROLES[camera.name],
                width=WIDTH,
                height=HEIGHT,
                K=camera.K.tolist(),
                T_world_camera=camera.T_world_camera.tolist(),
            )
            for camera in cameras
        ],
        states=40,
        pairs=20,
        bags=[],
        settings={},
        content_id="ball",
    )
    (folder / "dataset.json").write_text(info.model_dump_json())
    return folder


@pytest.fixture(scope="session")
def ball_robot() -> RobotConfig:
    return ROBOT


@pytest.fixture(scope="session")
def ball_training() -> TrainConfig:
    """A model that learns the ball in seconds."""
    return CONFIG
