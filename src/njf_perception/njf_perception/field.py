"""Pixel-aligned radiance field: density and colour of a 3D point, given one encoded image.

The method follows PixelNeRF (Yu et al., CVPR 2021): a point is projected into the context image,
the feature map is read there, and an MLP maps feature, position and global code to density and
colour.
"""

import math

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from njf_perception.config import Config


class FieldConfig(Config):
    """Size of the MLP of a field."""

    hidden: int = Field(default=96, ge=8, description="units per layer")
    layers: int = Field(default=4, ge=1, description="hidden layers")
    frequencies: int = Field(default=6, ge=0, description="octaves of the positional code")


def positional_code(points: Float[Tensor, "*n 3"], frequencies: int) -> Float[Tensor, "*n d"]:
    """Box coordinates with sines and cosines of `frequencies` octaves, d = 3 + 6 frequencies."""
    octaves = 2.0 ** torch.arange(frequencies, device=points.device) * math.pi / 2
    phase = (points[..., None] * octaves).flatten(-2)
    return torch.cat([points, phase.sin(), phase.cos()], dim=-1)


def project_points(
    points: Float[Tensor, "b n 3"], K: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b n 2"]:
    """Pinhole projection to pixels (u, v); points behind the camera count as 1 mm in front."""
    z = points[..., 2:3].clamp_min(1e-3)
    focal = torch.stack([K[:, 0, 0], K[:, 1, 1]], dim=-1)[:, None]
    return points[..., :2] / z * focal + K[:, None, :2, 2]


def sample_map(
    feature_map: Float[Tensor, "b c h w"],
    pixels: Float[Tensor, "b n 2"],
    image_size: tuple[int, int],
) -> Float[Tensor, "b n c"]:
    """Read a map bilinearly at pixels of an image of `image_size` (width, height); edges repeat."""
    size = pixels.new_tensor(image_size)
    grid = (pixels + 0.5) / size * 2 - 1
    read = functional.grid_sample(
        feature_map, grid[:, :, None], padding_mode="border", align_corners=False
    )
    return read[..., 0].transpose(1, 2)


class PointMlp(nn.Module):
    """MLP on positional code, pixel-aligned feature and global code."""

    def __init__(self, config: FieldConfig, features: int, code: int, outputs: int) -> None:
        super().__init__()
        self.frequencies = config.frequencies
        inputs = 3 + 6 * config.frequencies + features
        self.first = nn.Linear(inputs, config.hidden)
        self.condition = nn.Linear(code, config.hidden)
        self.hidden = nn.ModuleList(
            nn.Linear(config.hidden, config.hidden) for _ in range(config.layers - 1)
        )
        self.last = nn.Linear(config.hidden, outputs)

    def forward(
        self,
        box_points: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n c"],
        code: Float[Tensor, "b g"],
    ) -> Float[Tensor, "b n outputs"]:
        """Evaluate at points in box coordinates with their pixel-aligned features."""
        position = positional_code(box_points, self.frequencies)
        x = self.first(torch.cat([position, features], dim=-1)) + self.condition(code)[:, None]
        x = functional.relu(x)
        for layer in self.hidden:
            x = functional.relu(layer(x))
        return self.last(x)


class RadianceField(nn.Module):
    """Density [1/m] and colour of points."""

    DENSITY_SCALE = 200.0  # [1/m]: one millimetre of "1" is 18 % opaque, so thin parts can be solid

    def __init__(self, config: FieldConfig, features: int, code: int) -> None:
        super().__init__()
        self.mlp = PointMlp(config, features, code, 4)
        with torch.no_grad():
            self.mlp.last.bias[0] = -2.0  # start almost empty, so early renders are not a fog

    def forward(
        self,
        box_points: Float[Tensor, "b n 3"],
        features: Float[Tensor, "b n c"],
        code: Float[Tensor, "b g"],
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 3"]]:
        """Density [1/m], zero outside the box, and RGB in 0..1."""
        raw = self.mlp(box_points, features, code)
        inside = (box_points.abs() <= 1 + 1e-3).all(-1)
        density = self.DENSITY_SCALE * functional.softplus(raw[..., 0]) * inside
        return density, torch.sigmoid(raw[..., 1:])
