"""One frame's pose in its parent over time."""

import bisect

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.time import Time
from scipy.spatial.transform import Rotation, Slerp

from .exceptions import ExtrapolationException


class History:
    """Poses of one child frame, sorted by time."""

    def __init__(self, is_static: bool, cache_ns: int) -> None:
        """Keep poses for `cache_ns`, or only the newest of a static frame."""
        self.is_static = is_static
        self.parent = ""
        self._cache_ns = cache_ns
        self._stamps: list[int] = []
        self._poses: list[tuple[Rotation, np.ndarray]] = []

    @property
    def latest_ns(self) -> int:
        """Newest stamp [ns]."""
        return self._stamps[-1]

    def insert(self, transform: TransformStamped) -> None:
        """Add one pose and drop those that are too old; a new parent forgets the old one."""
        if self.is_static or transform.header.frame_id != self.parent:
            self._stamps, self._poses = [], []
            self.parent = transform.header.frame_id
        stamp = Time.from_msg(transform.header.stamp).nanoseconds
        at = bisect.bisect(self._stamps, stamp)
        self._stamps.insert(at, stamp)
        self._poses.insert(at, _pose(transform))
        expired = bisect.bisect_left(self._stamps, self.latest_ns - self._cache_ns)
        del self._stamps[:expired], self._poses[:expired]

    def at(self, stamp_ns: int) -> tuple[Rotation, np.ndarray]:
        """Pose at a time, interpolated between its neighbours.

        Raises:
            ExtrapolationException: the time is older or newer than every pose kept.
        """
        if self.is_static:
            return self._poses[0]
        if not self._stamps[0] <= stamp_ns <= self.latest_ns:
            raise ExtrapolationException(
                f"a transform from {self.parent} is known from {self._stamps[0] * 1e-9:.6f} s to "
                f"{self.latest_ns * 1e-9:.6f} s, asked for {stamp_ns * 1e-9:.6f} s"
            )
        after = bisect.bisect_left(self._stamps, stamp_ns)
        if self._stamps[after] == stamp_ns:
            return self._poses[after]
        return self._between(after - 1, after, stamp_ns)

    def _between(self, before: int, after: int, stamp_ns: int) -> tuple[Rotation, np.ndarray]:
        t0, t1 = self._stamps[before], self._stamps[after]
        (r0, p0), (r1, p1) = self._poses[before], self._poses[after]
        fraction = (stamp_ns - t0) / (t1 - t0)
        rotation = Slerp([0.0, 1.0], Rotation.concatenate([r0, r1]))(fraction)
        return rotation, p0 + fraction * (p1 - p0)


def _pose(transform: TransformStamped) -> tuple[Rotation, np.ndarray]:
    t, q = transform.transform.translation, transform.transform.rotation
    return Rotation.from_quat([q.x, q.y, q.z, q.w]), np.array([t.x, t.y, t.z])
