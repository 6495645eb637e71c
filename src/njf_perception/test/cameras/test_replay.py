"""Bags as cameras: recorded pace, stamps, compression, and what is wrong with a bag."""

import time

import numpy as np
import pytest

from njf_perception.cameras.base import EndOfVideoError
from njf_perception.cameras.replay import BagCamera, BagConfig
from njf_perception.errors import ConfigError, DataError
from njf_perception.message_image import decode_image

TOPIC = "/camera_0/image_raw"
BEGIN_S = 1_700_000_000.0


@pytest.fixture
def bag(make_bag, grey_level):
    """Five grey images at 20 Hz, recorded long ago."""
    return make_bag([grey_level(i) for i in range(5)], [BEGIN_S + 0.05 * i for i in range(5)])


def config(path, **changes):
    return BagConfig(path=path, topic=TOPIC, **changes)


def test_a_bag_plays_at_its_recorded_rate_and_ends(bag, play):
    camera = BagCamera("camera_0", config(bag))
    assert camera.rate_hz == pytest.approx(20.0)
    begin_s, begin_ns = time.monotonic(), time.time_ns()
    for sequence, level in play(camera, 5).items():
        assert level == 20 * sequence
    assert time.monotonic() - begin_s >= 4 * 0.05 - 0.005
    assert camera.wait_next(4, 1.0).wall_ns >= begin_ns
    with pytest.raises(EndOfVideoError, match="at its end"):
        camera.wait_next(5, timeout_s=10.0)
    camera.close()


def test_a_folder_plays_too_and_begins_again(bag, play):
    camera = BagCamera("camera_0", config(bag.parent, loop=True, rate_hz=50.0, width=64))
    for sequence, level in play(camera, 12).items():
        assert level == 20 * ((sequence - 1) % 5 + 1)
    camera.close()


def test_recorded_stamps_can_be_kept(bag):
    camera = BagCamera("camera_0", config(bag, keep_stamps=True, loop=True))
    camera.start()
    stamps_ns: list[int] = []
    sequence = 0
    while sequence < 12:
        frame = camera.wait_next(sequence, 5.0)
        sequence = frame.sequence
        stamps_ns.append(frame.wall_ns)
    recorded = {round(1e9 * (BEGIN_S + 0.05 * i)) for i in range(5)}
    assert set(stamps_ns) <= recorded
    assert camera.counters.backwards == 0
    camera.close()


def test_compressed_images_play(make_bag, grey_level, play):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 240
    camera = BagCamera("camera_0", config(make_bag([red], [BEGIN_S], compressed=True)))
    camera.start()
    assert camera.wait_next(0, 10.0).image[0, 0].tolist() == [240, 0, 0]
    camera.close()


@pytest.mark.parametrize(
    ("topic", "text"),
    [("/camera_9/image_raw", "is not in the bag"), ("/note", "is of type")],
)
def test_a_topic_without_images_is_refused_with_those_there_are(bag, topic, text):
    with pytest.raises(ConfigError, match=text) as refusal:
        BagCamera("camera_0", BagConfig(path=bag, topic=topic))
    assert TOPIC in str(refusal.value)


def test_a_missing_bag_is_refused(tmp_path):
    with pytest.raises(DataError, match="no .mcap file there"):
        BagCamera("camera_0", config(tmp_path / "none"))


def test_a_damaged_image_message_is_refused(grey_level):
    class Message:
        encoding, height, width, step = "rgb8", 48, 64, 192
        data = np.zeros(48 * 192 - 1, np.uint8)

    with pytest.raises(DataError, match="holds 9215 bytes; expected 9216"):
        decode_image(Message(), TOPIC)
