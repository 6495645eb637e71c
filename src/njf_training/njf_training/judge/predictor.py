"""A checkpoint, ready to predict: what any calibrated camera would see, and what the servo gets."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from njf_control.jacobian import JacobianField, load_jacobian
from njf_control.servo.model import SurfaceJacobians, surface_jacobians
from njf_perception.camera import Camera, invert, pixel_grid, project, transform
from njf_perception.checkpoint import load_checkpoint
from njf_perception.scene import PixelNerf, PixelNerfScene

OPAQUE = 0.5  # opacity from which the model says that there is something


class PredictedView(NamedTuple):
    """What the model expects one camera to see."""

    flow: Float[np.ndarray, "h w 2"]  # [px of the full image], zero where nothing is seen
    depth: Float[np.ndarray, "h w"]  # [m], NaN where nothing is seen
    opacity: Float[np.ndarray, "h w"]
    rgb: Float[np.ndarray, "h w 3"]  # 0..1, in front of black


@dataclass(frozen=True)
class Predictor:
    """Scene model and Jacobian field of a checkpoint, and its normalisation of commands."""

    model: PixelNerf
    jacobian: JacobianField
    command_center: Float[np.ndarray, " channels"]
    command_half_range: Float[np.ndarray, " channels"]

    @staticmethod
    def load(path: Path) -> "Predictor":
        """Load a checkpoint.

        Raises:
            CheckpointError: see `load_checkpoint`.
        """
        checkpoint = load_checkpoint(path)
        model = checkpoint.scene_model()
        return Predictor(
            model,
            load_jacobian(checkpoint, model),
            checkpoint.command_center,
            checkpoint.command_half_range,
        )

    def normalised(
        self, setpoints: Float[np.ndarray, "t channels"]
    ) -> Float[np.ndarray, "t channels"]:
        """Set-points [channel unit] in the units of this checkpoint."""
        return (setpoints - self.command_center) / self.command_half_range

    def view(
        self,
        scene: PixelNerfScene,
        camera: Camera,
        stride: int,
        command: Float[np.ndarray, " channels"],
    ) -> PredictedView:
        """Every `stride`-th pixel of a camera, see `thinned`, and its motion after a command.

        Where the model sees nothing (opacity below one half) it predicts no motion.
        """
        thin = thinned(camera, stride)
        rendering = scene.render(thin)
        seen = (rendering.opacity > OPAQUE) & np.isfinite(rendering.depth)
        local = thin.rays(pixel_grid(thin.width, thin.height)[seen])
        local = local * rendering.depth[seen][:, None]
        flow = np.zeros((*seen.shape, 2))
        flow[seen] = self.flow(scene, camera, local, command)
        depth = np.where(seen, rendering.depth, np.nan).astype(np.float64)
        opacity, rgb = rendering.opacity.astype(np.float64), rendering.rgb.astype(np.float64)
        return PredictedView(flow, depth, opacity, rgb)

    def surface(self, scene: PixelNerfScene, pixels: Float[np.ndarray, "n 2"]) -> SurfaceJacobians:
        """What the servo gets at pixels of the context image; Jacobians per normalised unit."""
        found = surface_jacobians(scene, self.jacobian, pixels)
        arrays = (found.points_m, found.confidence, found.jacobian_m)
        return SurfaceJacobians(*(array.astype(np.float64) for array in arrays))

    def encode(self, image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> PixelNerfScene:
        """Understand one image of the context camera."""
        return self.model.encode(image, camera)

    def flow(
        self,
        scene: PixelNerfScene,
        camera: Camera,
        points: Float[np.ndarray, "n 3"],
        command: Float[np.ndarray, " channels"],
    ) -> Float[np.ndarray, "n 2"]:
        """Motion in the image of points in the frame of `camera` [m]."""
        T = invert(scene.camera.T_world_camera) @ camera.T_world_camera
        context = torch.from_numpy(transform(T, points)).float()
        moved = self.jacobian.displace(scene, context, torch.from_numpy(command).float())
        local = transform(invert(T), moved.double().numpy())
        return np.nan_to_num(project(local, camera.K) - project(points, camera.K))


def thinned(camera: Camera, stride: int) -> Camera:
    """A camera whose pixel (c, r) is the pixel (stride c + o, stride r + o), o = stride // 2.

    Unlike `Camera.scaled`, its pixel centres are pixel centres of the full image.
    """
    offset = stride // 2
    K = camera.K.copy()
    K[:2] /= stride
    K[:2, 2] = (camera.K[:2, 2] - offset) / stride
    size = (camera.width - offset - 1) // stride + 1, (camera.height - offset - 1) // stride + 1
    return Camera(camera.name, *size, K, camera.T_world_camera)


def thin(array: np.ndarray, stride: int) -> np.ndarray:
    """The pixels of a full image [h, w, ...] that `thinned` looks at."""
    return array[stride // 2 :: stride, stride // 2 :: stride]
