"""Volume rendering against closed forms."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from njf_perception.renderer import expected_depth, importance, sample_weights, stratified


def test_uniform_fog_absorbs_as_beer_and_lambert_say() -> None:
    depths = stratified(torch.tensor([0.0]), torch.tensor([1.0]), 500, jitter=False)
    weights = sample_weights(torch.full_like(depths, 2.0), depths, torch.ones(1))
    assert math.isclose(float(weights.sum()), 1 - math.exp(-2.0), rel_tol=1e-4)


def test_slanted_rays_travel_further_per_metre_of_depth() -> None:
    depths = stratified(torch.tensor([0.0]), torch.tensor([1.0]), 500, jitter=False)
    weights = sample_weights(torch.full_like(depths, 2.0), depths, torch.tensor([1.5]))
    assert math.isclose(float(weights.sum()), 1 - math.exp(-3.0), rel_tol=1e-4)


@given(st.integers(0, 1000))
def test_weights_are_a_partial_distribution(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    density = 1e3 * torch.rand(4, 16, generator=generator) ** 4
    depths = torch.rand(4, 16, generator=generator).sort(-1).values
    weights = sample_weights(density, depths, torch.ones(4))
    assert (weights >= 0).all() and (weights.sum(-1) <= 1 + 1e-5).all()


def test_stratified_samples_stay_in_their_bins() -> None:
    torch.manual_seed(0)
    samples = stratified(torch.full((50,), 1.0), torch.full((50,), 3.0), 8, jitter=True)
    edges = torch.linspace(1, 3, 9)
    assert (samples >= edges[:-1]).all() and (samples <= edges[1:]).all()


def test_importance_samples_gather_at_the_peak_and_stay_sorted() -> None:
    depths = torch.linspace(0, 1, 32)[None]
    weights = torch.zeros(1, 32)
    weights[0, 20] = 1.0
    fine = importance(depths, weights, 16)
    assert (fine.diff() >= 0).all()
    near = ((fine - depths[0, 20]).abs() < 0.04).float().mean()
    assert near > 0.9


def test_expected_depth_of_one_sample_is_that_sample() -> None:
    weights, depths = torch.tensor([[0.0, 0.3, 0.0]]), torch.tensor([[1.0, 2.0, 4.0]])
    assert math.isclose(float(expected_depth(weights, depths)), 2.0, rel_tol=1e-4)
