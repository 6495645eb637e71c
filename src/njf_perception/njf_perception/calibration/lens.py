"""What a lens does to points, with derivatives: pinhole with either of OpenCV's distortions."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from njf_perception.cameras.calibration import Calibration, check_distortion
from njf_perception.errors import DataError

_NOWHERE = np.zeros((3, 1))


@dataclass(frozen=True)
class Lens:
    """Intrinsics of one camera.

    Attributes:
        width, height: of the images [px].
        K: intrinsics [px].
        distortion: OpenCV's coefficients; none for a pinhole camera.
        model: as in camera_info; `equidistant` is OpenCV's fisheye model.

    Raises:
        DataError: an unknown model, or a count of coefficients that it does not have.
    """

    width: int
    height: int
    K: Float[np.ndarray, "3 3"]
    distortion: Float[np.ndarray, " d"]
    model: str = "plumb_bob"

    def __post_init__(self) -> None:
        """OpenCV would raise an error of its own in the middle of the work."""
        try:
            check_distortion(self.model, self.distortion.size)
        except ValueError as error:
            raise DataError(f"{error}. Correct the camera_info.") from None

    @staticmethod
    def of(calibration: Calibration) -> "Lens":
        """The lens that a calibration file describes."""
        return Lens(
            calibration.image_width,
            calibration.image_height,
            calibration.intrinsics,
            calibration.distortion,
            calibration.distortion_model,
        )

    def project(
        self, points_m: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 3"]]:
        """Pixels of points in the camera's frame, and their derivatives by the points [px/m]."""
        shaped = np.ascontiguousarray(points_m, np.float64).reshape(-1, 1, 3)
        if self.model == "equidistant":
            pixels, jacobian = cv2.fisheye.projectPoints(
                shaped, _NOWHERE, _NOWHERE, self.K, self.distortion
            )
            by_point = jacobian[:, 11:14]  # f, c, k1..k4, rotation, translation, skew
        else:
            pixels, jacobian = cv2.projectPoints(
                shaped, _NOWHERE, _NOWHERE, self.K, self.distortion
            )
            by_point = jacobian[:, 3:6]  # rotation, translation, f, c, distortion
        return pixels.reshape(-1, 2), by_point.reshape(-1, 2, 3)

    def undistort(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """x/z and y/z of the points that are seen at pixels."""
        shaped = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
        if self.model == "equidistant":
            flat = cv2.fisheye.undistortPoints(shaped, self.K, self.distortion)
        else:
            flat = cv2.undistortPoints(shaped, self.K, self.distortion)
        return flat.reshape(-1, 2)

    def inside(self, pixels: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
        """Which pixels lie in the image."""
        size = np.array([self.width, self.height])
        return np.all((pixels > -0.5) & (pixels < size - 0.5), axis=-1)
