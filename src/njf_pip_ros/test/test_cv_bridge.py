import array

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge import CvBridge, CvBridgeError

BRIDGE = CvBridge()
RNG = np.random.default_rng(0)
SHAPES = {"rgb8": (5, 7, 3), "bgr8": (5, 7, 3), "rgba8": (5, 7, 4), "mono8": (5, 7)}


@pytest.mark.parametrize("encoding", SHAPES)
def test_bytes_survive_the_round_trip(encoding: str) -> None:
    image = RNG.integers(0, 255, SHAPES[encoding], dtype=np.uint8)
    message = BRIDGE.cv2_to_imgmsg(image, encoding, header=Header(frame_id="camera"))
    assert (message.height, message.width, message.encoding) == (5, 7, encoding)
    assert message.step * message.height == len(message.data) == image.nbytes
    assert message.header.frame_id == "camera"
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), image)


@pytest.mark.parametrize(("encoding", "dtype"), [("16UC1", np.uint16), ("32FC1", np.float32)])
def test_depth_images_keep_their_type(encoding: str, dtype: type) -> None:
    image = (RNG.random((4, 6)) * 1000).astype(dtype)
    result = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(image, encoding), encoding)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, image)


def test_passthrough_names_the_type_of_the_array() -> None:
    assert BRIDGE.cv2_to_imgmsg(np.zeros((2, 2, 3), np.uint8)).encoding == "8UC3"
    assert BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.float32)).encoding == "32FC1"


def test_colours_are_converted() -> None:
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 255
    message = BRIDGE.cv2_to_imgmsg(red, "rgb8")
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, "bgr8"), red[..., ::-1])
    grey = BRIDGE.imgmsg_to_cv2(message, "mono8")
    assert grey.shape == (2, 3)
    assert abs(int(grey[0, 0]) - 76) <= 1  # 0.299 of 255, ITU-R BT.601
    np.testing.assert_array_equal(
        BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(grey, "mono8"), "rgb8"), np.stack([grey] * 3, -1)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_padding_at_the_end_of_rows_is_skipped(channels: int) -> None:
    width, step = 3, 3 * channels + 6
    rows = RNG.integers(0, 255, (2, step), dtype=np.uint8)
    encoding = "mono8" if channels == 1 else "rgb8"
    message = Image(height=2, width=width, encoding=encoding, step=step)
    message.data = array.array("B", rows.tobytes())
    expected = rows[:, : width * channels].reshape(2, width, channels).squeeze()
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), expected)


def test_big_endian_images_are_read() -> None:
    values = np.array([[1, 256], [1000, 65535]], dtype=np.uint16)
    message = Image(height=2, width=2, encoding="16UC1", step=4, is_bigendian=1)
    message.data = array.array("B", values.astype(">u2").tobytes())
    result = BRIDGE.imgmsg_to_cv2(message)
    assert result.tolist() == values.tolist()


def test_what_cannot_be_converted_raises() -> None:
    depth = BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.float32), "32FC1")
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(depth, "rgb8")
    with pytest.raises(CvBridgeError):
        BRIDGE.cv2_to_imgmsg(np.zeros((2, 2), np.float32), "rgb8")
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(Image(height=1, width=1, encoding="nonsense", step=1), "rgb8")


def test_a_message_with_too_few_bytes_raises() -> None:
    message = Image(height=4, width=4, encoding="rgb8", step=12)
    message.data = array.array("B", bytes(40))
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(message)


def test_png_is_lossless_and_jpeg_close() -> None:
    image = np.full((16, 16, 3), (10, 120, 230), np.uint8)
    png = BRIDGE.cv2_to_compressed_imgmsg(image, "png")
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(png), image)
    jpeg = BRIDGE.cv2_to_compressed_imgmsg(image)
    assert "jp" in jpeg.format
    decoded = BRIDGE.compressed_imgmsg_to_cv2(jpeg, "bgr8").astype(int)
    assert np.abs(decoded - image).max() <= 4
    assert isinstance(png, CompressedImage)
