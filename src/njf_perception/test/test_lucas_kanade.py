"""The tracker against images whose motion is known exactly."""

import cv2
import numpy as np
import pytest

from njf_perception.trackers.lucas_kanade import LucasKanadeTracker, pick_points

WIDTH, HEIGHT = 320, 240


def texture(seed: int) -> np.ndarray:
    """A smooth random surface, 640 x 480."""
    noise = np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0).astype(np.float32)
    return np.clip((smooth - smooth.mean()) * 3 + 128, 0, 255)


def pose(angle_rad: float, scale: float, shift_px: tuple[float, float]) -> np.ndarray:
    """Texture to image, 3 x 3: turned and scaled about its middle, then moved."""
    c, s = scale * np.cos(angle_rad), scale * np.sin(angle_rad)
    linear = np.array([[c, -s], [s, c]])
    result = np.eye(3)
    result[:2, :2] = linear
    result[:2, 2] = np.array([160.0, 120.0]) + shift_px - linear @ [320.0, 240.0]
    return result


def view(surface: np.ndarray, T: np.ndarray, seed: int) -> np.ndarray:
    """Image of the surface at pose `T` with camera noise."""
    image = cv2.warpAffine(surface, T[:2], (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4)
    noise = np.random.default_rng(seed).normal(0, 2.0, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def moved(points: np.ndarray, T: np.ndarray, T0: np.ndarray) -> np.ndarray:
    """Where `points` of the image at pose `T0` are at pose `T`."""
    change = T @ np.linalg.inv(T0)
    return points @ change[:2, :2].T + change[:2, 2]


def middle_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[60:180, 90:230] = True
    return mask


def follow(poses: list[np.ndarray], brightness: float = 1.0):
    """Start on the first pose, track through all; returns the first points and the last tracks."""
    surface = texture(0)
    first = view(surface, poses[0], seed=0)
    points = pick_points(first, middle_mask(), 60)
    tracker = LucasKanadeTracker()
    tracks = tracker.start(first, points)
    for i, T in enumerate(poses[1:], start=1):
        gain = 1.0 + (brightness - 1.0) * i / (len(poses) - 1)
        tracks = tracker.update((view(surface, T, seed=i) * gain).astype(np.uint8))
    return points, tracks


def test_sub_pixel_translation():
    poses = [pose(0, 1, (0.37 * i, -0.21 * i)) for i in range(4)]
    points, tracks = follow(poses)
    error = np.linalg.norm(tracks.points - moved(points, poses[-1], poses[0]), axis=1)
    assert tracks.visible.all()
    assert np.median(error) < 0.05 and error.max() < 0.25


def test_no_drift_over_rotation_scale_and_darkening():
    steps = np.linspace(0, 1, 31)
    poses = [pose(0.8 * t, 1 + 0.15 * t, (25 * t, -10 * t)) for t in steps]
    points, tracks = follow(poses, brightness=0.6)
    error = np.linalg.norm(tracks.points - moved(points, poses[-1], poses[0]), axis=1)
    assert tracks.visible.mean() > 0.95
    assert np.median(error) < 0.1 and np.percentile(error, 90) < 0.25


def test_large_step_between_images():
    poses = [pose(0, 1, (0, 0)), pose(0.05, 1, (14, -9))]
    points, tracks = follow(poses)
    error = np.linalg.norm(tracks.points - moved(points, poses[-1], poses[0]), axis=1)
    assert tracks.visible.mean() > 0.9
    assert np.percentile(error[tracks.visible], 90) < 0.25


def test_occluded_points_are_invisible_and_come_back():
    surface = texture(1)
    poses = [pose(0.01 * i, 1, (1.0 * i, 0.5 * i)) for i in range(9)]
    first = view(surface, poses[0], seed=0)
    points = pick_points(first, middle_mask(), 60)
    covered = points[:, 0] > 170
    occluder = texture(9)[:HEIGHT, :WIDTH].astype(np.uint8)
    tracker = LucasKanadeTracker()
    tracker.start(first, points)
    for i, T in enumerate(poses[1:], start=1):
        image = view(surface, T, seed=i)
        if 3 <= i <= 5:
            image[:, 155:] = occluder[:, 155:]
        tracks = tracker.update(image)
        if i == 4:
            assert tracks.visible[covered].mean() < 0.1
            assert (tracks.confidence[~tracks.visible] == 0).all()
            assert tracks.visible[points[:, 0] < 140].mean() > 0.9
    error = np.linalg.norm(tracks.points - moved(points, poses[-1], poses[0]), axis=1)
    assert tracks.visible[covered].mean() > 0.8
    assert error[tracks.visible].max() < 0.5


def test_points_on_vanished_surface_fail_the_forward_backward_check():
    first = view(texture(2), pose(0, 1, (0, 0)), seed=0)
    tracker = LucasKanadeTracker()
    tracker.start(first, pick_points(first, middle_mask(), 60))
    tracks = tracker.update(view(texture(3), pose(0, 1, (0, 0)), seed=1))
    assert tracks.visible.mean() < 0.1


def test_point_leaving_the_image_is_invisible():
    surface = texture(0)
    first = view(surface, pose(0, 1, (0, 0)), seed=0)
    points = np.array([[5.0, 120.0], [160.0, 120.0]], np.float32)
    tracker = LucasKanadeTracker()
    tracker.start(first, points)
    for i in range(1, 5):
        tracks = tracker.update(view(surface, pose(0, 1, (-4.0 * i, 0)), seed=i))
    assert tracks.visible.tolist() == [False, True]


def test_no_points_stay_no_points():
    image = view(texture(0), pose(0, 1, (0, 0)), seed=0)
    tracker = LucasKanadeTracker()
    tracker.start(image, np.zeros((0, 2), np.float32))
    assert tracker.update(image).points.shape == (0, 2)


def test_misuse_is_refused():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    tracker = LucasKanadeTracker()
    with pytest.raises(ValueError, match="start"):
        tracker.update(image)
    tracker.start(image, np.full((1, 2), 50, np.float32))
    with pytest.raises(ValueError, match="shape"):
        tracker.update(image[:100])


def test_picked_points_are_spread_inside_the_mask():
    image = view(texture(4), pose(0, 1, (0, 0)), seed=0)
    mask = middle_mask()
    points = pick_points(image, mask, 80)
    assert 60 <= len(points) <= 80
    assert mask[points[:, 1].astype(int), points[:, 0].astype(int)].all()
    quarters = (points[:, 0] > 160).astype(int) + 2 * (points[:, 1] > 120)
    assert np.bincount(quarters, minlength=4).min() >= 10


def test_nothing_to_pick():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert pick_points(image, middle_mask(), 20).shape == (0, 2)
    assert pick_points(image, np.zeros((HEIGHT, WIDTH), bool), 20).shape == (0, 2)
