"""Image encoder: a small convolutional pyramid that runs at camera rate on one CPU core."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from njf_perception.config import Config


class EncoderConfig(Config):
    """Size of the encoder."""

    input_width: int = Field(
        default=96, ge=16, description="image is resized to this width, even [px]"
    )
    input_height: int = Field(
        default=72, ge=16, description="image is resized to this height, even [px]"
    )
    width: int = Field(default=16, ge=4, multiple_of=4, description="channels of the first level")
    features: int = Field(default=24, ge=4, description="channels of the feature map")
    code: int = Field(default=64, ge=8, description="length of the global code")


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.GroupNorm(4, outputs),
        nn.ReLU(inplace=True),
    )


class ConvPyramid(nn.Module):
    """U-Net at half the input resolution, with a global code from its bottleneck."""

    def __init__(self, config: EncoderConfig, outputs: int) -> None:
        super().__init__()
        c, code = config.width, config.code
        self.stem = _block(5 * 4, c)
        self.down1 = nn.Sequential(_block(c, 2 * c, 2), _block(2 * c, 2 * c))
        self.down2 = nn.Sequential(_block(2 * c, 3 * c, 2), _block(3 * c, 3 * c))
        self.down3 = _block(3 * c, 4 * c, 2)
        # Normalised and without dead units: a collapsed code would make one twist of all images.
        self.to_code = nn.Sequential(
            nn.Linear(4 * c * 16, 2 * code),
            nn.LayerNorm(2 * code),
            nn.SiLU(),
            nn.Linear(2 * code, code),
            nn.LayerNorm(code),
        )
        self.from_code = nn.Linear(code, 3 * c)
        self.up1 = _block(5 * c, 2 * c)
        self.up0 = _block(3 * c, 2 * c)
        self.head = nn.Conv2d(2 * c, outputs, 1)

    def forward(
        self, image: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b outputs h/2 w/2"], Float[Tensor, "b code"]]:
        """Encode RGB images in 0..1 of the configured input size."""
        x = torch.cat([image - 0.45, _coordinates(image)], dim=1)
        full = self.stem(functional.pixel_unshuffle(x, 2))
        half = self.down1(full)
        quarter = self.down2(half)
        bottom = self.down3(quarter)
        code = self.to_code(functional.adaptive_avg_pool2d(bottom, 4).flatten(1))
        quarter = quarter + self.from_code(code)[:, :, None, None]
        x = self.up1(torch.cat([_resize(quarter, half), half], dim=1))
        x = self.up0(torch.cat([_resize(x, full), full], dim=1))
        return self.head(x), code


def _coordinates(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2 h w"]:
    """Pixel position in -1..1: the camera does not move, so where a thing is seen says much."""
    b, _, h, w = image.shape
    y = torch.linspace(-1, 1, h, device=image.device).view(1, 1, h, 1).expand(b, 1, h, w)
    x = torch.linspace(-1, 1, w, device=image.device).view(1, 1, 1, w).expand(b, 1, h, w)
    return torch.cat([x, y], dim=1)


def _resize(x: Float[Tensor, "b c h w"], like: Float[Tensor, "b d k l"]) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="nearest")


def prepare_image(
    image: UInt8[np.ndarray, "h w 3"], config: EncoderConfig
) -> Float[Tensor, "3 k l"]:
    """Resize an RGB camera image to the encoder's input size, scaled to 0..1."""
    size = (config.input_width, config.input_height)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).permute(2, 0, 1).float() / 255
