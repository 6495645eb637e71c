"""Goals, tracking towards a goal image, and the pairing of images with their encodings."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from njf_control.servo import (
    CommandSpace,
    Measurement,
    Reason,
    Servo,
    ServoConfig,
    SetpointHistory,
)
from njf_control.servo.goal import (
    Goal,
    GoalError,
)
from njf_control.servo.grip import corners_near
from njf_control.servo.model import SurfaceJacobians
from njf_control.servo.session import EncodedImage, Session
from njf_control.servo.spots import Spots
from njf_control.servo.tracking import GoalTracker
from njf_perception.camera import Camera
from njf_perception.scene import Encoding
from njf_perception.trackers.base import Tracks

K = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
CAMERA = Camera("camera_0", 320, 240, K, np.eye(4))
IMAGE = np.zeros((240, 320, 3), np.uint8)
ENCODING = Encoding(torch.zeros(4, 2, 2), torch.zeros(3))
START = np.array([[100.0, 100.0], [120.0, 90.0], [140.0, 120.0], [90.0, 130.0]], np.float32)


def tracks(points: np.ndarray, visible: list[bool] | None = None) -> Tracks:
    seen = np.array(visible or [True] * len(points))
    return Tracks(points.astype(np.float32), seen, seen.astype(np.float32))


class ScriptedTracker:
    """Points move by `shift` per image, from wherever they started."""

    def __init__(self, shift: float = 1.0, lost: int = 0) -> None:
        self.shift, self.lost, self.starts = shift, lost, 0

    def start(self, image: np.ndarray, points: np.ndarray) -> Tracks:
        self.points, self.starts = points.copy(), self.starts + 1
        return tracks(self.points)

    def update(self, image: np.ndarray) -> Tracks:
        self.points = self.points + np.float32(self.shift)
        return tracks(self.points, [i >= self.lost for i in range(len(self.points))])


class FlatModel:
    """A plane half a metre away that every channel shifts to the right."""

    def __init__(self) -> None:
        self.pixels: list[np.ndarray] = []
        self.measured_m: list[np.ndarray | None] = []

    def evaluate(
        self,
        encoding: Encoding,
        camera: Camera,
        pixels: np.ndarray,
        measured_m: np.ndarray | None = None,
    ) -> SurfaceJacobians:
        self.pixels.append(pixels)
        self.measured_m.append(measured_m)
        points = 0.5 * camera.rays(pixels)
        jacobian = np.zeros((len(pixels), 3, 2))
        jacobian[:, 0, 0], jacobian[:, 1, 1] = 0.1, 0.1
        return SurfaceJacobians(points, np.ones(len(pixels)), jacobian)


def make_session(make_goal: Callable[..., Goal] | None = None) -> tuple[Session, FlatModel]:
    one = np.ones(2)
    history = SetpointHistory()
    history.add(0, np.zeros(2))
    space = CommandSpace(("a", "b"), 0 * one, one, -one, one, 2 * one)
    goal = Goal(START, START.astype(float) + (20.0, 0.0), np.ones(4))
    model = FlatModel()
    servo = Servo(ServoConfig(), space, history)
    return Session(make_goal or (lambda *_: goal), ScriptedTracker, model, servo), model


def encoded(stamp_ns: int) -> EncodedImage:
    return EncodedImage(stamp_ns, ENCODING, CAMERA)


def test_step_waits_for_both_in_either_order() -> None:
    session, model = make_session()
    assert session.on_image(10, IMAGE, CAMERA) is None
    first = session.on_encoding(encoded(10))
    assert first is not None and not first.setpoint.any()
    assert session.on_encoding(encoded(20)) is None
    second = session.on_image(20, IMAGE, CAMERA)
    assert second is not None
    np.testing.assert_allclose(model.pixels[1], START + 1.0)
    assert session.timings.track_s >= 0 and session.timings.solve_s > 0


def test_dropped_encodings_do_not_stop_the_tracking() -> None:
    session, model = make_session()
    for stamp in range(10, 80, 10):
        session.on_image(stamp, IMAGE, CAMERA)
    assert session.on_encoding(encoded(70)) is not None
    np.testing.assert_allclose(model.pixels[-1], START + 6.0)
    assert session.on_encoding(encoded(60)) is None, "older than what was answered"
    assert session.on_encoding(encoded(70)) is None, "answered already"


def test_depth_is_asked_for_when_image_and_encoding_are_there() -> None:
    session, model = make_session()
    depth = np.full((240, 320), 0.4, np.float32)
    depth[:, 130:] = np.nan
    images = {20: depth}
    session.depth = lambda stamp_ns, camera: images.get(stamp_ns)
    for stamp in (10, 20):
        session.on_encoding(encoded(stamp))
        session.on_image(stamp, IMAGE, CAMERA)
    assert model.measured_m[0] is None
    np.testing.assert_allclose(np.array(model.measured_m[1]), [0.4, 0.4, np.nan, 0.4], rtol=1e-6)


def test_images_that_lag_behind_the_encodings_are_answered() -> None:
    """An overloaded loop takes images from a queue of five, and of the encodings the newest."""
    session, model = make_session()
    answered = []
    for cycle in range(1, 9):
        image_ns, newest_ns = 10 * cycle, 10 * (cycle + 4)
        step = session.on_image(image_ns, IMAGE, CAMERA)
        answered += [image_ns] if step is not None else []
        assert session.on_encoding(encoded(newest_ns)) is None
    assert answered == [50, 60, 70, 80]
    np.testing.assert_allclose(model.pixels[0], START + 4.0)


def test_only_few_encodings_wait_for_their_image() -> None:
    session, _ = make_session()
    for stamp in range(10, 210, 10):
        session.on_encoding(encoded(stamp))
    assert session.on_image(120, IMAGE, CAMERA) is None
    assert session.on_image(130, IMAGE, CAMERA) is not None


def test_late_encoding_is_answered_with_the_tracks_of_its_image() -> None:
    session, model = make_session()
    for stamp in (10, 20, 30):
        session.on_image(stamp, IMAGE, CAMERA)
    assert session.on_encoding(encoded(20)) is not None
    np.testing.assert_allclose(model.pixels[-1], START + 1.0)


def test_confidence_of_tracker_goal_and_model_multiply(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model = make_session(
        lambda *_: Goal(START, START.astype(float), np.array([1.0, 1.0, 0.5, 0.5]))
    )
    seen = Tracks(
        START, np.array([False, True, True, True]), np.array([0.0, 0.5, 1.0, 1.0], np.float32)
    )
    monkeypatch.setattr(ScriptedTracker, "start", lambda *_: seen)
    surface = replace(
        model.evaluate(ENCODING, CAMERA, START.astype(float)),
        confidence=np.array([1.0, 1.0, 1.0, 0.25]),
    )
    monkeypatch.setattr(model, "evaluate", lambda *_: surface)
    measured: list[Measurement] = []
    step = session.servo.step
    monkeypatch.setattr(session.servo, "step", lambda m: (measured.append(m), step(m))[1])
    session.on_image(10, IMAGE, CAMERA)
    session.on_encoding(encoded(10))
    np.testing.assert_allclose(measured[0].weights, [0.0, 0.5, 0.5, 0.125])
    # The model's own is told apart: where a point is not visible there is nothing to doubt.
    confidence = measured[0].confidence
    assert confidence is not None
    np.testing.assert_allclose(confidence, [np.nan, 1.0, 1.0, 0.25])


def test_repeated_image_is_no_fresh_image() -> None:
    session, model = make_session()
    now = iter([0.0, 1.0, 2.0, 3.0])
    session.clock = lambda: next(now)
    session.on_image(10, IMAGE, CAMERA)
    session.on_encoding(encoded(10))
    seen = session.paired_s
    assert session.on_image(10, IMAGE, CAMERA) is None
    assert session.on_encoding(encoded(10)) is None
    assert session.paired_s == seen
    assert len(model.pixels) == 1


def test_goal_error_reaches_the_caller() -> None:
    def impossible(*_: object) -> Goal:
        raise GoalError("nothing to see")

    session, _ = make_session(impossible)
    with pytest.raises(GoalError, match="nothing to see"):
        session.on_image(10, IMAGE, CAMERA)


def goal_near(distance_px: float, reference: bool = True) -> Goal:
    target = START.astype(float) + (distance_px, 0.0)
    return Goal(START, target, np.ones(4), IMAGE if reference else None)


def test_near_the_goal_image_the_goal_is_tracked_into_the_present() -> None:
    made: list[ScriptedTracker] = []

    def make() -> ScriptedTracker:
        made.append(ScriptedTracker(shift=0.0 if made else 0.5))
        return made[-1]

    tracker = GoalTracker(goal_near(2.0), make)
    tracker.start(IMAGE)
    found = tracker.update(IMAGE)
    assert tracker.anchored
    np.testing.assert_allclose(found.points, START + (2.0, 0.0))
    tracker.update(IMAGE)
    assert [each.starts for each in made] == [1, 1], "kept, not restarted"


@pytest.mark.parametrize(
    ("goal", "anchor"),
    [
        (goal_near(30.0), ScriptedTracker(0.0)),  # far
        (goal_near(2.0, reference=False), ScriptedTracker(0.0)),  # no goal image
        (goal_near(2.0), ScriptedTracker(9.0)),  # what is found is somewhere else
        (goal_near(2.0), ScriptedTracker(0.0, lost=4)),  # nothing is found
    ],
)
def test_otherwise_the_first_image_stays_the_reference(goal: Goal, anchor: ScriptedTracker) -> None:
    trackers = [ScriptedTracker(0.5), anchor]
    tracker = GoalTracker(goal, lambda: trackers.pop(0))
    tracker.start(IMAGE)
    np.testing.assert_allclose(tracker.update(IMAGE).points, START + 0.5)


def test_points_not_found_from_the_goal_image_are_kept() -> None:
    trackers = [ScriptedTracker(0.5), ScriptedTracker(0.0, lost=2)]
    tracker = GoalTracker(goal_near(2.0), lambda: trackers.pop(0))
    tracker.start(IMAGE)
    found = tracker.update(IMAGE)
    np.testing.assert_allclose(found.points[:2], START[:2] + 0.5)
    np.testing.assert_allclose(found.points[2:], START[2:] + (2.0, 0.0))
    assert found.visible.all()


def textured(turn_right_half_deg: float) -> np.ndarray:
    """Two textured discs; the right one can turn."""
    rng = np.random.default_rng(3)
    disc = cv2.GaussianBlur(rng.integers(0, 255, (240, 320, 3), np.uint8), (0, 0), 2.0)
    disc = np.clip(4.0 * (disc.astype(np.float64) - 127) + 127, 0, 255).astype(np.uint8)
    turned = cv2.warpAffine(
        disc, cv2.getRotationMatrix2D((230, 120), turn_right_half_deg, 1.0), (320, 240)
    )
    image = np.full((240, 320, 3), 90, np.uint8)
    v, u = np.mgrid[:240, :320]
    for content, center in ((disc, 90), (turned, 230)):
        inside = np.hypot(u - center, v - 120) < 50
        image[inside] = content[inside]
    return image


def test_part_without_points_that_is_still_off_joins_the_goal() -> None:
    goal_image, image = textured(0.0), textured(12.0)
    left = np.array([[80, 100], [100, 110], [90, 130], [70, 120], [95, 95]], np.float32)
    goal = Goal(left, left.astype(float), np.ones(5), reference=goal_image)
    session, _ = make_session(lambda *_: goal)
    session.make_tracker = lambda: ScriptedTracker(0.0)
    for stamp in range(10, 2000, 10):
        session.on_image(stamp, image, CAMERA)
        step = session.on_encoding(encoded(stamp))
        assert step is not None and step.reason is None, "not over while the right disc is off"
        if step.used > 5:
            break
    assert session._goal is not None
    joined = session._goal.start_px[5:]
    assert len(joined) >= 4 and (np.hypot(joined[:, 0] - 230, joined[:, 1] - 120) < 55).all()


def test_reached_goal_image_is_the_end() -> None:
    image = textured(0.0)
    left = np.array([[80, 100], [100, 110], [90, 130], [70, 120], [95, 95]], np.float32)
    session, _ = make_session(lambda *_: Goal(left, left.astype(float), np.ones(5), image))
    session.make_tracker = lambda: ScriptedTracker(0.0)
    reasons = []
    for stamp in range(10, 200, 10):
        session.on_image(stamp, image, CAMERA)
        step = session.on_encoding(encoded(stamp))
        assert step is not None
        reasons.append(step.reason)
        if step.reason is not None:
            break
    assert reasons[-1] is Reason.CONVERGED


class TurningTracker(ScriptedTracker):
    """Points turn by 0.1 rad per image about their middle, which goes 2 px to the right."""

    def update(self, image: np.ndarray) -> Tracks:
        middle = self.points.mean(axis=0)
        c, s = np.cos(0.1), np.sin(0.1)
        turn = np.array([[c, -s], [s, c]], np.float32)
        self.points = (self.points - middle) @ turn.T + middle + np.array([2, 0], np.float32)
        return tracks(self.points)


@pytest.mark.parametrize(("is_spot", "error_px"), [(True, 0.0), (False, 23.19)])
def test_a_spot_that_turns_on_its_way_arrives(is_spot: bool, error_px: float) -> None:
    """Without it, points that lie 24.2 px from the middle miss by that times 2 sin(1 rad / 2)."""
    target = START.astype(float) + (20.0, 0.0)
    spots = Spots.of(np.zeros(4, int), START, target) if is_spot else None
    goal = Goal(START, target, np.ones(4), spots=spots)
    session, _ = make_session(lambda *_: goal)
    session.make_tracker = TurningTracker
    for stamp_ns in range(10, 120, 10):
        session.on_image(stamp_ns, IMAGE, CAMERA)
        step = session.on_encoding(encoded(stamp_ns))
    assert step is not None
    assert step.error_px == pytest.approx(error_px, abs=0.01)


def test_a_spot_that_loses_points_is_taken_hold_of_anew() -> None:
    image = textured(0.0)
    points = corners_near(image, np.array([120.0, 120.0]))[:10]
    target = points.astype(float) + (20.0, 0.0)
    goal = Goal(points, target, np.ones(10), spots=Spots.of(np.zeros(10, int), points, target))
    session, model = make_session(lambda *_: goal)
    session.make_tracker = lambda: ScriptedTracker(shift=0.0, lost=5)
    used = []
    for stamp_ns in range(10, 80, 10):
        session.on_image(stamp_ns, image, CAMERA)
        step = session.on_encoding(encoded(stamp_ns))
        assert step is not None and step.error_px == pytest.approx(20.0, abs=0.01)
        used.append(step.used)
    assert used[:3] == [10, 5, 5 + 2]  # of the twelve it then has, the first five are lost
    assert max(len(pixels) for pixels in model.pixels) > 12  # those that were asked about


def test_a_spot_goes_only_so_far_from_image_to_image() -> None:
    rays = CAMERA.rays(START.astype(float))
    jacobian = np.zeros((4, 3, 2))
    jacobian[:, 0, 0] = [0.1, 0.2, 0.3, 10.0]
    measurement = Measurement(
        0, K, START.astype(float), START.astype(float), np.ones(4), 0.5 * rays, jacobian
    )
    weights, step = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.1, 0.0])
    assert measurement.slowdown(step, weights) == 1.0
    limited = replace(measurement, max_motion_px=6.0)
    assert limited.slowdown(step, weights) == pytest.approx(6.0 / (0.1 * 0.3 / 0.5 * 300))
    assert limited.slowdown(0.1 * step, weights) == 1.0
    assert limited.slowdown(0 * step, weights) == 1.0
