"""Frames' names, with and without a prefix."""

import pytest

from njf_perception.errors import ConfigError
from njf_perception.frames import checked_prefix, optical_frame, prefix_of, world_frame


@pytest.mark.parametrize("prefix", ["", "left/", "left_"])
def test_the_prefix_of_a_cameras_frame_is_found_again(prefix: str) -> None:
    frame = optical_frame("camera_0", prefix)
    assert frame == f"{prefix}camera_0_optical_frame"
    assert prefix_of(frame, "camera_0") == prefix
    assert world_frame(prefix) == f"{prefix}world"


def test_a_frame_of_another_driver_has_no_prefix() -> None:
    assert prefix_of("camera_0_color_optical_frame", "camera_0") == ""


@pytest.mark.parametrize("prefix", ["/left/", "left arm/", "left/\n"])
def test_what_tf2_would_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="no slash in front"):
        checked_prefix(prefix)
