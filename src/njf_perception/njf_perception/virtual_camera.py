"""A turned camera, looked through as if it still stood as it did in training.

Images of cameras in one place differ by a homography whatever the depth: x_trained ~ K R K^-1 x. So
the model gets the image that the camera would have taken unturned, and is asked at the pixels
where the points would have been. What it answers is in the frame of training; R' brings it back.
"""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from njf_perception.camera import Camera, project
from njf_perception.registration import (
    UNMOVED_RAD,
    ReferenceView,
    Registration,
    Verdict,
    rotation_angle_rad,
)
from njf_perception.scene import PixelNerf, PixelNerfScene

COMPARE_PERIOD_S = 2.0
_NS_PER_S = 1_000_000_000


class CameraWatch:
    """Compares images with the reference view now and then, and holds what they say.

    Attributes:
        R_trained_camera: how the camera is turned, the identity when it is not.
        last: the newest comparison; None before the first one.
    """

    def __init__(self, reference: ReferenceView, period_s: float) -> None:
        """`period_s`: smallest time between images that are compared, 0 for every image."""
        self.reference, self._period_ns = reference, round(period_s * _NS_PER_S)
        self.R_trained_camera = np.eye(3)
        self.last: Registration | None = None
        self._newest_ns = 0

    def due(self, stamp_ns: int) -> bool:
        """Whether an image is to be compared; time that runs backwards is another recording."""
        age_ns = stamp_ns - self._newest_ns
        return self.last is None or not 0 <= age_ns < self._period_ns

    def compare(
        self, image: UInt8[np.ndarray, "h w 3"], camera: Camera, stamp_ns: int
    ) -> Registration:
        """Compare an image. A scene that is not recognised leaves what was known before."""
        self._newest_ns = stamp_ns
        self.last = found = self.reference.register(image, camera)
        if found.verdict is not Verdict.UNKNOWN:
            change = found.R_trained_camera @ self.R_trained_camera.T
            if rotation_angle_rad(change) > UNMOVED_RAD:
                self.R_trained_camera = found.R_trained_camera
        return found


def encode_turned(
    watch: CameraWatch, model: PixelNerf, image: UInt8[np.ndarray, "h w 3"], camera: Camera
) -> PixelNerfScene:
    """Understand an image of a camera that may be turned; the encoding says by which rotation.

    The scene is the trained camera's, with the intrinsics of `camera`.
    """
    R = watch.R_trained_camera
    if np.array_equal(R, np.eye(3)):
        return model.encode(image, camera)
    seen = turned_image(image, camera, R, watch.reference.image)
    scene = model.encode(seen, camera.scaled(seen.shape[1], seen.shape[0]))
    return replace(scene, encoding=scene.encoding._replace(R_trained_camera=R), camera=camera)


def turned_image(
    image: UInt8[np.ndarray, "h w 3"],
    camera: Camera,
    R_trained_camera: Float[np.ndarray, "3 3"],
    beyond: UInt8[np.ndarray, "k l 3"],
) -> UInt8[np.ndarray, "k l 3"]:
    """What `camera` would see unturned, at the size of `beyond`, which is seen where it did not."""
    height, width = beyond.shape[:2]
    K = camera.scaled(width, height).K
    reduced = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    H = K @ R_trained_camera @ np.linalg.inv(K)
    seen = cv2.warpPerspective(
        reduced,
        H,
        (width, height),
        dst=beyond.copy(),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return np.asarray(seen, np.uint8)


def turned_surface(
    scene: PixelNerfScene,
    pixels: Float[np.ndarray, "n 2"],
    measured_m: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """`surface` at pixels of the image that was taken, with depths measured by its camera [m].

    Points are in the frame of training, in which the field is asked about them; times
    `R_trained_camera` from the right they are in the camera's.
    """
    rays = scene.camera.rays(pixels) @ scene.encoding.R_trained_camera.T
    trained_px = torch.from_numpy(project(rays, scene.camera.K).astype(np.float32))
    if measured_m is None:
        return scene.surface(trained_px)
    depth_m = torch.from_numpy((measured_m * rays[:, 2]).astype(np.float32))
    return scene.surface(trained_px, depth_m)
