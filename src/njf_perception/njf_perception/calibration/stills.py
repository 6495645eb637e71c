"""Instants at which the board stood still, cut from a running stream of images of all cameras."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from njf_perception.calibration.detect import Sighting
from njf_perception.calibration.views import View

_STILL_PX = 0.7  # corners move no more than this between two images of a board that stands still
_GAP_NS = 500_000_000  # images further apart say nothing about what was in between
_LEAST_NS = 300_000_000  # that cameras must have seen it still together
_SEEN = 0.5  # of the images, for a tag to count


@dataclass
class _Rest:
    """A time in which one camera saw the board standing still."""

    camera: str
    stamps_ns: list[int] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)


class Rests:
    """Collects the times of rest while a stream of images goes on."""

    def __init__(self) -> None:
        self._now: dict[str, _Rest] = {}
        self._done: list[_Rest] = []

    def take(self, camera: str, stamp_ns: int, sighting: Sighting) -> None:
        """One image's tags; the images of a camera come in the order of time."""
        rest = self._now.get(camera)
        if rest is not None and not _goes_on(rest, stamp_ns, sighting):
            self._done.append(rest)
            rest = None
        if rest is None:
            rest = self._now[camera] = _Rest(camera)
        rest.stamps_ns.append(stamp_ns)
        rest.sightings.append(sighting)

    def count(self, camera: str) -> int:
        """Times that a camera saw the board at rest, the present one included."""
        return sum(rest.camera == camera for rest in self._long_enough())

    def views(self) -> Iterator[View]:
        """A view per camera and instant of rest; its corners are the median over the images.

        An instant is the time that the rests of several cameras have in common. It is called after
        its first image, in milliseconds since the first of all rests began.
        """
        rests = sorted(self._long_enough(), key=lambda rest: rest.stamps_ns[0])
        for together in _together(rests):
            first = max(rest.stamps_ns[0] for rest in together)
            last = min(rest.stamps_ns[-1] for rest in together)
            instant = f"{(first - rests[0].stamps_ns[0]) // 1_000_000:07d}"
            for rest in together:
                during = [
                    sighting
                    for stamp, sighting in zip(rest.stamps_ns, rest.sightings, strict=True)
                    if first <= stamp <= last
                ]
                if during:
                    yield View(rest.camera, instant, _median(during))

    def _long_enough(self) -> list[_Rest]:
        return [
            rest
            for rest in (*self._done, *self._now.values())
            if len(rest.sightings[0].ids) and rest.stamps_ns[-1] - rest.stamps_ns[0] >= _LEAST_NS
        ]


def _goes_on(rest: _Rest, stamp_ns: int, sighting: Sighting) -> bool:
    """Whether the board stands as in the rest's first and last image."""
    if stamp_ns - rest.stamps_ns[-1] > _GAP_NS:
        return False
    return all(_moved_px(rest.sightings[i], sighting) <= _STILL_PX for i in (0, -1))


def _moved_px(a: Sighting, b: Sighting) -> float:
    """Median way of the corners that both show [px]; endless where they have none in common.

    Images without any tags are at rest with each other: the camera does not see the board.
    """
    _, of_a, of_b = np.intersect1d(a.ids, b.ids, return_indices=True)
    if not len(of_a):
        return 0.0 if not len(a.ids) and not len(b.ids) else float("inf")
    way = np.linalg.norm(a.corners_px[of_a] - b.corners_px[of_b], axis=-1)
    return float(np.median(way))


def _together(rests: list[_Rest]) -> list[list[_Rest]]:
    """Rests in the order of time, grouped while they have enough time in common."""
    groups: list[list[_Rest]] = []
    for rest in rests:
        for group in groups[-2:]:
            first = max(rest.stamps_ns[0], *(other.stamps_ns[0] for other in group))
            last = min(rest.stamps_ns[-1], *(other.stamps_ns[-1] for other in group))
            if last - first >= _LEAST_NS and rest.camera not in {o.camera for o in group}:
                group.append(rest)
                break
        else:
            groups.append([rest])
    return groups


def _median(during: list[Sighting]) -> Sighting:
    corners: dict[int, list[np.ndarray]] = defaultdict(list)
    for sighting in during:
        for tag, of_tag in zip(sighting.ids.tolist(), sighting.corners_px, strict=True):
            corners[tag].append(of_tag)
    ids = [tag for tag in sorted(corners) if len(corners[tag]) >= _SEEN * len(during)]
    return Sighting(
        np.array(ids, np.int64),
        np.array([np.median(corners[tag], axis=0) for tag in ids]).reshape(-1, 4, 2),
        float(np.median([sighting.blur_px for sighting in during])),
        tuple(sorted({tag for sighting in during for tag in sighting.foreign_ids})),
        all(sighting.mirrored for sighting in during),
    )
