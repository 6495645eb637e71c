"""Tracker and goal-image correspondence on rendered images, judged by the exact flow."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from njf_control.robot import load_robot
from njf_perception.correspondence import correspond
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points
from njf_sim.flow import ExactFlow, GroundTruth
from njf_sim.render import Renderer
from njf_sim.robot_model import RobotModel

ROBOT_FILE = Path(__file__).parents[1] / "config" / "robots" / "finger.yaml"
CAMERA = "camera_0"


class Scenes:
    """Noisy images of the finger between two poses about 15 degrees per joint apart."""

    def __init__(self) -> None:
        robot = RobotModel.from_robot(load_robot(ROBOT_FILE))
        self._renderer, self._truth = Renderer(robot), GroundTruth(robot)
        self._noise = np.random.default_rng(0)

    def poses(self, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(5)
        for _ in range(count):
            start, direction = rng.uniform(-0.7, 0.7, 3), rng.normal(size=3)
            step = direction * np.radians(15) / np.abs(direction).mean()
            yield start, np.clip(start + step.clip(-0.7, 0.7), -1.15, 1.15)

    def image(self, position_rad: np.ndarray) -> np.ndarray:
        self._renderer.pose(position_rad)
        rgb = self._renderer.render(CAMERA).rgb
        return np.clip(rgb + self._noise.normal(0, 2, rgb.shape), 0, 255).astype(np.uint8)

    def flow(self, start: np.ndarray, end: np.ndarray) -> ExactFlow:
        return self._truth.flow(CAMERA, start, end)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes()


def judged(flow: ExactFlow, now: np.ndarray, then: np.ndarray) -> np.ndarray:
    """Errors [px] of moved points that are on the robot and visible in both images."""
    at = (now[:, 0], now[:, 1])
    exact = np.stack([cv2.remap(flow.flow[..., i], *at, cv2.INTER_NEAREST)[:, 0] for i in (0, 1)])
    known = cv2.remap((flow.moving & flow.visible).astype(np.float32), *at, cv2.INTER_LINEAR)
    return np.linalg.norm(then - now - exact.T, axis=1)[known[:, 0] > 0.9]


def test_tracking_a_motion(scenes: Scenes) -> None:
    errors, seen = [], []
    for start, end in scenes.poses(6):
        first, flow = scenes.image(start), scenes.flow(start, end)
        points = pick_points(first, flow.moving, 80)
        tracker = LucasKanadeTracker()
        tracks = tracker.start(first, points)
        for progress in np.linspace(0, 1, 11)[1:]:
            tracks = tracker.update(scenes.image(start + progress * (end - start)))
        seen.append(tracks.visible.mean())
        errors.append(judged(flow, points[tracks.visible], tracks.points[tracks.visible]))
    error = np.concatenate(errors)
    assert np.mean(seen) > 0.75 and np.min(seen) > 0.55  # parts turn away from the camera
    assert np.median(error) < 0.25
    assert np.percentile(error, 90) < 1.5


def test_corresponding_with_a_goal_image(scenes: Scenes) -> None:
    errors = []
    for start, end in scenes.poses(8):
        found = correspond(scenes.image(start), scenes.image(end))
        error = judged(scenes.flow(start, end), found.now, found.goal)
        assert len(error) >= 15
        assert (error < 3).mean() > 0.85
        errors.append(error)
    error = np.concatenate(errors)
    assert np.median(error) < 0.35
    assert (error < 3).mean() > 0.97
