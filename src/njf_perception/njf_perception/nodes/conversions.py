"""Messages to arrays and back, so that everything behind the nodes is plain NumPy.

Array fields are set through `array.array`: rosidl copies it at once, while an ndarray or list of a
VGA image costs a hundred milliseconds.
"""

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Transform, TransformStamped
from jaxtyping import Float, Float32, Int64, UInt8, UInt16
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

import tf_transformations
from cv_bridge import CvBridge, CvBridgeError
from njf_msgs.msg import PointTracks
from njf_perception.camera import Camera
from njf_perception.depth_image import depth_metres
from njf_perception.errors import ConfigError, DataError
from njf_perception.trackers.base import Tracks

_BRIDGE = CvBridge()
_NS_PER_S = 1_000_000_000
_DEPTH_ENCODINGS = ("16UC1", "32FC1")


def stamp_to_ns(stamp: Time) -> int:
    """Time message to integer nanoseconds."""
    return stamp.sec * _NS_PER_S + stamp.nanosec


def ns_to_stamp(time_ns: int) -> Time:
    """Integer nanoseconds to a time message."""
    sec, nanosec = divmod(int(time_ns), _NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def float_array(values: Float[np.ndarray, "..."]) -> "array.array[float]":
    """Row-major float32 values for a `float32[]` field."""
    result = array.array("f")
    result.frombytes(np.ascontiguousarray(values, np.float32).tobytes())
    return result


def byte_array(values: np.ndarray) -> "array.array[int]":
    """The bytes of an array for a `uint8[]` field."""
    result = array.array("B")
    result.frombytes(np.ascontiguousarray(values).tobytes())
    return result


def image_to_msg(
    image: UInt8[np.ndarray, "h w 3"]
    | UInt8[np.ndarray, "h w"]
    | UInt16[np.ndarray, "h w"]
    | Float32[np.ndarray, "h w"],
    header: Header,
    encoding: str,
) -> Image:
    """Image message of `image`, whose values already are in `encoding` (rgb8, 16UC1, 32FC1...)."""
    height, width = image.shape[:2]
    step = image.itemsize * image[0].size
    data = byte_array(image)
    return Image(header=header, height=height, width=width, encoding=encoding, step=step, data=data)


def image_from_msg(msg: Image) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a colour or mono image message (a copy nobody else writes to).

    Raises:
        DataError: the encoding has no conversion to rgb8 or the data do not fill the image.
    """
    if msg.height == 0 or msg.step * msg.height != len(msg.data):
        raise DataError(
            f"Image of {msg.width} x {msg.height} px, step {msg.step}, holds {len(msg.data)} bytes;"
            f" expected {msg.step * msg.height}. Repair the publisher of this topic."
        )
    try:
        return np.array(_BRIDGE.imgmsg_to_cv2(msg, desired_encoding="rgb8"))
    except CvBridgeError as error:
        raise DataError(
            f"Image encoding '{msg.encoding}' cannot become rgb8 ({error}). "
            "Publish rgb8, bgr8, rgba8, bgra8 or mono8."
        ) from None


def depth_from_msg(msg: Image) -> Float32[np.ndarray, "h w"]:
    """Depth [m] of a depth image message, NaN where nothing was measured (REP 118).

    Raises:
        DataError: the encoding is not 16UC1 or 32FC1, or the data do not fill the image.
    """
    if msg.encoding not in _DEPTH_ENCODINGS:
        raise DataError(
            f"depth image has encoding '{msg.encoding}', expected 16UC1 [mm] or 32FC1 [m]. "
            "Set the camera driver's depth format."
        )
    try:
        return depth_metres(_BRIDGE.imgmsg_to_cv2(msg, desired_encoding="passthrough"))
    except CvBridgeError as error:
        raise DataError(f"depth image is broken ({error}). Repair its publisher.") from None


def camera_info_msg(camera: Camera, header: Header) -> CameraInfo:
    """Camera info of an undistorted pinhole camera."""
    projection = np.hstack([camera.K, np.zeros((3, 1))])
    return CameraInfo(
        header=header,
        width=int(camera.width),
        height=int(camera.height),
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=camera.K.astype(np.float64).ravel(),
        r=np.eye(3).ravel(),
        p=projection.astype(np.float64).ravel(),
    )


def camera_from_info(
    msg: CameraInfo, name: str, T_world_camera: Float[np.ndarray, "4 4"] | None = None
) -> Camera:
    """Pinhole camera of a camera info; the pose is the identity when it is not given.

    Raises:
        ConfigError: the camera is not calibrated (K[0] is 0, REP 104), or its images are distorted.
    """
    if msg.k[0] == 0.0:
        raise ConfigError(
            f"{name}: camera_info says uncalibrated (K[0] = 0), but the model needs intrinsics. "
            "Calibrate the camera and give its node the calibration file."
        )
    if np.any(np.abs(np.asarray(msg.d, np.float64)) > 0):
        raise ConfigError(
            f"{name}: camera_info has lens distortion {list(msg.d)}, but a pinhole is expected. "
            "Set 'undistort: true' on the camera node, or subscribe to rectified images."
        )
    T = np.eye(4) if T_world_camera is None else T_world_camera
    K = np.asarray(msg.k, np.float64).reshape(3, 3)
    return Camera(name, int(msg.width), int(msg.height), K, T)


def tracks_to_msg(ids: Int64[np.ndarray, " n"], tracks: Tracks, header: Header) -> PointTracks:
    """Point tracks message; `ids` name the points of `tracks` in order."""
    return PointTracks(
        header=header,
        ids=array.array("I", ids.tolist()),
        u_px=float_array(tracks.points[:, 0]),
        v_px=float_array(tracks.points[:, 1]),
        visible=tracks.visible.tolist(),
        confidence=float_array(tracks.confidence),
    )


def tracks_from_msg(msg: PointTracks) -> tuple[Int64[np.ndarray, " n"], Tracks]:
    """Ids and tracks of a message. Empty `visible` or `confidence` mean: all visible, certain.

    Raises:
        DataError: the arrays differ in length, an id repeats, or a visible point is not finite.
    """
    ids = np.asarray(msg.ids, np.int64)
    visible = np.asarray(msg.visible or [True] * len(ids), bool)
    confidence = np.asarray(msg.confidence or [1.0] * len(ids), np.float32)
    lengths = [len(ids), len(msg.u_px), len(msg.v_px), len(visible), len(confidence)]
    if len(set(lengths)) != 1:
        raise DataError(
            f"PointTracks has {lengths} values of ids, u_px, v_px, visible and confidence; "
            "expected equally many. Fill one value per point."
        )
    points = np.stack([msg.u_px, msg.v_px], axis=1).astype(np.float32)
    if len(np.unique(ids)) != len(ids) or not np.isfinite(points[visible]).all():
        raise DataError(
            f"PointTracks with ids {ids.tolist()} repeats an id or has a visible point that is "
            "not finite. Give each point its own id and finite pixels."
        )
    return ids, Tracks(points, visible, confidence)


def pose_to_transform(
    T_parent_child: Float[np.ndarray, "4 4"], header: Header, child_frame_id: str
) -> TransformStamped:
    """TF transform of a pose; `header.frame_id` is the parent frame."""
    x, y, z, w = tf_transformations.quaternion_from_matrix(T_parent_child)
    msg = TransformStamped(header=header, child_frame_id=child_frame_id)
    translation, rotation = msg.transform.translation, msg.transform.rotation
    translation.x, translation.y, translation.z = (float(value) for value in T_parent_child[:3, 3])
    rotation.x, rotation.y, rotation.z, rotation.w = float(x), float(y), float(z), float(w)
    return msg


def transform_to_matrix(transform: Transform) -> Float[np.ndarray, "4 4"]:
    """The 4 x 4 pose of a TF transform (child to parent)."""
    q, t = transform.rotation, transform.translation
    T = np.array(tf_transformations.quaternion_matrix([q.x, q.y, q.z, q.w]), np.float64)
    T[:3, 3] = t.x, t.y, t.z
    return T
