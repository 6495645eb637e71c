"""Random changes of the context image: other light, other backgrounds, things in the way.

The robot of a lab moves in front of one background under one light; a model that has seen nothing
else takes both for part of the robot. Only what the encoder sees changes: silhouettes, colours and
flow stay those of the recording, so the model learns to look through the change.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from pydantic import Field
from torch import Tensor

from njf_perception.config import Config

_COARSEST, _FINEST = 2, 24  # cells of random textures across the image


class AugmentConfig(Config):
    """How often and how much context images are changed."""

    gain: float = Field(default=0.1, ge=0, description="random gain of all colours, relative")
    tint: float = Field(default=0.05, ge=0, description="random gain per colour, relative")
    noise: float = Field(default=0.02, ge=0, description="largest pixel noise, of 0..1")
    background: float = Field(
        default=0.3, ge=0, le=1, description="share of images with another background"
    )
    occluder: float = Field(
        default=0.3, ge=0, le=1, description="share of images with something in front of the robot"
    )
    occluder_size: float = Field(
        default=0.45, gt=0, le=1, description="largest side of an occluder, of the robot's extent"
    )


def augment(
    image: Float[Tensor, "3 h w"],
    robot: Bool[np.ndarray, "h w"],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> Float[Tensor, "3 h w"]:
    """The image (0..1) of a robot that fills `robot`, changed at random."""
    picture = image.permute(1, 2, 0).numpy()
    if rng.random() < config.background:
        picture = _other_background(picture, robot, rng)
    if rng.random() < config.occluder and robot.any():
        picture = _occluded(picture, robot, config.occluder_size, rng)
    gain = 1 + config.gain * rng.standard_normal() + config.tint * rng.standard_normal(3)
    noise = rng.uniform(0, config.noise) * rng.standard_normal(picture.shape)
    changed = (picture * gain + noise).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(changed.transpose(2, 0, 1)))


def texture(height: int, width: int, rng: np.random.Generator) -> Float32[np.ndarray, "h w 3"]:
    """A random smooth picture in 0..1: blurred noise of random scale around a random colour."""
    cells = int(rng.integers(_COARSEST, _FINEST))
    coarse = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
    mode = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
    pattern = cv2.resize(coarse, (width, height), interpolation=mode)
    if rng.random() < 0.5:
        pattern = np.repeat(pattern.mean(-1, keepdims=True), 3, axis=-1)
    picture = rng.uniform(0.1, 0.9, 3) + rng.uniform(0, 0.5) * pattern
    return picture.clip(0, 1).astype(np.float32)


def _other_background(
    picture: Float32[np.ndarray, "h w 3"], robot: Bool[np.ndarray, "h w"], rng: np.random.Generator
) -> Float32[np.ndarray, "h w 3"]:
    # Soft edge: a mask that is one pixel too tight would tell the robot from its surroundings.
    mask = cv2.GaussianBlur(robot.astype(np.float32), (3, 3), 0.6)[..., None]
    share = rng.uniform(0.5, 1)  # often the old background shines through
    behind = share * texture(robot.shape[0], robot.shape[1], rng) + (1 - share) * picture
    return mask * picture + (1 - mask) * behind


def _occluded(
    picture: Float32[np.ndarray, "h w 3"],
    robot: Bool[np.ndarray, "h w"],
    size: float,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "h w 3"]:
    """Paste a textured box or ellipse whose centre is on the robot."""
    rows, columns = np.nonzero(robot)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    half = np.maximum(1, rng.uniform(0.1, size, 2) * extent / 2)
    at = rng.integers(len(rows))
    y, x = np.mgrid[: robot.shape[0], : robot.shape[1]]
    dy, dx = np.abs(y - rows[at]) / half[0], np.abs(x - columns[at]) / half[1]
    inside = np.maximum(dx, dy) <= 1 if rng.random() < 0.5 else dx**2 + dy**2 <= 1
    return np.where(inside[..., None], texture(robot.shape[0], robot.shape[1], rng), picture)
