"""A published camera as an ideal pinhole: distortion and reduction of everything it saw."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8, UInt16

from njf_perception.camera import Camera, pixel_grid
from njf_perception.errors import DataError
from njf_training.njf_import.layout import RawCamera
from njf_training.njf_import.poses import metres, pose_matrix, world_camera

MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE")


@dataclass(frozen=True)
class View:
    """Turns what the camera `raw` saw into what the ideal camera `camera` would have seen.

    Attributes:
        raw: the camera as published.
        name: ours.
        reduce: images become smaller by this factor.
    """

    raw: RawCamera
    name: str
    reduce: int = 1

    @staticmethod
    def of(raw: RawCamera, name: str, reduce: int) -> "View":
        """Check that the camera can be handled.

        Raises:
            DataError: it has another model of distortion, or a size that `reduce` does not divide.
        """
        if raw.camera_model.upper() not in MODELS or raw.k4:
            raise DataError(
                f"{name}: camera model {raw.camera_model} with k4 = {raw.k4:g}; expected one of "
                f"{', '.join(MODELS)} with k1, k2, k3, p1, p2. Undistort the images first."
            )
        if raw.w % (2 * reduce) or raw.h % (2 * reduce):
            raise DataError(
                f"{name}: {raw.w} x {raw.h} px cannot be reduced {reduce} times to even sizes. "
                "Choose another factor."
            )
        return View(raw, name, reduce)

    @cached_property
    def camera(self) -> Camera:
        """The ideal camera of the dataset's images."""
        pose = world_camera(pose_matrix(self.raw.transform_matrix))
        full = Camera(self.name, self.raw.w, self.raw.h, self._intrinsics, pose)
        return full.scaled(self.raw.w // self.reduce, self.raw.h // self.reduce)

    @property
    def distorted(self) -> bool:
        """Whether images have to be undistorted."""
        return bool(np.any(self._distortion))

    @cached_property
    def _intrinsics(self) -> Float[np.ndarray, "3 3"]:
        raw = self.raw
        return np.array([[raw.fl_x, 0, raw.cx], [0, raw.fl_y, raw.cy], [0, 0, 1.0]])

    @cached_property
    def _distortion(self) -> Float[np.ndarray, "5"]:
        raw = self.raw
        return np.array([raw.k1, raw.k2, raw.p1, raw.p2, raw.k3])

    @cached_property
    def _source(self) -> Float32[np.ndarray, "h w 2"]:
        """Where each pixel of the undistorted image is in the published one [px]."""
        size = (self.raw.w, self.raw.h)
        u, v = cv2.initUndistortRectifyMap(
            self._intrinsics, self._distortion, np.eye(3), self._intrinsics, size, cv2.CV_32FC1
        )
        return np.stack([u, v], axis=-1)

    def image(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        """An RGB image, undistorted and reduced."""
        straight = self._remap(image, cv2.INTER_LINEAR) if self.distorted else image
        if self.reduce == 1:
            return straight
        size = (self.camera.width, self.camera.height)
        return np.asarray(cv2.resize(straight, size, interpolation=cv2.INTER_AREA), np.uint8)

    def mask(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h2 w2"]:
        """A mask, by majority where pixels are joined."""
        values = mask.astype(np.uint8)
        straight = self._remap(values, cv2.INTER_NEAREST) if self.distorted else values
        r = self.reduce
        blocks = straight.reshape(self.camera.height, r, self.camera.width, r)
        return 2 * blocks.sum((1, 3)) > r * r

    def depth(self, depth: UInt16[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
        """Depth [m] at half the size of the reduced image, from millimetres; NaN unknown."""
        straight = self._remap(depth, cv2.INTER_NEAREST) if self.distorted else depth
        return metres(straight, 2 * self.reduce)

    def points(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Image points (u, v) [px], never rounded."""
        flat = np.ascontiguousarray(points.reshape(-1, 1, 2), dtype=np.float64)
        if self.distorted and len(flat):
            flat = cv2.undistortPoints(flat, self._intrinsics, self._distortion, P=self._intrinsics)
        return (flat.reshape(points.shape) + 0.5) / self.reduce - 0.5

    def flow(self, flow: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h2 w2 2"]:
        """Optical flow [px of the reduced image]; NaN unknown.

        In a distorted image a pixel's flow ends at a pixel that is shifted otherwise than the one
        it began at, so both ends are undistorted.
        """
        if self.distorted:
            ends = self._source + self._remap(flow, cv2.INTER_LINEAR, np.nan)
            known = np.isfinite(ends).all(-1)
            straight = np.full_like(flow, np.nan)
            begins = pixel_grid(self.raw.w, self.raw.h)[known]
            full = View(self.raw, self.name)
            straight[known] = full.points(ends[known].astype(np.float64)) - begins
            flow = straight
        r = self.reduce
        if r == 1:
            return flow
        blocks = flow.reshape(self.camera.height, r, self.camera.width, r, 2)
        valid = np.isfinite(blocks).all(-1, keepdims=True)
        count = valid.sum((1, 3))
        total = np.where(valid, blocks, 0).sum((1, 3))
        mean = np.where(2 * count >= r * r, total / np.maximum(count, 1), np.nan)
        return (mean / r).astype(np.float32)

    def _remap(self, values: np.ndarray, interpolation: int, border: float = 0.0) -> np.ndarray:
        u, v = self._source[..., 0], self._source[..., 1]
        return cv2.remap(
            values, u, v, interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=[border] * 4
        )
