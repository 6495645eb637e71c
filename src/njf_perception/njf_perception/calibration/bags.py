"""Sightings and lenses from a recorded bag: `<camera>/image_raw` and `<camera>/camera_info`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from njf_perception.bag import BagReader, header_stamp_ns
from njf_perception.calibration.board import Board
from njf_perception.calibration.detect import Sighting, TagDetector
from njf_perception.calibration.folders import check_size
from njf_perception.calibration.lens import Lens
from njf_perception.errors import DataError
from njf_perception.message_image import decode_image


def bag_lenses(path: Path) -> tuple[dict[str, Lens], dict[str, int]]:
    """Each camera's lens as its first camera_info has it, and its count of images.

    Raises:
        DataError: no camera sends images, or one of them no camera_info or no usable one.
    """
    infos, images = {}, {}
    reader = BagReader(path)
    for message in reader.messages():
        camera, leaf = _parts(message.topic)
        if leaf == "camera_info" and camera not in infos:
            infos[camera] = reader.decode(message)
        elif leaf == "image_raw" and message.type_name == "sensor_msgs/msg/Image":
            images[camera] = images.get(camera, 0) + 1
    if not images:
        raise DataError(f"{path}: no <camera>/image_raw. Record with njf record --mode stream.")
    missing = sorted(set(images) - set(infos))
    if missing:
        raise DataError(f"{path}: no {missing[0]}/camera_info. Record it with the images.")
    return {name: lens_of_info(name, infos[name]) for name in sorted(images)}, images


def bag_sightings(
    path: Path, board: Board, sizes: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, int, Sighting]]:
    """(camera, stamp [ns], tags) of every image of the cameras in `sizes`.

    Raises:
        DataError: an image is not of the size in camera_info, or of an unknown encoding.
    """
    detector = TagDetector(board)
    reader = BagReader(path)
    for message in reader.messages():
        camera, leaf = _parts(message.topic)
        if leaf != "image_raw" or camera not in sizes:
            continue
        gray = cv2.cvtColor(decode_image(reader.decode(message), message.topic), cv2.COLOR_RGB2GRAY)
        size = (gray.shape[1], gray.shape[0])
        check_size(f"an image of {message.topic}", size, sizes[camera])
        yield camera, header_stamp_ns(message.data), detector(np.asarray(gray, np.uint8))


def _parts(topic: str) -> tuple[str, str]:
    """The camera and the last part of a topic's name; no camera where depth is sent."""
    *spaces, leaf = topic.strip("/").split("/")
    return (spaces[-1] if spaces and not spaces[-1].startswith("aligned") else "", leaf)


def lens_of_info(camera: str, info: object) -> Lens:
    """Lens of a sensor_msgs/CameraInfo, of ROS or of a bag; no model's name is a plumb_bob.

    Raises:
        DataError: its distortion is none that is known.
    """
    K = np.array(getattr(info, "k"), np.float64).reshape(3, 3)  # noqa: B009
    distortion = np.array(getattr(info, "d"), np.float64)  # noqa: B009
    model = getattr(info, "distortion_model") or "plumb_bob"  # noqa: B009
    size = int(getattr(info, "width")), int(getattr(info, "height"))  # noqa: B009
    try:
        return Lens(*size, K, distortion, model)
    except DataError as error:
        raise DataError(f"{camera}/camera_info: {error}") from None
