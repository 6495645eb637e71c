"""The Jacobian field: every head's algebra, and derivatives against finite differences."""

from typing import Any

import numpy as np
import pytest
import torch

from njf_control.jacobian import JacobianConfig, JacobianField
from njf_control.jacobian.heads import HEADS, TwistHead
from njf_perception.camera import Camera
from njf_perception.field import FieldConfig
from njf_perception.workspace import Box, Workspace

CHANNELS, FEATURES, CODE = 3, 8, 8
Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


DIRECT_STEP = 0.05  # the direct head has no derivative of its own but these differences


def make_field(head: Any = "twist", seed: int = 0, twists_per_channel: int = 1) -> JacobianField:
    torch.manual_seed(seed)
    camera = Camera("camera_0", 64, 48, np.eye(3), np.eye(4))
    low, high = np.array([-0.2, -0.2, 0.4]), np.array([0.2, 0.2, 0.6])
    config = JacobianConfig(
        head=head,
        field=FieldConfig(hidden=16, layers=2, frequencies=2),
        twist_hidden=16,
        twists_per_channel=twists_per_channel,
    )
    workspace = Workspace(Box.from_world(low, high, camera)).double()
    field = JacobianField(config, workspace, FEATURES, CODE, CHANNELS)
    for parameter in field.parameters():  # no head may be right only because it starts small
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return field.double()


def inputs(field: JacobianField, seed: int = 1, count: int = 20) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    points = 0.2 * torch.randn(2, count, 3, generator=generator).double()
    points = points + field.head.workspace.center
    features = torch.randn(2, count, FEATURES, generator=generator).double()
    told = field.told(torch.randn(2, CODE, generator=generator).double())
    return points, features, told


@pytest.mark.parametrize("twists", [1, 3])
@pytest.mark.parametrize("head", sorted(HEADS))
def test_jacobian_is_the_derivative_of_the_motion(head: str, twists: int) -> None:
    field = make_field(head, twists_per_channel=twists)
    data = inputs(field)
    step = DIRECT_STEP if head == "direct" else 1e-5
    jacobian = field.head.jacobian(*data)
    for channel in range(CHANNELS):
        command = torch.zeros(2, CHANNELS, dtype=torch.double)
        command[:, channel] = step
        ahead, back = field.head.move(*data, command), field.head.move(*data, -command)
        assert torch.allclose((ahead - back) / (2 * step), jacobian[..., channel], atol=1e-7)


@pytest.mark.parametrize("head", sorted(set(HEADS) - {"direct"}))
def test_no_command_moves_nothing(head: str) -> None:
    field = make_field(head)
    data = inputs(field)
    still = field.head.move(*data, torch.zeros(2, CHANNELS, dtype=torch.double))
    assert torch.equal(still, data[0])


def test_finite_rotation_keeps_distances_where_the_factor_is_one() -> None:
    field = make_field()
    head = field.head
    assert isinstance(head, TwistHead)
    with torch.no_grad():
        head.factor.last.weight.zero_()
        head.factor.last.bias.fill_(20.0)  # m = 1 everywhere
        last = head.twist[-1]
        assert isinstance(last, torch.nn.Linear)
        last.weight.zero_()
        last.bias.copy_(torch.eye(6 * CHANNELS)[2] * 0.3)  # 0.3 rad about z through the centre
    points, features, told = inputs(field)
    command = torch.tensor([[1.0, 0.0, 0.0]] * 2, dtype=torch.double)
    moved = head.move(points, features, told, command)
    before = (points - head.workspace.center).norm(dim=-1)
    after = (moved - head.workspace.center).norm(dim=-1)
    assert torch.allclose(before, after, rtol=1e-3)
    assert (moved - points).norm(dim=-1).max() > 0.02


def test_the_image_head_moves_points_across_the_view_only() -> None:
    field = make_field("image")
    assert (field.head.jacobian(*inputs(field))[:, :, 2] == 0).all()


def test_factors_start_near_one_so_no_channel_is_born_dead() -> None:
    torch.manual_seed(0)
    field = make_field()
    assert isinstance(field.head, TwistHead)
    assert (field.head.factors(*inputs(field)) > 0.5).all()


def test_set_points_reach_the_head_but_its_loss_does_not_bend_them() -> None:
    field = make_field()
    points, features, told = inputs(field)
    moved = field.head.move(points, features, told, torch.ones(2, CHANNELS).double())
    moved.sum().backward()
    assert field.setpoint.weight.grad is None
    assert told.shape[-1] == CODE + CHANNELS * 5


def test_a_wrong_array_shape_fails() -> None:
    field = make_field()
    points, features, told = inputs(field)
    with pytest.raises(Exception, match="(?i)type|shape|dim"):
        field.head.jacobian(points[0], features, told)
