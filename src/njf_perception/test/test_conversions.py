"""Messages and arrays turn into each other without loss; wrong messages are refused by name."""

import array

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Transform
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from njf_msgs.msg import PointTracks
from njf_perception.camera import Camera
from njf_perception.errors import ConfigError, DataError
from njf_perception.nodes import conversions
from njf_perception.trackers.base import Tracks

HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="camera_0_optical_frame")
K = np.array([[300.0, 0.0, 159.5], [0.0, 310.0, 119.5], [0.0, 0.0, 1.0]])


def through_wire(msg):
    """The message as a subscriber gets it."""
    return deserialize_message(serialize_message(msg), type(msg))


def rgb_image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)


def test_stamp_round_trip():
    for time_ns in (0, 1, 999_999_999, 1_000_000_000, 1_720_000_000_123_456_789):
        assert conversions.stamp_to_ns(conversions.ns_to_stamp(time_ns)) == time_ns


def test_rgb_image_round_trip():
    image = rgb_image()
    msg = through_wire(conversions.image_to_msg(image, HEADER, "rgb8"))
    assert (msg.width, msg.height, msg.step) == (32, 24, 96)
    assert msg.header == HEADER
    np.testing.assert_array_equal(conversions.image_from_msg(msg), image)


def test_depth_messages_become_metres():
    depth = np.array([[0, 500, 1200], [65535, 1, 7]], np.uint16)
    in_mm = through_wire(conversions.image_to_msg(depth, HEADER, "16UC1"))
    known = np.where(depth > 0, depth / 1e3, np.nan).astype(np.float32)
    np.testing.assert_allclose(conversions.depth_from_msg(in_mm), known, rtol=1e-6)
    in_m = through_wire(conversions.image_to_msg(known, HEADER, "32FC1"))
    np.testing.assert_array_equal(conversions.depth_from_msg(in_m), known)


def test_other_depth_messages_are_refused_by_name():
    colour = conversions.image_to_msg(rgb_image(), HEADER, "rgb8")
    with pytest.raises(DataError, match="encoding 'rgb8', expected 16UC1"):
        conversions.depth_from_msg(colour)
    cut = conversions.image_to_msg(np.ones((4, 4), np.uint16), HEADER, "16UC1")
    cut.data = cut.data[:-2]
    with pytest.raises(DataError, match="depth image is broken"):
        conversions.depth_from_msg(cut)


def test_image_from_non_contiguous_view():
    image = rgb_image()[:, ::-1]
    msg = conversions.image_to_msg(image, HEADER, "rgb8")
    np.testing.assert_array_equal(conversions.image_from_msg(msg), image)


def test_bgr_message_becomes_rgb():
    image = rgb_image()
    msg = conversions.image_to_msg(image[..., ::-1], HEADER, "bgr8")
    np.testing.assert_array_equal(conversions.image_from_msg(msg), image)


def test_padded_rows_are_read_by_step():
    image = rgb_image()
    padded = np.concatenate([image, np.zeros((24, 4, 3), np.uint8)], axis=1)
    msg = conversions.image_to_msg(padded, HEADER, "rgb8")
    msg.width = 32
    np.testing.assert_array_equal(conversions.image_from_msg(msg), image)


def test_float_image_keeps_values_and_nan():
    depth = np.random.default_rng(1).random((5, 7), np.float32)
    depth[2, 3] = np.nan
    msg = through_wire(conversions.image_to_msg(depth, HEADER, "32FC1"))
    assert (msg.width, msg.height, msg.step) == (7, 5, 28)
    np.testing.assert_array_equal(np.frombuffer(msg.data, np.float32).reshape(5, 7), depth)


def test_image_copy_is_not_the_message_memory():
    msg = conversions.image_to_msg(rgb_image(), HEADER, "rgb8")
    conversions.image_from_msg(msg)[:] = 0
    assert any(msg.data)


def test_truncated_image_is_refused():
    msg = conversions.image_to_msg(rgb_image(), HEADER, "rgb8")
    msg.data = msg.data[:100]
    with pytest.raises(DataError, match="100 bytes"):
        conversions.image_from_msg(msg)


def test_unknown_encoding_is_refused():
    msg = Image(height=2, width=2, step=8, encoding="32FC1", data=array.array("B", bytes(16)))
    msg.encoding = "nonsense"
    with pytest.raises(DataError, match="nonsense"):
        conversions.image_from_msg(msg)


def test_camera_info_round_trip():
    pose = np.eye(4)
    pose[:3, 3] = 1.0, 2.0, 3.0
    camera = Camera("camera_0", 320, 240, K, pose)
    msg = through_wire(conversions.camera_info_msg(camera, HEADER))
    back = conversions.camera_from_info(msg, "camera_0", pose)
    assert (back.name, back.width, back.height) == ("camera_0", 320, 240)
    np.testing.assert_array_equal(back.K, K)
    np.testing.assert_array_equal(back.T_world_camera, pose)


def test_uncalibrated_camera_is_refused():
    with pytest.raises(ConfigError, match="uncalibrated"):
        conversions.camera_from_info(CameraInfo(width=4, height=3), "camera_0")


def test_distorted_camera_is_refused():
    msg = conversions.camera_info_msg(Camera("camera_0", 320, 240, K, np.eye(4)), HEADER)
    msg.d = [-0.1, 0.0, 0.0, 0.0, 0.0]
    with pytest.raises(ConfigError, match="undistort"):
        conversions.camera_from_info(msg, "camera_0")


def test_tracks_round_trip():
    rng = np.random.default_rng(2)
    tracks = Tracks(
        rng.uniform(0, 300, (6, 2)).astype(np.float32),
        np.array([True, False, True, True, True, False]),
        rng.random(6).astype(np.float32),
    )
    ids = np.array([4, 9, 2, 4_000_000_000, 0, 1])
    msg = through_wire(conversions.tracks_to_msg(ids, tracks, HEADER))
    ids_back, back = conversions.tracks_from_msg(msg)
    np.testing.assert_array_equal(ids_back, ids)
    np.testing.assert_array_equal(back.points, tracks.points)
    np.testing.assert_array_equal(back.visible, tracks.visible)
    np.testing.assert_array_equal(back.confidence, tracks.confidence)


def test_tracks_without_visibility_are_all_visible():
    msg = PointTracks(ids=[3, 5], u_px=[1.0, 2.0], v_px=[3.0, 4.0])
    _, tracks = conversions.tracks_from_msg(msg)
    assert tracks.visible.all() and (tracks.confidence == 1).all()


@pytest.mark.parametrize(
    "msg",
    [
        PointTracks(ids=[1, 2], u_px=[1.0], v_px=[3.0, 4.0]),
        PointTracks(ids=[1, 1], u_px=[1.0, 2.0], v_px=[3.0, 4.0]),
        PointTracks(ids=[1, 2], u_px=[1.0, float("nan")], v_px=[3.0, 4.0]),
    ],
    ids=["lengths", "repeated id", "not finite"],
)
def test_inconsistent_tracks_are_refused(msg):
    with pytest.raises(DataError):
        conversions.tracks_from_msg(msg)


def test_float_array_is_row_major_float32():
    values = np.arange(6, dtype=np.float64).reshape(2, 3).T
    result = conversions.float_array(values)
    assert result.typecode == "f" and list(result) == [0, 3, 1, 4, 2, 5]


def test_transform_round_trip():
    angle = 0.7
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = 0.1, -0.2, 0.3
    stamped = through_wire(conversions.pose_to_transform(pose, HEADER, "camera"))
    assert isinstance(stamped.transform, Transform) and stamped.child_frame_id == "camera"
    np.testing.assert_allclose(conversions.transform_to_matrix(stamped.transform), pose, atol=1e-12)
