"""Scene: what one image says about geometry. The interface between perception and control."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn

from njf_perception.camera import Camera, invert, pixel_grid
from njf_perception.config import Config
from njf_perception.encoder import ConvPyramid, EncoderConfig, prepare_image
from njf_perception.field import FieldConfig, RadianceField, project_points, sample_map
from njf_perception.renderer import expected_depth, importance, sample_weights, stratified
from njf_perception.workspace import Box, Workspace

MEASURED_WITHIN_M = 0.03  # a measured depth further from the model's own is of something else


class Rendering(NamedTuple):
    """A rendered view: colour 0..1, black where empty; depth [m], NaN where empty; opacity 0..1."""

    rgb: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    opacity: Float[np.ndarray, "h w"]


class Encoding(NamedTuple):
    """What the encoder made of one image; all that control needs of it.

    `R_trained_camera` maps directions in the camera's frame to the frame it had in training, in
    which the encoder was shown the image. The identity where nothing was turned.
    """

    feature_map: Float[Tensor, "c h w"]
    global_code: Float[Tensor, " g"]
    R_trained_camera: Float[np.ndarray, "3 3"] = np.eye(3)


@runtime_checkable
class Scene(Protocol):
    """One image, understood. Points are in the context camera's frame [m]."""

    def surface(
        self, pixels: Float[Tensor, "n 2"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Surface points seen at pixels (u, v) of the context image, with confidence 0..1."""
        ...

    def render(self, camera: Camera) -> Rendering:
        """The scene as `camera` would see it."""
        ...


class PixelNerfConfig(Config):
    """Size of the PixelNeRF model."""

    encoder: EncoderConfig = EncoderConfig()
    field: FieldConfig = FieldConfig()
    surface_samples: int = Field(default=8, ge=2, description="samples around the proposed depth")
    surface_window_m: float = Field(default=0.02, gt=0, description="half width of that window [m]")
    coarse_samples: int = Field(
        default=32, ge=2, description="uniform samples per ray of a full render"
    )
    fine_samples: int = Field(
        default=16, ge=2, description="importance samples per ray of a full render"
    )


class PixelNerf(nn.Module):
    """Encoder and radiance field around one context camera."""

    PROPOSALS = 2  # first channels of the feature map: proposed depth and foreground logit

    def __init__(self, config: PixelNerfConfig, box: Box) -> None:
        super().__init__()
        self.config = config
        self.workspace = Workspace(box)
        features = config.encoder.features
        self.encoder = ConvPyramid(config.encoder, self.PROPOSALS + features)
        self.field = RadianceField(config.field, features, config.encoder.code)

    @torch.no_grad()
    def encode(self, image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> "PixelNerfScene":
        """Understand one RGB image of the context camera.

        Raises:
            ValueError: the image is not of the camera's size.
        """
        if image.shape[:2] != (camera.height, camera.width):
            raise ValueError(
                f"image is {image.shape[1]}x{image.shape[0]}, camera '{camera.name}' is "
                f"{camera.width}x{camera.height}; send images of the calibrated size"
            )
        feature_map, code = self.encoder(prepare_image(image, self.config.encoder)[None])
        return PixelNerfScene(self, Encoding(feature_map[0], code[0]), camera)

    def depth_proposal(self, read: Float[Tensor, "*n c"]) -> Float[Tensor, "*n"]:
        """Depth [m] from features read off the map: box centre plus a learned offset."""
        reach = self.workspace.half_size.norm()
        return self.workspace.center[2] + reach * read[..., 0]

    def query(
        self,
        points: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n c"],
        code: Float[Tensor, "b g"],
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 3"]]:
        """Density [1/m] and colour at camera-frame points [m] with their pixel-aligned features."""
        return self.field(self.workspace.normalize(points), features, code)


@dataclass(frozen=True)
class PixelNerfScene:
    """`Scene` of a `PixelNerf` model."""

    model: PixelNerf
    encoding: Encoding
    camera: Camera

    def features(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Pixel-aligned features of camera-frame points."""
        return self._read(self._project(points))[:, PixelNerf.PROPOSALS :]

    @torch.no_grad()
    def surface(
        self, pixels: Float[Tensor, "n 2"], measured_m: Float[Tensor, " n"] | None = None
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """See `Scene`. Samples only around the encoder's depth proposal, not along the whole ray.

        `surface_reference` marches the whole ray instead and is what this is tested against.
        `measured_m` is what a depth camera says at the pixels, NaN where it says nothing; it is
        taken where it is not far off the model's own depth, as beside an edge it would be.
        """
        rays, read = self._rays(pixels), self._read(pixels)
        proposal = self.model.depth_proposal(read)
        window = self.model.config.surface_window_m
        count = self.model.config.surface_samples
        depths = stratified(proposal - window, proposal + window, count, jitter=False)
        weights, _ = self._march(torch.zeros_like(rays), rays, depths)
        opacity = weights.sum(-1)
        # Where the field is empty around the proposal there is nothing to refine it with.
        depth = torch.lerp(proposal, expected_depth(weights, depths), opacity)
        if measured_m is not None:
            near = (measured_m - depth).abs() < MEASURED_WITHIN_M
            depth = torch.where(near, measured_m, depth)
        return rays * depth[:, None], torch.sigmoid(read[:, 1]) * opacity

    @torch.no_grad()
    def surface_reference(
        self, pixels: Float[Tensor, "n 2"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Surface by marching rays through the whole workspace. Slow; the oracle of `surface`."""
        return self.surface_from(self.camera, pixels)

    @torch.no_grad()
    def surface_from(
        self, camera: Camera, pixels: Float[Tensor, "n 2"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Surface points [m, context frame] that any calibrated camera sees, and their opacity."""
        origin, directions = self._rays_of(camera, pixels)
        origins = origin.expand_as(directions)
        depth, opacity, _ = self._render_rays(origins, directions)
        return origins + directions * depth[:, None], opacity

    @torch.no_grad()
    def render(self, camera: Camera) -> Rendering:
        """See `Scene`. The camera's pose is taken relative to this scene's camera."""
        pixels = torch.from_numpy(pixel_grid(camera.width, camera.height)).float().reshape(-1, 2)
        origin, directions = self._rays_of(camera, pixels)
        chunks = [self._render_rays(origin.expand_as(d), d) for d in directions.split(4096)]
        depth, opacity, rgb = (torch.cat(parts) for parts in zip(*chunks, strict=True))
        depth = torch.where(opacity > 0.5, depth, torch.nan)
        h, w = camera.height, camera.width
        return Rendering(
            rgb.view(h, w, 3).numpy(), depth.view(h, w).numpy(), opacity.view(h, w).numpy()
        )

    def _render_rays(
        self, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Depth, opacity and colour of rays; zero opacity where a ray misses the workspace."""
        entry, exit_ = self.model.workspace.intersect(origins, directions)
        hit = exit_ > entry
        depth, opacity, rgb = entry.clone(), torch.zeros_like(entry), torch.zeros_like(origins)
        if hit.any():
            depth[hit], opacity[hit], rgb[hit] = self._render_inside(
                origins[hit], directions[hit], entry[hit], exit_[hit]
            )
        return depth, opacity, rgb

    def _render_inside(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        entry: Float[Tensor, " n"],
        exit_: Float[Tensor, " n"],
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Rays through the workspace: a uniform pass, then one where the weights are."""
        config = self.model.config
        coarse = stratified(entry, exit_, config.coarse_samples, jitter=False)
        weights, _ = self._march(origins, directions, coarse)
        fine = importance(coarse, weights, config.fine_samples)
        depths = torch.cat([coarse, fine], dim=-1).sort(-1).values
        weights, rgb = self._march(origins, directions, depths)
        return expected_depth(weights, depths), weights.sum(-1), (weights[..., None] * rgb).sum(-2)

    def _march(
        self,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        depths: Float[Tensor, "n s"],
    ) -> tuple[Float[Tensor, "n s"], Float[Tensor, "n s 3"]]:
        """Rendering weights and colours of the samples of rays."""
        points = origins[:, None] + directions[:, None] * depths[..., None]
        flat = points.flatten(0, 1)
        features = self.features(flat)
        density, rgb = self.model.query(flat[None], features[None], self.encoding.global_code[None])
        weights = sample_weights(density.view_as(depths), depths, directions.norm(dim=-1))
        return weights, rgb.view(*depths.shape, 3)

    def _rays_of(
        self, camera: Camera, pixels: Float[Tensor, "n 2"]
    ) -> tuple[Float[Tensor, "3"], Float[Tensor, "n 3"]]:
        """Origin and unit-depth directions of another camera's rays, in the context frame."""
        T = torch.tensor(invert(self.camera.T_world_camera) @ camera.T_world_camera).float()
        local = torch.from_numpy(camera.rays(pixels.double().numpy())).float()
        return T[:3, 3], local @ T[:3, :3].T

    def _rays(self, pixels: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
        return torch.from_numpy(self.camera.rays(pixels.double().numpy())).float()

    def _project(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 2"]:
        K = torch.from_numpy(self.camera.K).float()
        return project_points(points[None], K[None])[0]

    def _read(self, pixels: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        size = (self.camera.width, self.camera.height)
        return sample_map(self.encoding.feature_map[None], pixels[None], size)[0]
