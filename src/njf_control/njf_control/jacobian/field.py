"""The Jacobian field of one checkpoint: a head, what it is told of the image, and how sure it is.

Besides the features of its point, a head is told the image's global code and the set-points that
are read off it: where the robot's joints are decides how they move its points. The set-points are
learnt from the recorded commands; nothing is asked of the robot at run time.
"""

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from njf_control.jacobian.confidence import RIGHT_SHARE, Calibration, confidence_signs
from njf_control.jacobian.config import JacobianConfig
from njf_control.jacobian.heads import HEADS, Head, Sizes
from njf_perception.checkpoint import Checkpoint, CheckpointInfo
from njf_perception.config import parse_config
from njf_perception.field import PointMlp
from njf_perception.scene import Encoding, PixelNerf
from njf_perception.workspace import Workspace


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

    def __init__(
        self, config: JacobianConfig, workspace: Workspace, features: int, code: int, channels: int
    ) -> None:
        super().__init__()
        self.channels = channels
        self.setpoint = nn.Linear(code, channels)
        octaves = 2.0 ** torch.arange(config.setpoint_octaves) * math.pi / 2
        self.octaves: Tensor
        self.register_buffer("octaves", octaves, persistent=False)
        told = code + channels * (1 + 2 * config.setpoint_octaves)
        self.head: Head = HEADS[config.head](config, workspace, Sizes(features, told, channels))
        self.log_spread = PointMlp(config.uncertainty, features, told, 1)
        self.calibration: Calibration | None = None

    @torch.no_grad()
    def forward(
        self, scene: FeatureScene, points: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3 channels"]:
        """Jacobian at camera-frame points [m] of a scene."""
        return self.head.jacobian(*self._inputs(scene, points))[0]

    @torch.no_grad()
    def evaluate(
        self, scene: FeatureScene, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n 3 channels"], Float[Tensor, " n"]]:
        """Jacobian, and the probability that the motion of a robot's point is right.

        `njf_control.jacobian.confidence` says what is right. Without a calibration the relative
        error is taken to be Laplace distributed with the learnt spread b, so the probability is
        1 - exp(-0.25 / b).
        """
        inputs = self._inputs(scene, points)
        jacobian, spread = self.head.jacobian(*inputs)[0], self.spread(*inputs)[0]
        if self.calibration is None:
            return jacobian, 1 - torch.exp(-RIGHT_SHARE / spread)
        return jacobian, self.calibration.probability(confidence_signs(points, jacobian, spread))

    @torch.no_grad()
    def signs(self, scene: FeatureScene, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 2"]:
        """What a calibration of the confidence looks at, see `confidence_signs`."""
        inputs = self._inputs(scene, points)
        return confidence_signs(points, self.head.jacobian(*inputs)[0], self.spread(*inputs)[0])

    @torch.no_grad()
    def displace(
        self,
        scene: FeatureScene,
        points: Float[Tensor, "n 3"],
        command: Float[Tensor, " channels"],
    ) -> Float[Tensor, "n 3"]:
        """Where camera-frame points [m] of a scene are after a finite normalised command."""
        return self.head.move(*self._inputs(scene, points), command[None])[0]

    def told(self, code: Float[Tensor, "b g"]) -> Float[Tensor, "b t"]:
        """What heads are told of the image: its code and the set-points read off it, as waves."""
        # Detached: the set-points are what the recorded commands say, not what suits the head.
        setpoint = self.setpoint(code).detach()
        phase = (setpoint[..., None] * self.octaves).flatten(1)
        return torch.cat([code, setpoint, phase.sin(), phase.cos()], dim=-1)

    def spread(
        self,
        points: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n c"],
        told: Float[Tensor, "b t"],
    ) -> Float[Tensor, "b n"]:
        """Expected error of predicted image motion, relative to the motion."""
        box = self.head.workspace.normalize(points)
        raw = self.log_spread(box, features.detach(), told.detach())[..., 0]
        return torch.exp(raw.clamp(-5, 3))

    def _inputs(
        self, scene: FeatureScene, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "1 n 3"], Float[Tensor, "1 n c"], Float[Tensor, "1 t"]]:
        told = self.told(scene.encoding.global_code[None])
        return points[None], scene.features(points)[None], told


def load_jacobian(checkpoint: Checkpoint, model: PixelNerf) -> JacobianField:
    """The Jacobian field of a checkpoint, on top of its scene model, in evaluation mode."""
    field = make_jacobian(checkpoint.info, model)
    field.load_state_dict(checkpoint.jacobian)
    stored = checkpoint.info.confidence
    if stored is not None:
        field.calibration = parse_config(stored, Calibration, "confidence of the checkpoint")
    return field.eval()


def make_jacobian(info: CheckpointInfo, model: PixelNerf) -> JacobianField:
    """A Jacobian field of the described size, with fresh weights."""
    encoder = info.perception.encoder
    config = parse_config(info.jacobian, JacobianConfig, "jacobian section of the checkpoint")
    channels = len(info.channel_names)
    return JacobianField(config, model.workspace, encoder.features, encoder.code, channels)
