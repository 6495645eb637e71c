"""The box that holds the robot's moving parts, seen from the context camera."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from njf_perception.camera import Camera, invert


@dataclass(frozen=True)
class Box:
    """An oriented box.

    Attributes:
        T_box_camera: context camera frame -> box frame, whose origin is the box centre [m].
        half_size: half the edge lengths [m].
    """

    T_box_camera: Float[np.ndarray, "4 4"]
    half_size: Float[np.ndarray, "3"]

    @staticmethod
    def from_world(
        minimum: Float[np.ndarray, "3"], maximum: Float[np.ndarray, "3"], camera: Camera
    ) -> "Box":
        """The world-aligned box between two corners [m], as `camera` sees it."""
        T_world_box = np.eye(4)
        T_world_box[:3, 3] = (minimum + maximum) / 2
        return Box(invert(T_world_box) @ camera.T_world_camera, (maximum - minimum) / 2)


class Workspace(nn.Module):
    """A `Box` as a part of a model, stored in its checkpoint."""

    rotation: Tensor
    translation: Tensor
    half_size: Tensor

    def __init__(self, box: Box) -> None:
        super().__init__()
        self.register_buffer("rotation", torch.tensor(box.T_box_camera[:3, :3]).float())
        self.register_buffer("translation", torch.tensor(box.T_box_camera[:3, 3]).float())
        self.register_buffer("half_size", torch.tensor(box.half_size).float())

    @property
    def center(self) -> Float[Tensor, "3"]:
        """Box centre in the camera frame [m]."""
        return -self.rotation.T @ self.translation

    def normalize(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Camera-frame points [m] to box coordinates, -1 to 1 inside the box."""
        return (points @ self.rotation.T + self.translation) / self.half_size

    def intersect(
        self, origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"]
    ) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        """Entry and exit of rays as multiples of `directions`; exit <= entry where a ray misses."""
        start = self.normalize(origins)
        step = directions @ self.rotation.T / self.half_size
        step = torch.where(step.abs() < 1e-9, 1e-9, step)
        first, second = (-1 - start) / step, (1 - start) / step
        entry = torch.minimum(first, second).amax(-1).clamp_min(0)
        return entry, torch.maximum(first, second).amin(-1)
