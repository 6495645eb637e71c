"""Settings of every source as flat parameters, and back."""

from pathlib import Path

import pytest

from njf_perception.cameras.make import Value, open_source, parse_settings, settings
from njf_perception.cameras.realsense import RealSenseConfig
from njf_perception.cameras.replay import BagConfig
from njf_perception.cameras.uvc import UvcConfig
from njf_perception.cameras.video import VideoCamera, VideoConfig
from njf_perception.errors import ConfigError


def values(**changes: Value) -> dict[str, Value]:
    return {setting.name: setting.default for setting in settings()} | changes


def test_every_key_of_every_source_is_a_described_setting():
    known = {setting.name: setting for setting in settings()}
    for schema in (UvcConfig, RealSenseConfig, VideoConfig, BagConfig):
        assert set(schema.model_fields) <= set(known)
    for setting in known.values():
        assert len(setting.description) > 10
        numeric = isinstance(setting.default, (int, float)) and setting.default is not False
        assert (setting.minimum is not None and setting.maximum is not None) == numeric
        if setting.minimum is not None and setting.maximum is not None:
            assert setting.minimum <= float(setting.default) <= setting.maximum


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, UvcConfig()),
        ({"exposure": 0.0, "width": 320}, UvcConfig(exposure=0.0, width=320)),
        ({"source": "realsense", "serial": "12"}, RealSenseConfig(serial="12")),
        (
            {"source": "video", "path": "/x", "rate_hz": 5.0},
            VideoConfig(path=Path("/x"), rate_hz=5.0),
        ),
        ({"source": "bag", "path": "/x", "topic": "/a"}, BagConfig(path=Path("/x"), topic="/a")),
    ],
)
def test_unset_values_are_the_sources_own_defaults(changes, expected):
    assert parse_settings(values(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"source": "webcam"}, "source 'webcam' is unknown. Choose one of uvc, realsense"),
        ({"path": "/x"}, "'path' is no setting of the source 'uvc' but of video and bag"),
        ({"source": "video", "path": "/x", "depth": True}, "'depth' is no setting of the source"),
        ({"source": "bag", "path": "/x"}, "missing key 'topic'"),
        ({"fourcc": "MJPEG"}, "'fourcc'"),
    ],
)
def test_wrong_settings_are_refused_in_words(changes, text):
    with pytest.raises(ConfigError, match=text):
        parse_settings(values(**changes))


def test_the_kind_decides_what_is_opened(tmp_path, grey_level):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), grey_level(0))
    camera = open_source("camera_0", VideoConfig(path=tmp_path))
    assert isinstance(camera, VideoCamera)
    camera.close()
