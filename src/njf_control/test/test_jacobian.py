"""The Jacobian field: its algebra, and its derivative against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_perception.camera import Camera
from njf_perception.field import FieldConfig
from njf_perception.workspace import Box, Workspace

CHANNELS = 3


def make_field(seed: int = 0) -> JacobianField:
    torch.manual_seed(seed)
    camera = Camera("camera_0", 64, 48, np.eye(3), np.eye(4))
    low, high = np.array([-0.2, -0.2, 0.4]), np.array([0.2, 0.2, 0.6])
    workspace = Workspace(Box.from_world(low, high, camera))
    config = JacobianConfig(field=FieldConfig(hidden=16, layers=2, frequencies=2), twist_hidden=16)
    return JacobianField(config, workspace, features=8, code=8, channels=CHANNELS)


def parts(field: JacobianField, seed: int, count: int = 20):
    generator = torch.Generator().manual_seed(seed)
    points = 0.2 * torch.randn(1, count, 3, generator=generator) + field.workspace.center
    features = torch.randn(1, count, 8, generator=generator)
    code = torch.randn(1, 8, generator=generator)
    return points, field.factors(points, features, code), *field.twists(code)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, CHANNELS - 1))
def test_jacobian_is_the_derivative_of_the_motion(seed: int, channel: int) -> None:
    field = make_field()
    points, factors, angular, linear = (part.double() for part in parts(field, seed))
    field = field.double()
    jacobian = field.assemble(points, factors, angular, linear)
    step = torch.zeros(1, CHANNELS, dtype=torch.double)
    step[0, channel] = 1e-5
    forward = field.move(points, factors, angular, linear, step)
    backward = field.move(points, factors, angular, linear, -step)
    assert torch.allclose((forward - backward) / 2e-5, jacobian[..., channel], atol=1e-7)


def test_finite_rotation_keeps_distances_where_the_factor_is_one() -> None:
    field = make_field()
    points, _, _, _ = parts(field, 1)
    factors = torch.ones(1, points.shape[1], 1)
    angular, linear = torch.tensor([[[0.0, 0.0, 0.3]]]), torch.zeros(1, 1, 3)
    moved = field.move(points, factors, angular, linear, torch.ones(1, 1))
    before = (points - field.workspace.center).norm(dim=-1)
    after = (moved - field.workspace.center).norm(dim=-1)
    assert torch.allclose(before, after, rtol=1e-3)


def test_no_command_moves_nothing() -> None:
    field = make_field()
    points, factors, angular, linear = parts(field, 2)
    still = field.move(points, factors, angular, linear, torch.zeros(1, CHANNELS))
    assert torch.equal(still, points)


def test_factors_start_near_one_so_no_channel_is_born_dead() -> None:
    _, factors, _, _ = parts(make_field(), 3)
    assert (factors > 0.5).all()


def test_a_wrong_array_shape_fails() -> None:
    field = make_field()
    points, factors, angular, linear = parts(field, 4)
    with pytest.raises(Exception, match="(?i)type|shape|dim"):
        field.assemble(points[0], factors, angular, linear)
