"""Batches of rays on the ball: what they hit, what moved, and which part of the data is used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from njf_perception.camera import Camera
from njf_perception.encoder import EncoderConfig
from njf_perception.errors import DataError
from njf_perception.workspace import Box, Workspace
from njf_training.augment import AugmentConfig
from njf_training.dataset import Dataset
from njf_training.sampler import Batch, RaySampler
from njf_training.selection import DataConfig

ENCODER = EncoderConfig(input_width=32, input_height=24, width=4, features=8, code=16)
LOW, HIGH = np.array([-0.12, -0.06, 0.0]), np.array([0.12, 0.06, 0.09])


def make_sampler(folder: Path, **data: object) -> RaySampler:
    dataset = Dataset.open(folder)
    workspace = Workspace(Box.from_world(LOW, HIGH, dataset.control_camera))
    config = DataConfig.model_validate(data)
    return RaySampler(dataset, ENCODER, workspace, 60, AugmentConfig(), config)


def draw(sampler: RaySampler, seed: int = 0) -> Batch:
    return sampler.batch(sampler.rows[:4], np.random.default_rng(seed))


def test_rays_know_what_they_hit(
    ball_dataset: Path, true_depth: Callable[[Camera, float], np.ndarray]
) -> None:
    sampler = make_sampler(ball_dataset)
    batch = draw(sampler)
    names = [c.camera for c in sampler.dataset.cameras]
    state = int(sampler.dataset.pairs[sampler.rows[0], 0])
    command = float(sampler.dataset.commands[state, 0])
    depth = np.array([true_depth(camera, command) for camera in names])
    u, v = batch.pixels[0].round().long().T.numpy()
    hit = ~np.isnan(depth[batch.camera[0].numpy(), v, u])
    assert (batch.robot[0].numpy() == hit).mean() > 0.97
    assert 0.4 < hit.mean() < 0.9  # most rays, but not all
    found = ~batch.depth[0].isnan().numpy()
    assert (found <= batch.robot[0].numpy()).all() and found.any()


def test_the_set_point_is_that_of_the_image(ball_dataset: Path) -> None:
    sampler = make_sampler(ball_dataset)
    before = sampler.dataset.pairs[sampler.rows[:4], 0]
    assert np.allclose(draw(sampler).setpoints, sampler.dataset.normalized_commands()[before])


def test_the_same_generator_draws_the_same_batch(ball_dataset: Path) -> None:
    sampler = make_sampler(ball_dataset)
    for first, second in zip(draw(sampler, 3), draw(sampler, 3), strict=True):
        assert torch.equal(first.nan_to_num(), second.nan_to_num())


def test_only_part_of_the_data_is_used(ball_dataset: Path) -> None:
    few = make_sampler(ball_dataset, states=10)
    assert few.dataset.pairs[few.rows].max() < 10
    inner = make_sampler(ball_dataset, command_range=0.6)
    used = inner.dataset.normalized_commands()[inner.dataset.pairs[inner.rows]]
    assert 0 < len(inner.rows) < len(make_sampler(ball_dataset).rows)
    assert np.abs(used).max() <= 0.6
    pair = make_sampler(ball_dataset, cameras=["camera_0", "camera_2"])
    assert set(draw(pair).camera.unique().tolist()) == {0, 1} and pair.camera_index == [0, 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"cameras": ["camera_1"]}, "'camera_0' among them"),
        ({"cameras": ["camera_0", "camera_9"]}, "camera_9.*expected some of"),
        ({"states": 2, "command_range": 0.01}, "no motion of the first 2 states"),
        ({"flow": "exact"}, "--exact-flow"),
        ({"flow": "tracks"}, "--tracks"),
        ({"depth": "sensor"}, "data.depth: hull"),
    ],
)
def test_what_is_not_there_is_named(
    ball_dataset: Path, data: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_sampler(ball_dataset, **data)
