"""Heads: from a point with its features and the image's code to its motion per command.

`TwistHead` is what the project uses; the others are what it is compared with. All share inputs,
trainer and losses. Frame: context camera; points [m]; commands: normalised.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from njf_control.jacobian.config import JacobianConfig
from njf_perception.field import PointMlp
from njf_perception.workspace import Workspace

LEVER_M = 0.1  # scale of linear motion per radian, so that both are learnt equally fast

Points = Float[Tensor, "b n 3"]  # [m]
Features = Float[Tensor, "b n c"]
Code = Float[Tensor, "b g"]  # of the image
Command = Float[Tensor, "b channels"]  # [normalised]
Jacobians = Float[Tensor, "b n 3 channels"]  # [m per normalised command]


class Sizes(NamedTuple):
    """Lengths of a point's features and of the image's code, and the number of channels."""

    features: int
    code: int
    channels: int


class Head(nn.Module, ABC):
    """Motion of points, given their features and the code of the image."""

    def __init__(self, workspace: Workspace, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self._workspace = (workspace,)  # a tuple: the scene model owns and stores it

    @property
    def workspace(self) -> Workspace:
        """Box of the scene model that this head belongs to."""
        return self._workspace[0]

    @abstractmethod
    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """Derivative of the points by the command, at no command [m]."""

    def move(self, points: Points, features: Features, code: Code, command: Command) -> Points:
        """Where points are after a finite command [m]; to first order unless a head knows more."""
        return points + (self.jacobian(points, features, code) @ command[:, None, :, None])[..., 0]


class TwistHead(Head):
    """One twist per channel for the whole image times a smooth factor per point.

    J_j(x) = m_j(x) (omega_j x (x - c) + v_j), c the centre of the workspace. Finite commands move a
    point along the exponential of the summed twists, of which J is the derivative at zero. With
    several twists per channel their sum is the channel's motion: a soft body bends along several
    screw axes at once.
    """

    def __init__(self, config: JacobianConfig, workspace: Workspace, sizes: Sizes) -> None:
        super().__init__(workspace, sizes.channels)
        self.per_channel = config.twists_per_channel
        count = self.channels * self.per_channel
        self.factor = PointMlp(config.field, sizes.features, sizes.code, count)
        self.twist = nn.Sequential(
            nn.Linear(sizes.code, config.twist_hidden),
            nn.ReLU(),
            nn.Linear(config.twist_hidden, config.twist_hidden),
            nn.ReLU(),
            nn.Linear(config.twist_hidden, 6 * count),
        )
        with torch.no_grad():
            # Both factors small is a saddle point without gradient: start with m near one.
            self.factor.last.bias.fill_(2.0)
            self.factor.last.weight.mul_(0.1)

    def twists(self, code: Code) -> tuple[Float[Tensor, "b t 3"], Float[Tensor, "b t 3"]]:
        """Angular [rad] and linear [m] part of every twist about the workspace's centre."""
        raw = self.twist(code).unflatten(-1, (-1, 6))
        return raw[..., :3], LEVER_M * raw[..., 3:]

    def factors(self, points: Points, features: Features, code: Code) -> Float[Tensor, "b n t"]:
        """m(x), how much of each twist every point takes part in."""
        return torch.sigmoid(self.factor(self.workspace.normalize(points), features, code))

    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """See `Head`."""
        angular, linear = self.twists(code)
        arm = (points - self.workspace.center)[:, :, None]
        velocity = torch.cross(angular[:, None], arm, dim=-1) + linear[:, None]
        per_twist = self.factors(points, features, code)[..., None] * velocity
        per_channel = per_twist.unflatten(2, (self.channels, self.per_channel)).sum(3)
        return per_channel.transpose(-1, -2)

    def move(self, points: Points, features: Features, code: Code, command: Command) -> Points:
        """The exponential of the summed twists, to third order."""
        angular, linear = self.twists(code)
        amount = command.repeat_interleave(self.per_channel, dim=-1)
        share = self.factors(points, features, code) * amount[:, None]
        omega, v = share @ angular, share @ linear
        first = torch.cross(omega, points - self.workspace.center, dim=-1) + v
        second = torch.cross(omega, first, dim=-1)
        third = torch.cross(omega, second, dim=-1)
        return points + first + second / 2 + third / 6


class FreeHead(Head):
    """A free 3 x n matrix per point (the reference's `jacobian_mlp`)."""

    def __init__(self, config: JacobianConfig, workspace: Workspace, sizes: Sizes) -> None:
        super().__init__(workspace, sizes.channels)
        self.mlp = PointMlp(config.field, sizes.features, sizes.code, 3 * self.channels)

    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """See `Head`."""
        raw = self.mlp(self.workspace.normalize(points), features, code)
        return LEVER_M * raw.unflatten(-1, (3, self.channels))


class AttentionHead(Head):
    """Points attend to one learned token per channel (the reference's `jacobian_transformer`)."""

    WIDTH = 64

    def __init__(self, config: JacobianConfig, workspace: Workspace, sizes: Sizes) -> None:
        super().__init__(workspace, sizes.channels)
        self.query = PointMlp(config.field, sizes.features, sizes.code, self.WIDTH)
        self.tokens = nn.Parameter(
            torch.randn(1, self.channels, self.WIDTH) / math.sqrt(self.WIDTH)
        )
        self.attend = nn.ModuleList(
            nn.MultiheadAttention(self.WIDTH, 4, batch_first=True) for _ in range(2)
        )
        self.out = nn.Linear(self.WIDTH, 3 * self.channels)

    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """See `Head`."""
        x = self.query(self.workspace.normalize(points), features, code)
        tokens = self.tokens.expand(len(x), -1, -1)
        for attend in self.attend:
            x = x + attend(torch.relu(x), tokens, tokens, need_weights=False)[0]
        return LEVER_M * self.out(torch.relu(x)).unflatten(-1, (3, self.channels))


class ImageHead(Head):
    """An image-space Jacobian per pixel: no geometry but the depth that cancels in projection.

    Predicts the image velocity on the plane z = 1, so J = z (a, b, 0); train it in the control
    camera alone, for it says nothing about other views.
    """

    def __init__(self, config: JacobianConfig, workspace: Workspace, sizes: Sizes) -> None:
        super().__init__(workspace, sizes.channels)
        flat = config.field.model_copy(update={"frequencies": 0})
        self.mlp = PointMlp(flat, sizes.features, sizes.code, 2 * self.channels)

    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """See `Head`."""
        raw = self.mlp(torch.zeros_like(points), features, code)
        lateral = LEVER_M * raw.unflatten(-1, (2, self.channels))
        plane = torch.cat([lateral, torch.zeros_like(lateral[:, :, :1])], dim=2)
        # Scaled so that the numbers to learn are as large as those of the other heads.
        return plane * (points[..., 2:3] / self.workspace.center[2])[..., None]


class DirectHead(Head):
    """Regresses the motion for a given command, without any linearity (the paper's ablation)."""

    STEP = 0.05  # of the central differences that make a Jacobian of it [normalised]

    def __init__(self, config: JacobianConfig, workspace: Workspace, sizes: Sizes) -> None:
        super().__init__(workspace, sizes.channels)
        self.mlp = PointMlp(config.field, sizes.features, sizes.code + self.channels, 3)

    def move(self, points: Points, features: Features, code: Code, command: Command) -> Points:
        """See `Head`."""
        # Commands are a tenth of a unit; the network wants numbers near one.
        told = torch.cat([code, 10 * command], dim=-1)
        return points + LEVER_M * self.mlp(self.workspace.normalize(points), features, told)

    def jacobian(self, points: Points, features: Features, code: Code) -> Jacobians:
        """Central differences of `move`."""
        columns = []
        for channel in range(self.channels):
            step = self.STEP * torch.nn.functional.one_hot(torch.tensor(channel), self.channels)
            command = step.to(code).expand(len(code), -1)
            ahead = self.move(points, features, code, command)
            back = self.move(points, features, code, -command)
            columns.append((ahead - back) / (2 * self.STEP))
        return torch.stack(columns, dim=-1)


HEADS: dict[str, Callable[[JacobianConfig, Workspace, Sizes], Head]] = {
    "twist": TwistHead,
    "free": FreeHead,
    "attention": AttentionHead,
    "image": ImageHead,
    "direct": DirectHead,
}
