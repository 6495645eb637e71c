"""Which images belong to a settled robot state."""

from collections import deque
from dataclasses import dataclass, field

from njf_perception.bag import header_stamp_ns

KEPT_IMAGES = 8  # newest images per camera among which a still is chosen


@dataclass(frozen=True)
class Still:
    """One serialised image."""

    stamp_ns: int
    received_ns: int
    data: bytes = field(repr=False)


class StillPicker:
    """Chooses one image per camera, as close together in time as the cameras allow."""

    def __init__(self, cameras: list[str]) -> None:
        """Keep the newest images of `cameras`."""
        self._recent = {name: deque[Still](maxlen=KEPT_IMAGES) for name in cameras}

    def offer(self, camera: str, received_ns: int, data: bytes) -> None:
        """Take note of a serialised image that arrived at `received_ns`."""
        self._recent[camera].append(Still(header_stamp_ns(data), received_ns, data))

    def pick(self, not_before_ns: int) -> dict[str, Still] | None:
        """The first image of every camera not older than `not_before_ns`; None while one lacks."""
        picked = {
            name: next((still for still in recent if still.stamp_ns >= not_before_ns), None)
            for name, recent in self._recent.items()
        }
        found = {name: still for name, still in picked.items() if still is not None}
        return found if len(found) == len(picked) else None

    def silent(self, not_before_ns: int) -> list[str]:
        """Cameras without an image from `not_before_ns` on."""
        return [
            name
            for name, recent in self._recent.items()
            if not any(still.stamp_ns >= not_before_ns for still in recent)
        ]
