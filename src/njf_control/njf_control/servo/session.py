"""One goal from its first image to its end: images and encodings in, servo steps out.

Images are tracked the moment they arrive; the encoding of the same image comes a few milliseconds
later from another process and finds the tracks waiting under its stamp. So every frame is tracked
even when its encoding is dropped, and neither waits for the other.

When the goal came with an image and its points have arrived, the images are compared once more:
parts of the robot that had no points may still be off. If they are, they join the goal.

A goal with a path is a row of targets; the next one takes over when the points have come near.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from njf_control.servo.goal import Goal, extended, goal_from_images
from njf_control.servo.grip import regripped
from njf_control.servo.loop import Measurement, Servo, ServoStep
from njf_control.servo.model import SurfaceModel
from njf_control.servo.progress import Reason
from njf_control.servo.spots import spot_targets
from njf_control.servo.tracking import GoalTracker
from njf_control.servo.waypoints import WaypointConfig, WaypointFollower
from njf_perception.camera import Camera
from njf_perception.depth_image import depth_at
from njf_perception.scene import Encoding
from njf_perception.trackers.base import PointTracker, Tracks

_EXTENSIONS = 2  # times that a reached goal may get more points
_GRIP_STEPS = 3  # between taking hold of a spot and doing so again
_SPOT_MOTION = 1 / 64  # of the image's width: how far a spot may go from one image to the next
# Tracked images that may still wait for their encoding, and encodings that wait for their image:
# when time is short, images lag behind in their queue, and encodings, of which only the newest is
# kept, do not.
_FRAMES_KEPT = 8

GoalMaker = Callable[[UInt8[np.ndarray, "h w 3"], Camera], Goal]
DepthSource = Callable[[int, Camera], Float32[np.ndarray, "h w"] | None]


@dataclass
class Timings:
    """Duration of the stages of the last step [s]."""

    track_s: float = float("nan")
    jacobian_s: float = float("nan")
    solve_s: float = float("nan")


@dataclass(frozen=True)
class EncodedImage:
    """What perception says of the image taken at `stamp_ns`."""

    stamp_ns: int
    encoding: Encoding
    camera: Camera


@dataclass(frozen=True)
class _Tracked:
    """Tracks of one image, and which of them were measured against the goal image."""

    tracks: Tracks
    anchored: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Pursued:
    """The points of one step where they are, and where they should be, in the same order."""

    tracks: Tracks
    target: Float[np.ndarray, "n d"]
    weights: Float[np.ndarray, " n"]
    camera: Camera

    @property
    def targets(self) -> Tracks:
        """In the image; those that do not count, or lie behind the camera, are not visible."""
        pixels = self.target if self.target.shape[1] == 2 else self.camera.project(self.target)
        seen = np.isfinite(pixels).all(axis=1)
        weights = np.where(seen, self.weights, 0.0).astype(np.float32)
        return Tracks(np.nan_to_num(pixels).astype(np.float32), weights > 0, weights)


@dataclass
class Session:
    """Runs one goal. Not thread-safe: call it from one thread.

    Attributes:
        make_goal: turns the request into points, given the first image and its camera.
        make_tracker: makes point trackers.
        model: gives Jacobians.
        servo: the loop.
        clock: monotonic time [s].
        timings: of the last step.
        following: how a goal's path is followed.
        depth: depth image [m] taken at a stamp [ns], NaN unknown; None where there is none.
        paired_s: when an image and its encoding last came together [s, of `clock`].
        pursued: the points of the last step.
    """

    make_goal: GoalMaker
    make_tracker: Callable[[], PointTracker]
    model: SurfaceModel
    servo: Servo
    clock: Callable[[], float] = time.monotonic
    timings: Timings = field(default_factory=Timings)
    following: WaypointConfig = field(default_factory=WaypointConfig)
    depth: DepthSource = lambda stamp_ns, camera: None

    def __post_init__(self) -> None:
        self.paired_s = self.clock()
        self.pursued: Pursued | None = None
        self._goal: Goal | None = None
        self._tracker: GoalTracker | None = None
        self._follower: WaypointFollower | None = None
        self._tracked: dict[int, _Tracked] = {}
        self._early: dict[int, EncodedImage] = {}
        self._newest_ns = -1
        self._extensions = _EXTENSIONS
        self._gripped = _GRIP_STEPS

    def on_image(
        self, stamp_ns: int, image: UInt8[np.ndarray, "h w 3"], camera: Camera
    ) -> ServoStep | None:
        """Track a new image; a step when its encoding came first. Repeated stamps are ignored.

        Raises:
            NjfError: the goal cannot be pursued (first image only).
        """
        if stamp_ns <= self._newest_ns:
            return None
        self._newest_ns = stamp_ns
        begin = time.perf_counter()
        self._image = image
        tracks = self._track(image, camera)
        assert self._tracker is not None, "the first image made it"
        self._tracked[stamp_ns] = _Tracked(tracks, self._tracker.anchored_points)
        self.timings.track_s = time.perf_counter() - begin
        _drop_oldest(self._tracked)
        early = self._early.get(stamp_ns)
        return self._pair(early) if early else None

    def on_encoding(self, encoded: EncodedImage) -> ServoStep | None:
        """Take the encoding of an image; a step when that image was tracked already."""
        return self._pair(encoded)

    def _track(self, image: UInt8[np.ndarray, "h w 3"], camera: Camera) -> Tracks:
        if self._tracker is None:
            tracks = self._begin(self.make_goal(image, camera), image)
            self.paired_s = self.clock()  # finding correspondences may have taken long
            return tracks
        return self._tracker.update(image)

    def _pair(self, encoded: EncodedImage) -> ServoStep | None:
        tracked = self._tracked.pop(encoded.stamp_ns, None)
        if tracked is None:
            if encoded.stamp_ns > self._newest_ns:
                self._early[encoded.stamp_ns] = encoded
                _drop_oldest(self._early)
            return None
        for waiting in (self._tracked, self._early):
            for stamp_ns in [stamp for stamp in waiting if stamp <= encoded.stamp_ns]:
                del waiting[stamp_ns]
        self.paired_s = self.clock()
        step = self._placed(encoded.stamp_ns, self._step(encoded, tracked))
        # Only the newest image can be compared with: it is the one that is kept.
        newest = encoded.stamp_ns == self._newest_ns
        if newest and step.reason is None:
            self._regrip(encoded, tracked.tracks)
        if (
            step.reason in (Reason.CONVERGED, Reason.STALLED)
            and newest
            and self._extend(tracked.tracks)
        ):
            return replace(step, reason=None)
        return step

    def _placed(self, stamp_ns: int, step: ServoStep) -> ServoStep:
        """The step with its place on the path; the motion is over only at the path's end."""
        follower = self._follower
        if follower is None:
            return step
        step = replace(step, waypoint=follower.index, waypoints=len(follower))
        if step.reason is None and follower.overdue(stamp_ns):
            return replace(step, reason=Reason.TIMEOUT)
        if step.reason is Reason.CONVERGED and not follower.last:
            follower.skip(stamp_ns)
            self.servo.retarget()
            return replace(step, reason=None)
        return step

    def _extend(self, tracks: Tracks) -> bool:
        """Give a goal image's goal the points that are still off; false when there are none."""
        assert self._goal is not None
        on_the_way = self._follower is not None and not self._follower.last
        if self._goal.reference is None or self._extensions == 0 or on_the_way:
            return False
        self._extensions -= 1
        found = goal_from_images(self._image, self._goal.reference)
        goal = extended(self._goal, tracks, found)
        if goal is not None:
            self._begin(goal, self._image)
            self.servo.resume()
        self.paired_s = self.clock()  # comparing images may have taken long
        return goal is not None

    def _regrip(self, encoded: EncodedImage, tracks: Tracks) -> None:
        """Take hold anew of a spot that has lost many of its points, but not in every image."""
        assert self._goal is not None
        self._gripped += 1
        if self._goal.spots is None or self._gripped < _GRIP_STEPS:
            return
        see = partial(self.model.evaluate, encoded.encoding, encoded.camera)
        goal = regripped(self._goal, tracks, self._image, see)
        if goal is not None:
            self._gripped = 0
            self._begin(goal, self._image)
            self.servo.repoint()

    def _begin(self, goal: Goal, image: UInt8[np.ndarray, "h w 3"]) -> Tracks:
        self._tracked.clear()
        self._goal, self._tracker = goal, GoalTracker(goal, self.make_tracker)
        self._follower = WaypointFollower(goal.path, self.following) if goal.path else None
        return self._tracker.start(image)

    def _max_motion_px(self, camera: Camera) -> float:
        """A spot has few points, all in one place: they must not be lost together."""
        assert self._goal is not None
        return np.inf if self._goal.spots is None else _SPOT_MOTION * camera.width

    def _targets(
        self,
        stamp_ns: int,
        points_px: Float[np.ndarray, "n 2"],
        visible: Float[np.ndarray, " n"],
        sure: Float[np.ndarray, " n"],
    ) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
        """Where the points should go now, and the confidence of each pair.

        A spot is where the points say of which the model is `sure`: others may be beside the robot.
        """
        assert self._goal is not None, "an image was tracked, so the goal is known"
        goal = self._goal
        if goal.spots is not None:
            trust = visible * goal.weights * sure
            parts = (goal.spots, goal.start_px, points_px, goal.target, trust)
            return spot_targets(*parts), goal.weights
        if self._follower is None:
            return goal.target, goal.weights
        if self._follower.advance(stamp_ns, points_px, visible):
            self.servo.retarget()
        return self._follower.target_px, self._follower.weights

    def _step(self, encoded: EncodedImage, tracked: _Tracked) -> ServoStep:
        begin, tracks = time.perf_counter(), tracked.tracks
        pixels = tracks.points.astype(np.float64)
        depth_m = self.depth(encoded.stamp_ns, encoded.camera)
        measured_m = None if depth_m is None else depth_at(depth_m, pixels)
        surface = self.model.evaluate(encoded.encoding, encoded.camera, pixels, measured_m)
        evaluated = time.perf_counter()
        visible = tracks.visible * tracks.confidence.astype(np.float64)
        target, weights = self._targets(encoded.stamp_ns, pixels, visible, surface.confidence)
        asked = visible * weights
        self.pursued = Pursued(tracks, target, weights, encoded.camera)
        step = self.servo.step(
            Measurement(
                stamp_ns=encoded.stamp_ns,
                K=encoded.camera.K,
                current_px=pixels,
                target=target,
                weights=asked * surface.confidence,
                points_m=surface.points_m,
                jacobian_m=surface.jacobian_m,
                confidence=np.where(asked > 0, surface.confidence, np.nan),
                anchored=tracked.anchored,
                max_motion_px=self._max_motion_px(encoded.camera),
            )
        )
        self.timings.jacobian_s = evaluated - begin
        self.timings.solve_s = time.perf_counter() - evaluated
        return step


def _drop_oldest(frames: dict[int, Any]) -> None:
    while len(frames) > _FRAMES_KEPT:
        del frames[next(iter(frames))]
