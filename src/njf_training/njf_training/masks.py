"""What moves: background and foreground masks from many images of one fixed camera."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

CANDIDATES = 31  # images whose colours are tried as background
VOTERS = 62  # images that say how often a colour occurs
SAME_COLOR = 14  # two colours within this distance agree, of 255
MIN_DIFFERENCE = 16.0  # smallest colour difference that counts, of 255
NOISE_FACTOR = 5.0  # ... or this many standard deviations of the camera's noise
MIN_AREA = 0.0005  # of the image; smaller components are noise


def background(images: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The colour each pixel has most often, averaged over the images that agree on it.

    A median would show the robot wherever it is half of the time, as its first link always is.
    What the robot hides shows ever the same colour, the robot itself does not.
    """
    voters = np.asarray(images[_spread(len(images), VOTERS)])
    planes = np.ascontiguousarray(np.moveaxis(voters, -1, 1))  # colours apart: long inner loops
    rows = [_most_frequent(planes[:, :, row]) for row in range(planes.shape[2])]
    return np.stack(rows)


def _most_frequent(voters: UInt8[np.ndarray, "v 3 w"]) -> UInt8[np.ndarray, "w 3"]:
    """Most frequent colour of one image row."""
    candidates = voters[_spread(len(voters), CANDIDATES)]
    votes = np.array([_agreeing(voters, candidate).sum(0) for candidate in candidates])
    winner = np.take_along_axis(candidates, votes.argmax(0)[None, None], axis=0)[0]
    weights = _agreeing(voters, winner)[:, None]
    mean = (voters * weights).sum(0) / weights.sum(0)
    return mean.round().astype(np.uint8).T


def _agreeing(
    voters: UInt8[np.ndarray, "v 3 w"], color: UInt8[np.ndarray, "3 w"]
) -> Bool[np.ndarray, "v w"]:
    gap = np.maximum(voters, color) - np.minimum(voters, color)  # uint8 does not wrap this way
    close = gap <= SAME_COLOR
    return close[:, 0] & close[:, 1] & close[:, 2]


def _spread(total: int, count: int) -> np.ndarray:
    """At most `count` indices, evenly over `total`."""
    return np.unique(np.linspace(0, total - 1, min(total, count)).round().astype(int))


def noise_threshold(
    images: UInt8[np.ndarray, "t h w 3"], still: UInt8[np.ndarray, "h w 3"]
) -> float:
    """Colour difference that camera noise hardly ever reaches, of 255.

    The noise is the median absolute difference from the background: most of an image is still.
    """
    spread = [np.median(np.abs(_difference(images[i], still))) for i in _spread(len(images), 8)]
    return max(MIN_DIFFERENCE, NOISE_FACTOR * 1.4826 * float(np.median(spread)))


def foreground(
    image: UInt8[np.ndarray, "h w 3"], still: UInt8[np.ndarray, "h w 3"], threshold: float
) -> Bool[np.ndarray, "h w"]:
    """Where the image differs from the background, cleaned of specks and small holes."""
    raw = (np.abs(_difference(image, still)).max(-1) > threshold).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    closed = cv2.morphologyEx(raw, cv2.MORPH_CLOSE, kernel, iterations=2)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    big = stats[:, cv2.CC_STAT_AREA] >= MIN_AREA * raw.size
    big[0] = False  # label 0 is what is not foreground
    return big[labels]


def _difference(
    image: UInt8[np.ndarray, "h w 3"], still: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w 3"]:
    """Signed difference per colour, smoothed so lightly that edges stay where they are."""
    return cv2.GaussianBlur(image.astype(np.float32) - still.astype(np.float32), (3, 3), 0.5)
