"""Spots: points of a goal that go as one, whichever way the robot turns there.

Who drags a spot of the robot says where it should go and nothing about how the part under it turns
on its way. It takes several points to follow a spot, and a turning part carries them on arcs about
its middle: only the middle has a target. See docs/derivations.md, "A spot".
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Float32, Int64

_ROUNDS = 4  # of trusting stragglers less
_STRAGGLER_PX = 0.5  # a point this far from where its spot carries it loses trust
_STIFFNESS_PX2 = 4.0  # how much spread it takes to believe in a turn rather than in noise


@dataclass(frozen=True)
class Spots:
    """The spots of a goal's points.

    Attributes:
        of_point: number of each point's spot, from 0.
        middle_px: where the middle of each spot was when its points were where they started [px].
        target_px: where it should go [px].
    """

    of_point: Int64[np.ndarray, " n"]
    middle_px: Float[np.ndarray, "s 2"]
    target_px: Float[np.ndarray, "s 2"]

    @staticmethod
    def of(
        numbers: Int64[np.ndarray, " n"],
        start_px: Float32[np.ndarray, "n 2"],
        target_px: Float[np.ndarray, "n 2"],
    ) -> "Spots":
        """Points with the same number are one spot; its middle is theirs."""
        known, of_point = np.unique(numbers, return_inverse=True)
        mine = [of_point == spot for spot in range(len(known))]
        middle = np.array([start_px[which].mean(axis=0, dtype=np.float64) for which in mine])
        target = np.array([target_px[which].mean(axis=0) for which in mine])
        return Spots(of_point.astype(np.int64), middle, target)

    def __len__(self) -> int:
        """Number of spots."""
        return len(self.middle_px)


def spot_targets(
    spots: Spots,
    start_px: Float32[np.ndarray, "n 2"],
    now_px: Float[np.ndarray, "n 2"],
    target_px: Float[np.ndarray, "n 2"],
    weights: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "n 2"]:
    """Targets with which every point is as far from its own as the middle of its spot is.

    Args:
        spots: of the points.
        start_px: where the points were first.
        now_px: where they are; may be anything where the weight is zero.
        target_px: where they would go if their spot did not turn.
        weights: visibility times confidence, 0..1; a spot without any keeps its targets.
    """
    targets = target_px.copy()
    for spot in range(len(spots)):
        mine = spots.of_point == spot
        if weights[mine].any():
            carried = (start_px[mine], now_px[mine], weights[mine], spots.middle_px[spot])
            targets[mine] = now_px[mine] + spots.target_px[spot] - middle_of(*carried)
    return targets


def middle_of(
    start_px: Float32[np.ndarray, "n 2"],
    now_px: Float[np.ndarray, "n 2"],
    weights: Float[np.ndarray, " n"],
    middle_px: Float[np.ndarray, "2"],
) -> Float[np.ndarray, "2"]:
    """Where `middle_px` is now, if it was shifted, turned and scaled with the points [px].

    The shift, turn and scale that fit best by the sum of distances, so that a point which has slid
    off is outvoted. Lost points (weight 0) do not shift the middle. One weight must not be zero.
    """
    seen = weights > 0
    begin, end = _complex(start_px[seen].astype(np.float64)), _complex(now_px[seen])
    trust = weights[seen]
    for _ in range(_ROUNDS):
        from_begin = begin - np.average(begin, weights=trust)
        from_end = end - np.average(end, weights=trust)
        spread = np.sum(trust * np.abs(from_begin) ** 2) + _STIFFNESS_PX2
        turn = (np.sum(trust * from_begin.conj() * from_end) + _STIFFNESS_PX2) / spread
        straggling_px = np.abs(from_end - turn * from_begin)
        trust = weights[seen] / np.maximum(straggling_px, _STRAGGLER_PX)
    place = np.average(end + turn * (complex(*middle_px) - begin), weights=trust)
    return np.array([place.real, place.imag])


def _complex(pixels: Float[np.ndarray, "n 2"]) -> Complex[np.ndarray, " n"]:
    """A turn with a scale is then one factor."""
    return pixels[:, 0] + 1j * pixels[:, 1]
