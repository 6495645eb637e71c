"""Buffered transforms between named frames."""

import threading
import time as wall
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from .exceptions import ConnectivityException, LookupException, TransformException
from .history import History

_POLL_S = 0.02


class Buffer:
    """Keeps the transforms of the last seconds and answers how one frame lies in another."""

    def __init__(self, cache_time: Duration | None = None, node: Any = None) -> None:
        """Keep changing transforms for `cache_time` (10 s when None); `node` is not needed."""
        self._cache_ns = 10_000_000_000 if cache_time is None else cache_time.nanoseconds
        self._histories: dict[str, History] = {}
        self._lock = threading.Lock()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a changing transform; `authority` names its source."""
        self._insert(transform, is_static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds at every time; `authority` names its source."""
        self._insert(transform, is_static=True)

    def clear(self) -> None:
        """Forget every transform."""
        with self._lock:
            self._histories.clear()

    def lookup_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008 - immutable, the original's signature
    ) -> TransformStamped:
        """The transform that maps coordinates in `source_frame` to `target_frame`.

        Time zero asks for the latest time at which the whole chain is known.

        Raises:
            LookupException: a frame is unknown.
            ConnectivityException: the frames are not connected.
            ExtrapolationException: `time` is outside what is buffered.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        with self._lock:
            return self._lookup(target_frame, source_frame, time.nanoseconds)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),  # noqa: B008 - immutable, the original's signature
        return_debug_tuple: bool = False,
    ) -> Any:
        """Whether the transform is available; waits for it up to `timeout`.

        With `return_debug_tuple`, a tuple of the answer and the reason against it.
        """
        deadline = wall.monotonic() + timeout.nanoseconds * 1e-9
        reason = self._reason_against(target_frame, source_frame, time.nanoseconds)
        while reason and wall.monotonic() < deadline:
            wall.sleep(_POLL_S)
            reason = self._reason_against(target_frame, source_frame, time.nanoseconds)
        return (not reason, reason) if return_debug_tuple else not reason

    def _insert(self, transform: TransformStamped, is_static: bool) -> None:
        child = transform.child_frame_id
        with self._lock:
            known = self._histories.get(child)
            if known is None or known.is_static != is_static:
                known = self._histories[child] = History(is_static, self._cache_ns)
            known.insert(transform)

    def _reason_against(self, target: str, source: str, stamp_ns: int) -> str:
        with self._lock:
            try:
                self._lookup(target, source, stamp_ns)
            except TransformException as error:
                return str(error)
        return ""

    def _lookup(self, target: str, source: str, stamp_ns: int) -> TransformStamped:
        up, down = self._chains(target, source)
        if stamp_ns == 0:
            changing = [self._histories[frame] for frame in up + down]
            stamp_ns = min((h.latest_ns for h in changing if not h.is_static), default=0)
        rotation, translation = self._pose(up, stamp_ns)
        target_rotation, target_translation = self._pose(down, stamp_ns)
        inverse = target_rotation.inv()
        return _message(
            target,
            source,
            stamp_ns,
            inverse * rotation,
            inverse.apply(translation - target_translation),
        )

    def _chains(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Child frames from the source and from the target up to their common ancestor."""
        parents = {history.parent for history in self._histories.values()}
        for frame in (target, source):
            if frame not in parents and frame not in self._histories:
                raise LookupException(f'"{frame}" is not a known frame; known: {self._known()}')
        from_source, from_target = self._ancestry(source), self._ancestry(target)
        common = next((frame for frame in from_source if frame in from_target), None)
        if common is None:
            raise ConnectivityException(f'"{target}" and "{source}" are not in the same tree')
        up = from_source[: from_source.index(common)]
        return up, from_target[: from_target.index(common)]

    def _known(self) -> str:
        return ", ".join(sorted(self._histories)) or "none"

    def _ancestry(self, frame: str) -> list[str]:
        """The frame, its parent, and so on to the root (or once round a loop)."""
        chain = [frame]
        while (history := self._histories.get(chain[-1])) and history.parent not in chain:
            chain.append(history.parent)
        return chain

    def _pose(self, chain: list[str], stamp_ns: int) -> tuple[Rotation, np.ndarray]:
        """Pose of the first frame of the chain in the parent of the last."""
        rotation, translation = Rotation.identity(), np.zeros(3)
        for frame in chain:
            step_rotation, step_translation = self._histories[frame].at(stamp_ns)
            rotation = step_rotation * rotation
            translation = step_rotation.apply(translation) + step_translation
        return rotation, translation


def _message(
    target: str, source: str, stamp_ns: int, rotation: Rotation, translation: np.ndarray
) -> TransformStamped:
    message = TransformStamped(child_frame_id=source)
    message.header.frame_id = target
    message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = translation.tolist()
    q.x, q.y, q.z, q.w = rotation.as_quat(canonical=True).tolist()
    return message
