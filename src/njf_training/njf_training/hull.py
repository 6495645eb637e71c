"""Visual hull: where the silhouettes of all calibrated cameras say the robot can be.

Geometry is learnt from images alone. The hull of the training silhouettes gives each pixel a depth
that is slightly in front of the true surface, good enough to guide samples and to supervise the
field.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from njf_perception.camera import Camera, invert
from njf_perception.workspace import Workspace


@dataclass(frozen=True)
class CameraRig:
    """Cameras as tensors, relative to the context camera.

    Attributes:
        rotation, translation: context frame -> camera frame, one per camera.
        K: intrinsic matrices [px].
        size: image width and height, the same for all cameras [px].
    """

    rotation: Float[Tensor, "c 3 3"]
    translation: Float[Tensor, "c 3"]
    K: Float[Tensor, "c 3 3"]
    size: tuple[int, int]

    @staticmethod
    def of(cameras: list[Camera], context: Camera) -> "CameraRig":
        """Rig of `cameras`, seen from `context`."""
        T = [invert(camera.T_world_camera) @ context.T_world_camera for camera in cameras]
        stacked = torch.from_numpy(np.stack(T)).float()
        K = torch.from_numpy(np.stack([camera.K for camera in cameras])).float()
        size = (cameras[0].width, cameras[0].height)
        return CameraRig(stacked[:, :3, :3], stacked[:, :3, 3], K, size)

    def rays(
        self, camera: Int[Tensor, "*n"], pixels: Float[Tensor, "*n 2"]
    ) -> tuple[Float[Tensor, "*n 3"], Float[Tensor, "*n 3"]]:
        """Origins [m] and unit-depth directions, context frame, of pixels of given cameras."""
        K, R, t = self.K[camera], self.rotation[camera], self.translation[camera]
        focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)
        plane = (pixels - K[..., :2, 2]) / focal
        directions = torch.cat([plane, torch.ones_like(plane[..., :1])], dim=-1)
        inverse = R.transpose(-1, -2)
        rotated = (inverse @ directions[..., None])[..., 0]
        return -(inverse @ t[..., None])[..., 0], rotated

    def project(
        self, camera: Int[Tensor, "*n"], points: Float[Tensor, "*n 3"]
    ) -> Float[Tensor, "*n 2"]:
        """Pixels of context-frame points [m] in given cameras."""
        local = (self.rotation[camera] @ points[..., None])[..., 0] + self.translation[camera]
        return _pinhole(local, self.K[camera])

    def project_all(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "c n 2"]:
        """Pixels of context-frame points [m] in every camera."""
        local = points @ self.rotation.transpose(-1, -2) + self.translation[:, None]
        return _pinhole(local, self.K[:, None])


def _pinhole(local: Float[Tensor, "*n 3"], K: Float[Tensor, "*m 3 3"]) -> Float[Tensor, "*n 2"]:
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)
    return local[..., :2] / local[..., 2:3].clamp_min(0.01) * focal + K[..., :2, 2]


class Silhouettes:
    """Packed robot masks of many states, looked up by pixel."""

    def __init__(self, packed: UInt8[np.ndarray, "t c bytes"], size: tuple[int, int]) -> None:
        self.packed = torch.tensor(packed)
        self.width, self.height = size

    def inside(self, state: int, pixels: Float[Tensor, "c n 2"]) -> Tensor:
        """Per point: in the mask of every camera that can see it, and these are enough to say so.

        Close in front of one camera there is room that hardly any other camera sees; without the
        second condition the hull would fill it. Shape (n,), bool.
        """
        column, row = pixels[..., 0].round().long(), pixels[..., 1].round().long()
        seen = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        index = (row * self.width + column).clamp(0, self.width * self.height - 1)
        byte = self.packed[state].gather(1, index >> 3)
        bit = (byte >> (7 - (index & 7)).to(torch.uint8)) & 1
        enough = max(1, len(pixels) // 2)
        return ((bit == 1) | ~seen).all(0) & (seen.sum(0) >= enough)


def hull_depth(
    silhouettes: Silhouettes,
    state: int,
    rig: CameraRig,
    workspace: Workspace,
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    coarse: int = 40,
    fine: int = 8,
) -> Float[Tensor, " n"]:
    """Depth [m] at which rays enter the hull of one state; NaN where they never do."""
    entry, exit_ = workspace.intersect(origins, directions)
    step = ((exit_ - entry) / coarse).clamp_min(0)
    first = _first_inside(
        silhouettes, state, rig, origins, directions, entry + step / 2, step, coarse
    )
    refined = _first_inside(
        silhouettes, state, rig, origins, directions, first - step, step / fine, fine + 1
    )
    depth = torch.where(refined.isnan(), first, refined)
    return torch.where(exit_ > entry, depth, torch.nan)


def _first_inside(
    silhouettes: Silhouettes,
    state: int,
    rig: CameraRig,
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    start: Float[Tensor, " n"],
    step: Float[Tensor, " n"],
    count: int,
) -> Float[Tensor, " n"]:
    """First of `count` equally spaced depths that lies inside the hull; NaN if none does."""
    depths = start[:, None] + step[:, None] * torch.arange(count)
    points = origins[:, None] + directions[:, None] * depths.nan_to_num()[..., None]
    inside = silhouettes.inside(state, rig.project_all(points.flatten(0, 1))).view(depths.shape)
    first = inside.to(torch.uint8).argmax(1, keepdim=True)
    depth = depths.gather(1, first)[:, 0]
    return torch.where(inside.any(1), depth, torch.nan)
