"""Camera calibration in the ROS format (camera_info YAML), and images without lens distortion."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16
from pydantic import Field, model_validator

from njf_perception.config import Config, load_config
from njf_perception.errors import DataError

_COUNTS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}


def check_distortion(model: str, coefficients: int) -> None:
    """Refuse a distortion that OpenCV does not compute, or would compute as another model.

    Args:
        model: as in camera_info.
        coefficients: how many; none are a plumb_bob without distortion.

    Raises:
        ValueError: an unknown model, or a count that it does not have.
    """
    if model not in _COUNTS:
        raise ValueError(f"distortion_model {model!r}, expected one of {', '.join(_COUNTS)}")
    if coefficients not in _COUNTS[model]:
        expected = " or ".join(str(count) for count in _COUNTS[model])
        raise ValueError(f"{coefficients} distortion coefficients, expected {expected} for {model}")


class Matrix(Config):
    """A matrix of the file, row by row."""

    rows: int = Field(gt=0)
    cols: int = Field(gt=0)
    data: list[float]

    @model_validator(mode="after")
    def _complete(self) -> "Matrix":
        if len(self.data) != self.rows * self.cols:
            raise ValueError(f"{len(self.data)} values for {self.rows} x {self.cols}")
        return self

    def array(self) -> Float[np.ndarray, "rows cols"]:
        """The matrix."""
        return np.array(self.data, np.float64).reshape(self.rows, self.cols)


class Calibration(Config):
    """What camera_calibration writes; see sensor_msgs/CameraInfo for the meaning of each field."""

    camera_name: str
    image_width: int = Field(gt=0, description="[px]")
    image_height: int = Field(gt=0, description="[px]")
    camera_matrix: Matrix
    distortion_model: Literal["plumb_bob", "rational_polynomial", "equidistant"]
    distortion_coefficients: Matrix
    rectification_matrix: Matrix | None = None
    projection_matrix: Matrix | None = None

    @model_validator(mode="after")
    def _usable(self) -> "Calibration":
        matrix = self.camera_matrix
        if (matrix.rows, matrix.cols) != (3, 3):
            raise ValueError(f"camera_matrix is {matrix.rows} x {matrix.cols}, expected 3 x 3")
        if not (matrix.data[0] > 0 and matrix.data[4] > 0):
            raise ValueError(f"focal lengths {matrix.data[0]}, {matrix.data[4]} must be above 0")
        check_distortion(self.distortion_model, self.distortion.size)
        return self

    @property
    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics [px]."""
        return self.camera_matrix.array()

    @property
    def distortion(self) -> Float[np.ndarray, " d"]:
        """Coefficients of the distortion model."""
        return self.distortion_coefficients.array().ravel()


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration file.

    Raises:
        ConfigError: missing, or not a calibration.
    """
    return load_config(path, Calibration)


def require_size(image: UInt8[np.ndarray, "h w 3"], width: int, height: int) -> None:
    """Refuse an image of another size than the calibrated `width` x `height` [px].

    Raises:
        DataError: says both sizes.
    """
    if image.shape[:2] != (height, width):
        raise DataError(
            f"Image of {image.shape[1]} x {image.shape[0]} px, calibrated were {width} x {height}. "
            "Calibrate at the size in use."
        )


class Undistorter:
    """Maps images of a lens to those of a pinhole camera with the same intrinsics."""

    def __init__(self, calibration: Calibration) -> None:
        size = (calibration.image_width, calibration.image_height)
        K, distortion = calibration.intrinsics, calibration.distortion
        make_maps = (
            cv2.fisheye.initUndistortRectifyMap
            if calibration.distortion_model == "equidistant"
            else cv2.initUndistortRectifyMap
        )
        self._size = size
        self._maps = make_maps(K, distortion, np.eye(3), K, size, cv2.CV_16SC2)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """Undistort; black where the lens saw nothing.

        Raises:
            DataError: the image is not of the calibrated size.
        """
        require_size(image, *self._size)
        return cv2.remap(image, *self._maps, cv2.INTER_LINEAR)

    def depth(self, depth_mm: UInt16[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
        """Undistort depth [mm] of the image's size; 0 where the lens saw nothing."""
        return np.asarray(cv2.remap(depth_mm, *self._maps, cv2.INTER_NEAREST))
