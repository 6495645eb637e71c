"""Jacobian field: how every 3D point moves per unit of every command.

Twist-factored head. Each command channel j has one twist (omega_j, v_j) for the whole image,
decoded from the global code, and a smooth factor m_j(x) in 0..1 per point:

    J_j(x) = m_j(x) (omega_j x (x - c) + v_j)

with c the centre of the workspace. Finite commands move a point along the exponential of the summed
twists, of which J is the derivative at zero. Frame: context camera; commands: normalised.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from njf_perception.checkpoint import Checkpoint, CheckpointInfo
from njf_perception.config import Config, parse_config
from njf_perception.field import FieldConfig, PointMlp
from njf_perception.scene import Encoding, PixelNerf
from njf_perception.workspace import Workspace


class JacobianConfig(Config):
    """Size of the Jacobian head."""

    field: FieldConfig = FieldConfig(hidden=64, layers=3, frequencies=4)
    twist_hidden: int = Field(
        default=128, ge=8, description="units of the layer that decodes the twists"
    )


@runtime_checkable
class FeatureScene(Protocol):
    """A scene with pixel-aligned features and a global code."""

    @property
    def encoding(self) -> Encoding:
        """Feature map and global code of the image."""
        ...

    def features(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Features of the map where camera-frame points [m] project."""
        ...


class JacobianField(nn.Module):
    """Maps a scene and points to Jacobians [m per normalised command unit]."""

    LEVER_M = 0.1  # scale of the twists' linear part, so both parts are learnt equally fast

    def __init__(
        self, config: JacobianConfig, workspace: Workspace, features: int, code: int, channels: int
    ) -> None:
        super().__init__()
        self.channels = channels
        self._workspace = (workspace,)  # a tuple: the scene model owns and stores it
        self.factor = PointMlp(config.field, features, code, channels)
        self.twist = nn.Sequential(
            nn.Linear(code, config.twist_hidden),
            nn.ReLU(),
            nn.Linear(config.twist_hidden, 6 * channels),
        )
        with torch.no_grad():
            # Both factors small is a saddle point without gradient: start with m near one.
            self.factor.last.bias.fill_(2.0)
            self.factor.last.weight.mul_(0.1)

    @property
    def workspace(self) -> Workspace:
        """Box of the scene model that this field belongs to."""
        return self._workspace[0]

    @torch.no_grad()
    def forward(
        self, scene: FeatureScene, points: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3 channels"]:
        """Jacobian at camera-frame points [m] of a scene."""
        code = scene.encoding.global_code[None]
        factors = self.factors(points[None], scene.features(points)[None], code)
        return self.assemble(points[None], factors, *self.twists(code))[0]

    @torch.no_grad()
    def displace(
        self,
        scene: FeatureScene,
        points: Float[Tensor, "n 3"],
        command: Float[Tensor, " channels"],
    ) -> Float[Tensor, "n 3"]:
        """Where camera-frame points [m] of a scene are after a finite normalised command."""
        code = scene.encoding.global_code[None]
        factors = self.factors(points[None], scene.features(points)[None], code)
        return self.move(points[None], factors, *self.twists(code), command[None])[0]

    def twists(
        self, code: Float[Tensor, "b g"]
    ) -> tuple[Float[Tensor, "b channels 3"], Float[Tensor, "b channels 3"]]:
        """Angular [rad] and linear [m] part of each channel's twist about the workspace centre."""
        raw = self.twist(code).unflatten(-1, (self.channels, 6))
        return raw[..., :3], self.LEVER_M * raw[..., 3:]

    def factors(
        self,
        points: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n c"],
        code: Float[Tensor, "b g"],
    ) -> Float[Tensor, "b n channels"]:
        """m_j(x), how much of channel j's twist each point takes part in."""
        return torch.sigmoid(self.factor(self.workspace.normalize(points), features, code))

    def assemble(
        self,
        points: Float[Tensor, "b n 3"],
        factors: Float[Tensor, "b n channels"],
        angular: Float[Tensor, "b channels 3"],
        linear: Float[Tensor, "b channels 3"],
    ) -> Float[Tensor, "b n 3 channels"]:
        """J_j(x) = m_j(x) (omega_j x (x - c) + v_j)."""
        arm = (points - self.workspace.center)[:, :, None]
        velocity = torch.cross(angular[:, None], arm, dim=-1) + linear[:, None]
        return (factors[..., None] * velocity).transpose(-1, -2)

    def move(
        self,
        points: Float[Tensor, "b n 3"],
        factors: Float[Tensor, "b n channels"],
        angular: Float[Tensor, "b channels 3"],
        linear: Float[Tensor, "b channels 3"],
        command: Float[Tensor, "b channels"],
    ) -> Float[Tensor, "b n 3"]:
        """Where points [m] are after a finite command: exp of the summed twists, to third order."""
        share = factors * command[:, None]
        omega, v = share @ angular, share @ linear
        first = torch.cross(omega, points - self.workspace.center, dim=-1) + v
        second = torch.cross(omega, first, dim=-1)
        third = torch.cross(omega, second, dim=-1)
        return points + first + second / 2 + third / 6


def load_jacobian(checkpoint: Checkpoint, model: PixelNerf) -> JacobianField:
    """The Jacobian field of a checkpoint, on top of its scene model, in evaluation mode."""
    field = make_jacobian(checkpoint.info, model)
    field.load_state_dict(checkpoint.jacobian)
    return field.eval()


def make_jacobian(info: CheckpointInfo, model: PixelNerf) -> JacobianField:
    """A Jacobian field of the described size, with fresh weights."""
    encoder = info.perception.encoder
    config = parse_config(info.jacobian, JacobianConfig, "jacobian section of the checkpoint")
    channels = len(info.channel_names)
    return JacobianField(config, model.workspace, encoder.features, encoder.code, channels)
