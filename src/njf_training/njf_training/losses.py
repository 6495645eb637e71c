"""What training minimises: geometry from silhouettes and colour, Jacobians from estimated flow."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from njf_control.jacobian import JacobianField
from njf_control.jacobian.heads import TwistHead
from njf_perception.config import Config
from njf_perception.field import project_points, sample_map
from njf_perception.renderer import expected_depth, sample_weights, stratified
from njf_perception.scene import PixelNerf
from njf_training.distributed import mean_where
from njf_training.hull import CameraRig
from njf_training.sampler import Batch

FLOW_NOISE_PX = 0.3  # error of the measured flow where nothing moves


class LossConfig(Config):
    """Weights of the loss terms and how rays are sampled."""

    flow: float = Field(
        default=1.0, ge=0, description="flow error, per pixel of the camera image [1/px]"
    )
    flow_scale_px: float = Field(
        default=1.0, gt=0, description="flow errors beyond this count linearly"
    )
    flow_balance_px: float = Field(
        default=2.0,
        gt=0,
        description="motions are weighted by balance / (balance + their mean flow), so that a "
        "channel that moves little counts as much as one that moves all",
    )
    setpoint: float = Field(
        default=1.0, ge=0, description="set-points read off the image, against the recorded ones"
    )
    gauge: float = Field(
        default=0.1, ge=0, description="squared distance of a channel's largest factor from one"
    )
    uncertainty: float = Field(default=0.1, ge=0, description="likelihood of the flow's error")
    depth: float = Field(default=10.0, ge=0, description="rendered depth against the hull [1/m]")
    concentration: float = Field(
        default=10.0, ge=0, description="spread of the weights about it [1/m]"
    )
    opacity: float = Field(
        default=1.0, ge=0, description="squared opacity error against the silhouette"
    )
    color: float = Field(default=2.0, ge=0, description="squared colour error on the robot")
    proposal: float = Field(default=10.0, ge=0, description="depth proposal of the encoder [1/m]")
    foreground: float = Field(default=0.1, ge=0, description="foreground logit of the encoder")
    uniform_samples: int = Field(
        default=6, ge=2, description="samples per ray through the workspace"
    )
    guided_samples: int = Field(
        default=6, ge=1, description="samples per ray around the hull's depth"
    )
    guide_m: float = Field(
        default=0.008, gt=0, description="standard deviation of guided samples [m]"
    )
    surface_jitter_m: float = Field(
        default=0.003, ge=0, description="noise on the depth at which the Jacobian is trained [m]"
    )


class Rays:
    """A batch's rays in the context frame, flattened per image, with their features."""

    def __init__(self, batch: Batch, rig: CameraRig, context: int, feature_map: Tensor) -> None:
        self.origins, self.directions = rig.rays(batch.camera, batch.pixels)
        self._map = feature_map
        self._K = rig.K[context].expand(len(batch.images), 3, 3)
        self._size = rig.size

    def features(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n c"]:
        """Pixel-aligned features of context-frame points, proposals left out."""
        return self.read(project_points(points, self._K))[..., PixelNerf.PROPOSALS :]

    def read(self, pixels: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n c"]:
        """All channels of the map at context pixels."""
        return sample_map(self._map, pixels, self._size)

    def at(self, depths: Float[Tensor, "b r s"]) -> Float[Tensor, "b rs 3"]:
        """Points at depths along every ray, rays and samples in one dimension."""
        points = self.origins[:, :, None] + self.directions[:, :, None] * depths[..., None]
        return points.flatten(1, 2)


def compute_losses(
    model: PixelNerf,
    jacobian: JacobianField,
    batch: Batch,
    rig: CameraRig,
    context: int,
    config: LossConfig,
) -> dict[str, Float[Tensor, ""]]:
    """All loss terms, already weighted; their sum is what is minimised.

    What has weight zero altogether is not computed.
    """
    feature_map, code = model.encoder(batch.images)
    rays = Rays(batch, rig, context, feature_map)
    losses: dict[str, Tensor] = {}
    if any((config.opacity, config.depth, config.concentration, config.color)):
        losses |= _geometry(model, rays, code, batch, config)
    if config.proposal or config.foreground:
        losses |= _proposal(model, rays, batch, context, config)
    if config.flow:
        losses |= _motion(jacobian, rays, code, batch, rig, config)
    return losses


def _geometry(
    model: PixelNerf, rays: Rays, code: Tensor, batch: Batch, config: LossConfig
) -> dict[str, Tensor]:
    depths = _sample_depths(model, rays, batch, config)
    points = rays.at(depths)
    density, rgb = model.query(points, rays.features(points), code)
    weights = sample_weights(density.view_as(depths), depths, rays.directions.norm(dim=-1))
    solid = batch.robot & ~batch.depth.isnan()
    target = batch.depth.nan_to_num()
    spread = (weights * (depths - target[..., None]).abs().clamp(max=0.1)).sum(-1)
    color = (weights[..., None] * rgb.view(*depths.shape, 3)).sum(-2)
    return {
        "opacity": config.opacity * ((weights.sum(-1) - batch.robot.float()) ** 2).mean(),
        "depth": config.depth * mean_where((expected_depth(weights, depths) - target).abs(), solid),
        "concentration": config.concentration * mean_where(spread, solid),
        "color": config.color * mean_where(((color - batch.rgb) ** 2).sum(-1), solid),
    }


def _sample_depths(
    model: PixelNerf, rays: Rays, batch: Batch, config: LossConfig
) -> Float[Tensor, "b r s"]:
    """Sorted depths: jittered bins through the workspace and, on the robot, some about the hull."""
    entry, exit_ = model.workspace.intersect(rays.origins, rays.directions)
    exit_ = torch.maximum(exit_, entry + 1e-3)
    uniform = stratified(entry, exit_, config.uniform_samples, jitter=True)
    more = stratified(entry, exit_, config.guided_samples, jitter=True)
    noise = config.guide_m * torch.randn_like(more)
    center = batch.depth[..., None]
    guided = torch.where(center.isnan(), more, center.nan_to_num() + noise)
    return torch.cat([uniform, guided], dim=-1).sort(-1).values


def _proposal(
    model: PixelNerf, rays: Rays, batch: Batch, context: int, config: LossConfig
) -> dict[str, Tensor]:
    own = batch.camera == context
    read = rays.read(batch.pixels)
    error = (model.depth_proposal(read) - batch.depth.nan_to_num()).abs()
    logit = functional.binary_cross_entropy_with_logits(
        read[..., 1], batch.robot.float(), reduction="none"
    )
    return {
        "proposal": config.proposal * mean_where(error, own & batch.robot & ~batch.depth.isnan()),
        "foreground": config.foreground * mean_where(logit, own),
    }


def _motion(
    jacobian: JacobianField,
    rays: Rays,
    code: Tensor,
    batch: Batch,
    rig: CameraRig,
    config: LossConfig,
) -> dict[str, Tensor]:
    """Measured flow against that of surface points moved by the command, and what goes with it."""
    known = batch.robot & ~batch.depth.isnan() & ~batch.flow.isnan().any(-1)
    measured = batch.flow.nan_to_num()
    jitter = config.surface_jitter_m * torch.randn_like(batch.depth)
    points = rays.at((batch.depth.nan_to_num(nan=0.5) + jitter)[..., None])
    inputs = (points, rays.features(points), jacobian.told(code))
    moved = jacobian.head.move(*inputs, batch.commands)
    predicted = rig.project(batch.camera, moved) - rig.project(batch.camera, points)
    error = (predicted - measured).square().sum(-1)
    scale = config.flow_scale_px
    robust = scale * ((error / scale**2 + 1).sqrt() - 1)
    length = measured.norm(dim=-1)
    typical = (length * known).sum(-1) / known.sum(-1).clamp_min(1)
    weight = config.flow_balance_px / (config.flow_balance_px + typical)
    losses = {
        "flow": config.flow * mean_where(robust * weight[:, None], known),
        "setpoint": config.setpoint
        * functional.smooth_l1_loss(jacobian.setpoint(code), batch.setpoints, beta=0.1),
        "uncertainty": config.uncertainty
        * mean_where(_likelihood(jacobian, inputs, predicted, error), known),
    }
    if isinstance(jacobian.head, TwistHead):
        losses["gauge"] = config.gauge * _gauge(jacobian.head, inputs, known)
    return losses


def _likelihood(
    jacobian: JacobianField,
    inputs: tuple[Tensor, Tensor, Tensor],
    predicted: Float[Tensor, "b r 2"],
    error: Float[Tensor, "b r"],
) -> Float[Tensor, "b r"]:
    """Negative log likelihood of the flow's error, Laplace with a spread relative to the flow.

    The spread is what `njf_control.jacobian.confidence` makes the confidence of.
    """
    points, features, told = inputs
    length = predicted.detach().norm(dim=-1) + FLOW_NOISE_PX
    spread = jacobian.spread(points.detach(), features, told)
    return error.detach().clamp_min(1e-6).sqrt() / (spread * length) + spread.log()


def _gauge(
    head: TwistHead, inputs: tuple[Tensor, Tensor, Tensor], known: Tensor
) -> Float[Tensor, ""]:
    """Factor and twist share a free scale: fix it by a largest factor of one on every image."""
    factors = head.factors(*inputs) * known[..., None]
    return (1 - factors.amax(1)).square().mean()
