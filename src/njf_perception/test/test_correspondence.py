"""Goal-image correspondence on a drawn two-link arm whose motion is known exactly."""

import cv2
import numpy as np
import pytest

from njf_perception.correspondence import correspond
from njf_perception.errors import DataError

SIZE = (320, 240)
LINKS_PX = (90, 70)


def texture(shape: tuple[int, int], seed: int, contrast: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (*shape, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return 128 + contrast * smooth / smooth.std()


def link_poses(angles_rad: tuple[float, float]) -> list[np.ndarray]:
    """Link to image, 3 x 3 each; a link lies along its x axis from its joint."""
    poses, base = [], np.array([[1, 0, 90], [0, 1, 120], [0, 0, 1]], float)
    for angle, length in zip(angles_rad, LINKS_PX, strict=True):
        c, s = np.cos(angle), np.sin(angle)
        base = base @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        poses.append(base)
        base = base @ np.array([[1, 0, length], [0, 1, 0], [0, 0, 1]], float)
    return poses


def draw(angles_rad: tuple[float, float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image of the arm with noise, and which link (1, 2; 0: none) every pixel shows."""
    image = texture((240, 320), 100, contrast=12.0)
    label = np.zeros((240, 320), np.uint8)
    for i, (pose, length) in enumerate(zip(link_poses(angles_rad), LINKS_PX, strict=True)):
        surface = texture((28, length), i, contrast=45.0)
        placed = pose @ np.array([[1, 0, 0], [0, 1, -13.5], [0, 0, 1]], float)
        warped = cv2.warpAffine(surface, placed[:2], SIZE, flags=cv2.INTER_LANCZOS4)
        inside = cv2.warpAffine(np.ones((28, length), np.float32), placed[:2], SIZE) > 0.5
        image[inside], label[inside] = warped[inside], i + 1
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), label


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((0.1, -0.2), (-0.15, 0.2)),
        ((0.0, 0.0), (0.35, 0.4)),
        ((-0.4, 0.6), (-0.1, 0.1)),
        ((0.2, 0.3), (0.25, 0.35)),
    ],
)
def test_points_of_both_links_are_found_to_a_fraction_of_a_pixel(start, end):
    image, label = draw(start, seed=0)
    goal, _ = draw(end, seed=1)
    found = correspond(image, goal)
    link = label[tuple(np.round(found.now[:, ::-1]).astype(int).T)]
    errors = []
    for i, (before, after) in enumerate(zip(link_poses(start), link_poses(end), strict=True)):
        on_link = link == i + 1
        assert on_link.sum() >= 5
        change = after @ np.linalg.inv(before)
        expected = found.now[on_link] @ change[:2, :2].T + change[:2, 2]
        errors.append(np.linalg.norm(found.goal[on_link] - expected, axis=1))
    error = np.concatenate(errors)
    assert np.median(error) < 0.2
    assert (error < 2).mean() > 0.95
    assert ((found.confidence >= 0.85) & (found.confidence <= 1)).all()


def test_the_result_is_deterministic_and_best_first():
    image, goal = draw((0.0, 0.0), 0)[0], draw((0.3, 0.2), 1)[0]
    first, second = correspond(image, goal), correspond(image, goal)
    np.testing.assert_array_equal(first.goal, second.goal)
    assert (np.diff(first.confidence) <= 0).all()


def test_nothing_that_moved_gives_nothing():
    image = draw((0.1, 0.1), 0)[0]
    assert len(correspond(image, image).now) == 0
    again = draw((0.1, 0.1), 1)[0]
    assert len(correspond(image, again).now) == 0
    blank = np.zeros_like(image)
    assert len(correspond(blank, blank).now) == 0


def test_unrelated_images_give_nearly_nothing():
    image = draw((0.1, 0.1), 0)[0]
    other = np.clip(texture((240, 320), 55, contrast=45.0), 0, 255).astype(np.uint8)
    assert len(correspond(image, other).now) < 10


def test_a_goal_image_of_another_size_is_refused():
    image = draw((0.1, 0.1), 0)[0]
    with pytest.raises(DataError, match="320 x 100"):
        correspond(image, image[:100])


def test_a_change_without_features_in_one_image_gives_nothing() -> None:
    goal = np.full((240, 320, 3), 128, np.uint8)
    image = goal.copy()
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 1), dtype=np.uint8)
    image[100:148, 100:148] = cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC)[..., None]
    for first, second in ((image, goal), (goal, image)):
        assert len(correspond(first, second).now) == 0
