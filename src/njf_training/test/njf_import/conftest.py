"""A scene with closed forms, written in the published layout: a plate gliding over a floor.

Two of six stored values move the plate along x and y. Cameras may distort; every pixel is traced.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

WIDTH, HEIGHT = 96, 72
REACH_M = 0.1  # motion of the plate per unit of a stored value
PLATE_M = (0.09, 0.07)  # half its size
PLATE_Z_M = 0.08
EYES_M = [(0.0, -0.5, 0.7), (0.5, 0.1, 0.6), (-0.4, 0.4, 0.65)]
POINTS = 60  # tracked points per file
TRAJECTORIES, FRAMES = 6, 4


@dataclass
class Scene:
    """The scene and how it is photographed."""

    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)  # k1, k2, p1, p2, k3
    seed: int = 0
    first_frame: int = 0
    K: np.ndarray = field(
        default_factory=lambda: np.array([[105.0, 0, 45.3], [0, 103.0, 37.8], [0, 0, 1]])
    )

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        start = rng.uniform(-0.9, 0.9, (TRAJECTORIES, 1, 2))
        moves = rng.uniform(-0.25, 0.25, (TRAJECTORIES, FRAMES - 1, 2))
        self.values = np.concatenate([start, moves], axis=1).cumsum(1)
        texture = np.random.default_rng(11)
        self.floor, self.plate = (
            cv2.resize(
                texture.integers(*levels, (16, 16, 3), np.uint8), (256, 256), interpolation=2
            )
            for levels in ((150, 220), (10, 110))
        )

    def center(self, trajectory: int, frame: int) -> np.ndarray:
        """Middle of the plate [m]; frames count from 0."""
        return np.array([*(REACH_M * self.values[trajectory, frame]), PLATE_Z_M])

    def pose(self, camera: int) -> np.ndarray:
        """T_world_camera with OpenCV axes."""
        eye = np.array(EYES_M[camera])
        forward = np.array([0.0, 0.0, PLATE_Z_M]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, 3] = eye
        return pose

    def project(self, camera: int, points: np.ndarray) -> np.ndarray:
        """Pixels of world points, in the distorted image, by OpenCV."""
        pose = np.linalg.inv(self.pose(camera))
        rotation = cv2.Rodrigues(pose[:3, :3])[0]
        distortion = np.array(self.distortion)
        return cv2.projectPoints(points, rotation, pose[:3, 3], self.K, distortion)[0][:, 0]

    def trace(self, camera: int, center: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, depth [m] and world point of every pixel."""
        v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
        pixels = np.stack([u, v], -1).reshape(-1, 1, 2)
        flat = cv2.undistortPoints(pixels, self.K, np.array(self.distortion))[:, 0]
        pose = self.pose(camera)
        rays = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ pose[:3, :3].T
        depth, colors = self._hit(pose[:3, 3], rays, 0.0, np.zeros(3), (0.8, 0.8), self.floor)
        over, plate = self._hit(pose[:3, 3], rays, PLATE_Z_M, center, PLATE_M, self.plate)
        on_plate = np.isfinite(over)
        depth = np.where(on_plate, over, depth)
        image = np.where(on_plate[:, None], plate, colors).round().astype(np.uint8)
        points = pose[:3, 3] + rays * depth[:, None]
        size = (HEIGHT, WIDTH)
        return image.reshape(*size, 3), depth.reshape(size), points.reshape(*size, 3)

    @staticmethod
    def _hit(
        eye: np.ndarray,
        rays: np.ndarray,
        height: float,
        center: np.ndarray,
        half: tuple[float, float],
        texture: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        depth = (height - eye[2]) / rays[:, 2]
        local = ((eye + rays * depth[:, None])[:, :2] - center[:2]) / half
        inside = (np.abs(local) <= 1).all(1)
        place = ((np.clip(local, -1, 1) + 1) / 2 * 255).astype(np.float32)
        colors = cv2.remap(texture.astype(np.float32), place[:, :1], place[:, 1:], 1)[:, 0]
        return np.where(inside, depth, np.nan), colors

    def on_plate(self, points: np.ndarray) -> np.ndarray:
        return np.abs(points[..., 2] - PLATE_Z_M) < 1e-6

    def flow(self, camera: int, trajectory: int, before: int, after: int) -> np.ndarray:
        """Exact flow of every pixel [px]; zero beside the plate."""
        begin, end = self.center(trajectory, before), self.center(trajectory, after)
        _, _, points = self.trace(camera, begin)
        plate = self.on_plate(points)
        moved = self.project(camera, (points + (end - begin)).reshape(-1, 3))
        still = self.project(camera, points.reshape(-1, 3))
        return np.where(plate[..., None], (moved - still).reshape(HEIGHT, WIDTH, 2), 0.0)


def write_published(
    root: Path,
    scene: Scene | None = None,
    given: tuple[str, ...] = ("depth", "mask", "flow", "tapir"),
    track_frames: int = FRAMES,
    track_name: str = "001",
    without: str = "",
    calibration: dict[str, float] | None = None,
) -> Path:
    """Write the scene as published: with `given` parts, tracks of `track_frames` frames.

    The file `without` is left out, `calibration` changes the JSON only.
    """
    scene = scene or Scene()
    names = ("k1", "k2", "p1", "p2", "k3")
    lens = dict(zip(names, scene.distortion, strict=True))
    K = scene.K
    content: dict[str, Any] = {
        "cameras": [
            {
                # OpenGL: x right, y up, z backward.
                "transform_matrix": (scene.pose(c) * [1, -1, -1, 1]).tolist(),
                "fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2],
                "h": HEIGHT, "w": WIDTH, "camera_model": "OPENCV", **lens, **(calibration or {}),
            }
            for c in range(len(EYES_M))
        ],
        "frames": [],
    }  # fmt: skip
    for trajectory in range(TRAJECTORIES):
        for camera in range(len(EYES_M)):
            _write_view(root, scene, trajectory, camera, given, without, content["frames"])
            if "tapir" in given:
                _write_tracks(root, scene, trajectory, camera, track_frames, track_name)
    (root / "transforms.json").write_text(json.dumps(content))
    return root


def _write_view(
    root: Path,
    scene: Scene,
    trajectory: int,
    camera: int,
    given: tuple[str, ...],
    without: str,
    frames: list[dict[str, Any]],
) -> None:
    view = root / f"view_{camera}"
    for folder in ("rgb", *given):
        (view / folder).mkdir(parents=True, exist_ok=True)
    for frame in range(FRAMES):
        stem = f"{trajectory:05d}_{frame + scene.first_frame:05d}"
        image, depth, points = scene.trace(camera, scene.center(trajectory, frame))
        path = view / "rgb" / f"{stem}.png"
        if str(path.relative_to(root)) != without:
            cv2.imwrite(str(path), image[..., ::-1])
        if "depth" in given:
            measured = np.nan_to_num(1000 * depth).round().astype(np.uint16)
            cv2.imwrite(str(view / "depth" / f"{stem}.png"), measured)
        if "mask" in given:
            np.save(view / "mask" / f"{stem}.npy", scene.on_plate(points))
        if "flow" in given and frame + 1 < FRAMES:
            flow = scene.flow(camera, trajectory, frame, frame + 1)
            file = view / "flow" / f"{stem}_fwd.npz"
            np.savez(file, flow=np.moveaxis(flow, -1, 0).astype(np.float32))
        joint_pos = [*scene.values[trajectory, frame], 0.5, 0.5, 0.5, 0.5]
        frames.append(
            {
                "file_path": str(path.relative_to(root)),
                "depth_file_path": f"view_{camera}/depth/{stem}.png",
                "time": frame / (FRAMES - 1),
                "sample_idx": frame,
                "camera_idx": camera,
                "joint_pos": joint_pos,
            }
        )


def plate_points(seed: int) -> np.ndarray:
    """Points on the plate, relative to its middle [m]."""
    local = np.random.default_rng(seed).uniform(-0.8, 0.8, (POINTS, 2)) * PLATE_M
    return np.concatenate([local, np.zeros((POINTS, 1))], 1)


def _write_tracks(
    root: Path, scene: Scene, trajectory: int, camera: int, frames: int, name: str
) -> None:
    """Exact tracks; the last third of the points is never said to be seen, and is wrong."""
    points = plate_points(trajectory)
    tracks = np.stack(
        [scene.project(camera, points + scene.center(trajectory, f)) for f in range(frames)], axis=1
    )
    visible = np.ones((POINTS, frames), bool)
    visible[2 * POINTS // 3 :] = False
    tracks[2 * POINTS // 3 :] += 50.0
    file = root / f"view_{camera}" / "tapir" / f"{trajectory:05d}_{name}.npz"
    np.savez(file, tracks=tracks.astype(np.float32), visibles=visible)


@pytest.fixture(scope="session")
def publish() -> Callable[..., Path]:
    return write_published


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Scene]:
    return Scene


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole of it, without distortion, in a folder whose path has rgb in it."""
    return write_published(tmp_path_factory.mktemp("rgb_data") / "rgb" / "view_1")
