from collections.abc import Callable

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

LATEST = Time()


def transform(
    parent: str, child: str, xyz: tuple[float, float, float], yaw: float = 0.0, time_s: float = 0.0
) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=round(time_s * 1e9)).to_msg()
    vector = message.transform.translation
    vector.x, vector.y, vector.z = xyz
    message.transform.rotation.z = float(np.sin(yaw / 2))
    message.transform.rotation.w = float(np.cos(yaw / 2))
    return message


def pose(message: TransformStamped) -> tuple[list[float], float]:
    """Translation and yaw."""
    t, q = message.transform.translation, message.transform.rotation
    return [t.x, t.y, t.z], 2 * float(np.arctan2(q.z, q.w))


def at(time_s: float) -> Time:
    return Time(nanoseconds=round(time_s * 1e9))


def test_a_static_transform_holds_at_every_time() -> None:
    buffer = Buffer()
    buffer.set_transform_static(transform("world", "camera", (1.0, 2.0, 3.0), yaw=0.5), "test")
    for time in (LATEST, at(5.0), at(500.0)):
        found = buffer.lookup_transform("world", "camera", time)
        assert (found.header.frame_id, found.child_frame_id) == ("world", "camera")
        xyz, yaw = pose(found)
        np.testing.assert_allclose(xyz, [1, 2, 3], atol=1e-12)
        assert yaw == pytest.approx(0.5)


def test_the_inverse_is_given_too() -> None:
    buffer = Buffer()
    buffer.set_transform_static(transform("world", "arm", (1.0, 0.0, 0.0), yaw=np.pi / 2), "test")
    xyz, yaw = pose(buffer.lookup_transform("arm", "world", LATEST))
    np.testing.assert_allclose(xyz, [0, 1, 0], atol=1e-12)
    assert yaw == pytest.approx(-np.pi / 2)


def test_chains_meet_at_their_common_ancestor() -> None:
    buffer = Buffer()
    buffer.set_transform_static(transform("world", "base", (0.0, 0.0, 1.0)), "test")
    buffer.set_transform_static(transform("base", "arm", (1.0, 0.0, 0.0), yaw=np.pi / 2), "test")
    buffer.set_transform_static(transform("arm", "tip", (2.0, 0.0, 0.0)), "test")
    buffer.set_transform_static(transform("base", "camera", (0.0, -1.0, 0.0)), "test")
    xyz, yaw = pose(buffer.lookup_transform("camera", "tip", LATEST))
    np.testing.assert_allclose(xyz, [1, 3, 0], atol=1e-12)
    assert yaw == pytest.approx(np.pi / 2)
    xyz, _ = pose(buffer.lookup_transform("tip", "tip", LATEST))
    np.testing.assert_allclose(xyz, [0, 0, 0], atol=1e-12)


def test_changing_transforms_are_interpolated() -> None:
    buffer = Buffer()
    buffer.set_transform(transform("world", "arm", (0.0, 0.0, 0.0), 0.0, time_s=1.0), "test")
    buffer.set_transform(transform("world", "arm", (4.0, 0.0, 0.0), 1.0, time_s=2.0), "test")
    xyz, yaw = pose(buffer.lookup_transform("world", "arm", at(1.25)))
    np.testing.assert_allclose(xyz, [1, 0, 0], atol=1e-6)
    assert yaw == pytest.approx(0.25, abs=1e-6)


def test_latest_is_the_newest_time_the_whole_chain_knows() -> None:
    buffer = Buffer()
    for time_s in (1.0, 2.0, 3.0):
        buffer.set_transform(transform("world", "arm", (time_s, 0.0, 0.0), time_s=time_s), "test")
    for time_s in (1.0, 2.0):
        buffer.set_transform(transform("arm", "tip", (0.0, time_s, 0.0), time_s=time_s), "test")
    found = buffer.lookup_transform("world", "tip", LATEST)
    assert found.header.stamp.sec == 2
    np.testing.assert_allclose(pose(found)[0], [2, 2, 0], atol=1e-9)


def test_each_failure_has_its_exception() -> None:
    buffer = Buffer()
    buffer.set_transform(transform("world", "arm", (0.0, 0.0, 0.0), time_s=1.0), "test")
    buffer.set_transform(transform("world", "arm", (0.0, 0.0, 0.0), time_s=2.0), "test")
    buffer.set_transform_static(transform("island", "tree", (0.0, 0.0, 0.0)), "test")
    with pytest.raises(LookupException):
        buffer.lookup_transform("world", "nowhere", LATEST)
    with pytest.raises(ConnectivityException):
        buffer.lookup_transform("world", "tree", LATEST)
    for time_s in (0.5, 2.5):
        with pytest.raises(ExtrapolationException):
            buffer.lookup_transform("world", "arm", at(time_s))
    for kind in (LookupException, ConnectivityException, ExtrapolationException):
        assert issubclass(kind, TransformException)


def test_can_transform_says_whether() -> None:
    buffer = Buffer()
    assert not buffer.can_transform("world", "camera", LATEST, Duration(seconds=0.05))
    buffer.set_transform_static(transform("world", "camera", (0.0, 0.0, 0.0)), "test")
    assert buffer.can_transform("world", "camera", LATEST)


def test_old_transforms_are_forgotten() -> None:
    buffer = Buffer(Duration(seconds=1.0))
    for time_s in (1.0, 2.0, 3.0):
        buffer.set_transform(transform("world", "arm", (0.0, 0.0, 0.0), time_s=time_s), "test")
    assert not buffer.can_transform("world", "arm", at(1.5))
    assert buffer.can_transform("world", "arm", at(2.5))
    buffer.clear()
    assert not buffer.can_transform("world", "arm", LATEST)


@pytest.mark.ros
def test_broadcasts_reach_a_listener_that_joins_late(
    spin: Callable[..., None], wait_until: Callable[..., None]
) -> None:
    sender, receiver = Node("sender"), Node("receiver")
    static = StaticTransformBroadcaster(sender)
    static.sendTransform(transform("world", "base", (1.0, 0.0, 0.0)))
    static.sendTransform([transform("base", "camera", (0.0, 1.0, 0.0))])
    changing = TransformBroadcaster(sender)
    buffer = Buffer()
    listener = TransformListener(buffer, receiver)
    spin(sender, receiver)
    wait_until(lambda: buffer.can_transform("world", "camera", LATEST), what="/tf_static")
    np.testing.assert_allclose(
        pose(buffer.lookup_transform("world", "camera", LATEST))[0], [1, 1, 0], atol=1e-12
    )

    def tip_is_known() -> bool:
        changing.sendTransform(transform("camera", "tip", (0.0, 0.0, 1.0), time_s=7.0))
        return buffer.can_transform("world", "tip", at(7.0))

    wait_until(tip_is_known, what="/tf")
    listener.unregister()
