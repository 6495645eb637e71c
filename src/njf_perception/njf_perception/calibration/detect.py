"""Tags in one image: ids, corners and how blurred they are."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from njf_perception.calibration.board import FAMILY, Board
from njf_perception.calibration.edges import edge_blur_px, refine_corners

_LARGEST_MOVE = 0.1  # of a tag's side: an edge that is found further away is another edge


@dataclass(frozen=True)
class Sighting:
    """The board's tags in one image.

    Attributes:
        ids: of the tags, ascending.
        corners_px: per tag, in the order of `Board.corners_m` (u, v) [px].
        blur_px: standard deviation of the blur across the tags' edges [px]; 0 without tags.
        foreign_ids: tags that are not on the board.
        mirrored: no tag was seen, but some in the mirrored image.
    """

    ids: Int[np.ndarray, " n"]
    corners_px: Float[np.ndarray, "n 4 2"]
    blur_px: float = 0.0
    foreign_ids: tuple[int, ...] = ()
    mirrored: bool = False


class TagDetector:
    """Finds the tags of one board."""

    def __init__(self, board: Board) -> None:
        self._ids = board.ids
        self._detect = _make_detect()

    def __call__(self, gray: UInt8[np.ndarray, "h w"]) -> Sighting:
        """The board's tags in a gray image."""
        corners, ids = self._detect(gray)
        ours = np.isin(ids, self._ids)
        foreign = tuple(np.unique(ids[~ours]).tolist())
        order = np.argsort(ids[ours], kind="stable")
        ids, rough = ids[ours][order], corners[ours][order]
        once = np.isin(ids, *_unique(ids))  # a tag twice in one image: neither can be believed
        ids, rough = ids[once], rough[once]
        if not len(ids):
            flipped = np.ascontiguousarray(gray[:, ::-1])
            mirrored = bool(np.isin(self._detect(flipped)[1], self._ids).any())
            return Sighting(ids, rough, foreign_ids=foreign, mirrored=mirrored)
        blur_px = edge_blur_px(gray, rough)
        fine = refine_corners(gray, rough)
        size = np.linalg.norm(rough[:, 0] - rough[:, 2], axis=-1) / np.sqrt(2)
        moved = np.linalg.norm(fine - rough, axis=-1).max(-1)
        kept = np.isfinite(moved) & (moved < np.maximum(_LARGEST_MOVE * size, 1.5))
        return Sighting(ids[kept], fine[kept], blur_px, foreign)


def _unique(ids: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " m"]]:
    values, counts = np.unique(ids, return_counts=True)
    return (values[counts == 1],)


def _make_detect() -> Any:
    """OpenCV's detector: image -> (corners [n, 4, 2], ids [n]).

    OpenCV 4.7 made it a class; Ubuntu 24.04 has 4.6.
    """
    dictionary = cv2.aruco.getPredefinedDictionary(FAMILY)
    if hasattr(cv2.aruco, "ArucoDetector"):
        parameters = cv2.aruco.DetectorParameters()
        find = cv2.aruco.ArucoDetector(dictionary, _set(parameters)).detectMarkers
    else:
        parameters = _set(getattr(cv2.aruco, "DetectorParameters_create")())  # noqa: B009
        old = getattr(cv2.aruco, "detectMarkers")  # noqa: B009

        def find(image: UInt8[np.ndarray, "h w"]) -> Any:
            return old(image, dictionary, parameters=parameters)

    def detect(
        image: UInt8[np.ndarray, "h w"],
    ) -> tuple[Float[np.ndarray, "n 4 2"], Int[np.ndarray, " n"]]:
        corners, ids, _ = find(image)
        if ids is None:
            return np.zeros((0, 4, 2)), np.zeros(0, np.int64)
        return np.array(corners, np.float64).reshape(-1, 4, 2), ids.ravel().astype(np.int64)

    return detect


def _set(parameters: Any) -> Any:
    """Corners are refined here, by `edges`; small windows, since tags in a rig are small."""
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.cornerRefinementWinSize = 3
    parameters.adaptiveThreshWinSizeMin = 5
    parameters.adaptiveThreshWinSizeMax = 45
    parameters.adaptiveThreshWinSizeStep = 10
    parameters.minMarkerPerimeterRate = 0.02
    return parameters
