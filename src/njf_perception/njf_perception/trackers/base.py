"""What a point tracker is; Lucas-Kanade here, CoTracker or TAPIR behind the same two calls."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32, UInt8


@dataclass(frozen=True)
class Tracks:
    """Tracked points in one image, in the order in which they were given to `start`.

    Attributes:
        points: (u, v) [px], pixel centres at integers; the last good position where not visible.
        visible: False where the tracker does not know the point in this image.
        confidence: 0 to 1; 0 where not visible.
    """

    points: Float32[np.ndarray, "n 2"]
    visible: Bool[np.ndarray, " n"]
    confidence: Float32[np.ndarray, " n"]


class PointTracker(Protocol):
    """Follows points from image to image; holds the state of one camera stream."""

    def start(
        self, image: UInt8[np.ndarray, "h w 3"], points: Float32[np.ndarray, "n 2"]
    ) -> Tracks:
        """Begin anew with `points` (u, v) [px] in an RGB `image`; forgets earlier tracks."""
        ...

    def update(self, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        """Find the points in the next RGB image of the stream.

        Raises:
            ValueError: `start` was not called or the image has another size.
        """
        ...
