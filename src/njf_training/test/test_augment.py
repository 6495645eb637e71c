"""Changed context images: what may change does, what must not does not."""

import numpy as np
import torch

from njf_training.augment import AugmentConfig, augment, texture

ROBOT = np.zeros((24, 32), bool)
ROBOT[8:16, 10:20] = True
OFF = {"gain": 0.0, "tint": 0.0, "noise": 0.0, "background": 0.0, "occluder": 0.0}


def picture() -> torch.Tensor:
    image = torch.full((3, 24, 32), 0.3)
    image[:, torch.from_numpy(ROBOT)] = 0.8
    return image


def changed(seed: int, **config: float) -> np.ndarray:
    result = augment(picture(), ROBOT, AugmentConfig(**(OFF | config)), np.random.default_rng(seed))
    assert result.shape == (3, 24, 32) and torch.isfinite(result).all()
    return (result - picture()).abs().amax(0).numpy()


def test_everything_off_changes_nothing() -> None:
    assert (changed(0) == 0).all()


def test_another_background_leaves_the_inside_of_the_robot() -> None:
    for seed in range(8):
        difference = changed(seed, background=1.0)
        assert (difference[9:15, 11:19] < 1e-6).all()
        assert (difference[:6] > 0.02).mean() > 0.3


def test_an_occluder_hides_part_of_the_robot_only() -> None:
    for seed in range(8):
        hidden = changed(seed, occluder=1.0) > 0
        assert hidden[ROBOT].any()
        assert hidden.sum() <= 0.5 * ROBOT.sum()


def test_light_changes_the_whole_image_by_one_factor() -> None:
    rng = np.random.default_rng(3)
    lit = augment(picture(), ROBOT, AugmentConfig(**(OFF | {"gain": 0.5})), rng) / picture()
    assert torch.allclose(lit, lit[0, 0, 0].expand_as(lit)) and abs(lit[0, 0, 0] - 1) > 1e-3


def test_the_same_seed_changes_the_same() -> None:
    assert (
        changed(5, background=1.0, occluder=1.0) == changed(5, background=1.0, occluder=1.0)
    ).all()
    assert not (
        texture(8, 8, np.random.default_rng(1)) == texture(8, 8, np.random.default_rng(2))
    ).all()
