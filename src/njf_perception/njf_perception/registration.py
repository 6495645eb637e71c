"""How a camera has turned since training, from what it sees besides the robot.

Features of the present image are matched with those of a reference view of the empty scene, and
one rotation is fitted that as many matches as possible agree with. The robot, and whatever stands
before the scene, are outliers. A rotation moves pixels independently of depth, so no geometry is
needed; a small push looks nearly like one to all that is as far away as the robot, and the rest of
it is parallax. docs/derivations.md has the mathematics.
"""

from dataclasses import dataclass
from enum import Enum, auto

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from njf_perception.camera import Camera

UNMOVED_RAD = np.deg2rad(0.2)  # half a pixel of the encoder's input; nothing is gained below
LARGEST_RAD = np.deg2rad(15.0)  # a camera turned further looks at something else
_CONTRAST = 0.01  # smallest of a SIFT feature: walls and tables have little
_FEATURES = 1000
_INLIER_PX = 3.0  # of the reference view; parallax of a push of 2 cm stays within for the most part
_HYPOTHESES = 400
_REFINEMENTS = 5
_ENOUGH = 20  # inliers; chance makes less than five
_CELLS = (4, 3)  # of the image, across and down
_ENOUGH_CELLS = 4  # that inliers must lie in: one moving body may stand as it did before


class Verdict(Enum):
    """What a registration says."""

    UNMOVED = auto()
    TURNED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Registration:
    """One comparison with the reference view.

    Attributes:
        verdict: whether the camera has turned; `UNKNOWN` when too little is recognised.
        R_trained_camera: maps directions in the camera's frame to the frame it had in training.
            The identity unless the verdict is `TURNED`.
        angle_rad: of the rotation that fits best, 0 when nothing does.
        inliers: matches that agree with it, of `matches`.
        residual_px: their median distance from it [px of the reference view]; NaN without any.
    """

    verdict: Verdict
    R_trained_camera: Float[np.ndarray, "3 3"]
    angle_rad: float
    inliers: int
    matches: int
    residual_px: float


@dataclass(frozen=True)
class _Features:
    """Features of one image: pixels, unit directions in the camera frame, descriptors."""

    pixels: Float[np.ndarray, "n 2"]
    directions: Float[np.ndarray, "n 3"]
    descriptors: Float32[np.ndarray, "n d"]


class ReferenceView:
    """What a camera saw of the empty scene in training.

    Attributes:
        image: RGB.
        camera: the camera with images of that size.
    """

    def __init__(self, image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> None:
        """`camera` is the calibration in training, of any image size."""
        self.image, self.camera = image, camera.scaled(image.shape[1], image.shape[0])
        self._features = _features(image, self.camera)

    def register(self, image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> Registration:
        """How `camera`, which took `image`, is turned against this view; always the same answer."""
        height, width = self.image.shape[:2]
        reduced = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        seen = _features(np.asarray(reduced, np.uint8), camera.scaled(width, height))
        first, second = _matches(seen.descriptors, self._features.descriptors)
        now, trained = seen.directions[first], self._features.directions[second]
        return self._judge(now, trained, self._features.pixels[second])

    def _judge(
        self,
        now: Float[np.ndarray, "n 3"],
        trained: Float[np.ndarray, "n 3"],
        pixels: Float[np.ndarray, "n 2"],
    ) -> Registration:
        """The rotation from matched directions, if there is one to believe in."""
        unknown = Registration(Verdict.UNKNOWN, np.eye(3), 0.0, 0, len(now), float("nan"))
        if len(now) < _ENOUGH:
            return unknown
        R = _robust_rotation(now, trained, _INLIER_PX / self.camera.K[0, 0])
        errors_px = self.camera.K[0, 0] * np.linalg.norm(now @ R.T - trained, axis=1)
        inlier = errors_px < _INLIER_PX
        count, angle = int(inlier.sum()), rotation_angle_rad(R)
        if count < _ENOUGH or self._cells(pixels[inlier]) < _ENOUGH_CELLS or angle > LARGEST_RAD:
            return unknown
        turned = angle > UNMOVED_RAD
        residual_px = float(np.median(errors_px[inlier]))
        verdict = Verdict.TURNED if turned else Verdict.UNMOVED
        return Registration(
            verdict, R if turned else np.eye(3), angle, count, len(now), residual_px
        )

    def _cells(self, pixels: Float[np.ndarray, "n 2"]) -> int:
        """In how many cells of the image there are pixels."""
        size = np.array([self.camera.width, self.camera.height])
        cells = np.floor((pixels + 0.5) / size * _CELLS).astype(int)
        return len(np.unique(cells, axis=0))


def rotation_angle_rad(R: Float[np.ndarray, "3 3"]) -> float:
    """Angle of a rotation."""
    return float(np.linalg.norm(cv2.Rodrigues(R)[0]))


def _features(image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> _Features:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sift = cv2.SIFT.create(nfeatures=_FEATURES, contrastThreshold=_CONTRAST)
    found, descriptors = sift.detectAndCompute(grey, None)  # pyright: ignore[reportArgumentType]
    pixels = np.array([point.pt for point in found], np.float64).reshape(-1, 2)
    if not found:
        descriptors = np.zeros((0, 128), np.float32)
    rays = camera.rays(pixels)
    directions = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    # The root of a histogram: its inner product compares histograms better (Arandjelovic 2012).
    scale = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return _Features(pixels, directions, np.sqrt(descriptors / scale).astype(np.float32))


def _matches(
    first: Float32[np.ndarray, "n d"], second: Float32[np.ndarray, "m d"]
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of descriptors that are each other's nearest."""
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    alike = first @ second.T
    nearest = alike.argmax(axis=1)
    mutual = np.flatnonzero(alike.argmax(axis=0)[nearest] == np.arange(len(first)))
    return mutual, nearest[mutual]


def _robust_rotation(
    now: Float[np.ndarray, "n 3"], trained: Float[np.ndarray, "n 3"], scale: float
) -> Float[np.ndarray, "3 3"]:
    """R with R now_i = trained_i for most i: the best of many pairs, then reweighted (Tukey)."""
    rng = np.random.default_rng(0)
    pairs = np.array([rng.choice(len(now), 2, replace=False) for _ in range(_HYPOTHESES)])
    candidates = _rotations(now[pairs], trained[pairs], np.ones(pairs.shape))
    errors = np.linalg.norm(now @ candidates.transpose(0, 2, 1) - trained, axis=2)
    R = candidates[np.minimum((errors / scale) ** 2, 1.0).sum(axis=1).argmin()]
    for _ in range(_REFINEMENTS):
        error = np.linalg.norm(now @ R.T - trained, axis=1)
        weights = np.maximum(1.0 - (error / scale) ** 2, 0.0) ** 2
        R = _rotations(now[None], trained[None], weights[None])[0]
    return R


def _rotations(
    now: Float[np.ndarray, "b n 3"],
    trained: Float[np.ndarray, "b n 3"],
    weights: Float[np.ndarray, "b n"],
) -> Float[np.ndarray, "b 3 3"]:
    """Weighted least squares for R now_i = trained_i (Kabsch 1976, Umeyama 1991)."""
    U, _, Vt = np.linalg.svd(np.einsum("bn,bni,bnj->bij", weights, trained, now))
    proper = np.ones((len(now), 3))
    proper[:, 2] = np.linalg.det(U @ Vt)
    return (U * proper[:, None]) @ Vt
