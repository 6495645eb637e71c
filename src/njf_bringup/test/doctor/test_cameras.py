"""The doctor's look at cameras: all there, able to do what is asked, and all at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from njf_bringup.doctor import cameras
from njf_bringup.doctor.camera_plan import CameraPlan
from njf_bringup.doctor.video_devices import video_devices

WEBCAM = {"width": 640, "height": 480, "device": "/dev/video0"}


def assumed(count: int, **changes: object) -> list[CameraPlan]:
    """So many cameras, of whom no file says anything."""
    fixed = WEBCAM | {"device": "", "is_assumed": True} | changes
    return [CameraPlan.model_validate(fixed | {"name": f"camera_{i}"}) for i in range(count)]


def planned(*each: Mapping[str, object]) -> list[CameraPlan]:
    """One camera for each mapping of settings."""
    return [
        CameraPlan.model_validate({**WEBCAM, "name": f"camera_{i}", **settings})
        for i, settings in enumerate(each)
    ]


def test_cameras_are_counted_not_their_nodes(sysfs: Path, tmp_path: Path) -> None:
    assert [device.node for device in video_devices(sysfs)] == ["/dev/video0", "/dev/video2"]
    assert cameras.camera_count(assumed(2), sysfs).state == "ok"
    check = cameras.camera_count(assumed(3), sysfs)
    assert check.state == "failed" and "2 that give images" in check.detail
    assert check.detail.endswith("not there: camera_2")
    assert cameras.camera_count(assumed(1), tmp_path / "none").state == "failed"


def test_every_named_device_is_there_once(sysfs: Path, tmp_path: Path) -> None:
    by_id = tmp_path / "usb-Maker_Camera-video-index0"
    by_id.symlink_to("/dev/video0")
    other = {"device": "/dev/video2"}
    assert cameras.camera_count(planned({"device": str(by_id)}, other), sysfs).state == "ok"
    check = cameras.camera_count(planned({"device": "/dev/video7"}, {}), sysfs)
    assert check.state == "failed" and "not there: camera_0 (/dev/video7)" in check.detail
    check = cameras.camera_count(planned({"device": "0"}, {"device": str(by_id)}), sysfs)
    assert check.state == "failed" and "camera_0 and camera_1 would open the same" in check.detail


def test_a_realsense_is_wanted_by_its_name_and_files_need_no_device(sysfs: Path) -> None:
    real = {"source": "realsense"}
    played = planned({}, real, {"source": "video"}, {"source": "bag"})
    assert cameras.camera_count(played, sysfs).state == "ok"
    check = cameras.camera_count(planned(real, real), sysfs)
    assert check.state == "failed" and "not there: camera_1 (a RealSense)" in check.detail


MODES = {
    "/dev/video0": ["MJPG 640x480 at 30 fps", "YUYV 640x480 at 15 fps"],
    "/dev/video2": ["YUYV 848x480 at 30 fps"],
}


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, "ok"),
        ({"rate_hz": 30.3}, "ok"),
        ({"fourcc": "YUYV"}, "failed"),
        ({"fourcc": "YUYV", "rate_hz": 15.0}, "ok"),
        ({"width": 320, "height": 240}, "failed"),
        ({"device": "/dev/video2"}, "failed"),
        ({"device": "/dev/video7"}, "note"),
        ({"source": "realsense"}, "note"),
    ],
)
def test_modes_are_those_that_the_node_asks_for(
    settings: dict[str, object], state: str, sysfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "offered_modes", lambda device: MODES[device])
    check = cameras.camera_modes(planned(settings), sysfs)
    assert check.state == state, check.line()
    if state == "failed":
        node = settings.get("device", "/dev/video0")
        assert f"v4l2-ctl -d {node} --list-formats-ext" in check.line()


def test_modes_without_v4l2_ctl_are_unknown(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "offered_modes", lambda device: [])
    assert cameras.camera_modes(assumed(1), sysfs).state == "note"


@pytest.mark.parametrize(
    ("first", "second", "load"),
    [
        ({}, {"device": "/dev/video2"}, None),
        ({"fourcc": "YUYV"}, {"fourcc": "YUYV", "device": "/dev/video2"}, "36.9"),
        ({"fourcc": "YUYV"}, {"source": "realsense"}, "36.9"),
        ({}, {"source": "realsense", "depth": True}, "40.6"),
        ({"source": "video"}, {"source": "realsense", "depth": True}, "36.9"),
        ({}, {"source": "realsense", "depth": True, "rate_hz": 15.0}, None),
        ({"fourcc": "YUYV"}, {"source": "bag"}, None),
    ],
)
def test_cameras_share_a_bus(
    first: dict[str, object], second: dict[str, object], load: str | None, sysfs: Path
) -> None:
    """USB 2 carries about 35 MB/s; the load beyond it is told [MB/s]."""
    check = cameras.camera_bandwidth(planned(first, second), sysfs)
    assert check.state == ("failed" if load else "ok"), check.line()
    assert f"{load} MB/s of about 35" in check.detail or not load
    assert "assumed" not in check.detail


def test_what_nobody_said_is_assumed_and_told(sysfs: Path, tmp_path: Path) -> None:
    check = cameras.camera_bandwidth(assumed(2), sysfs)
    assert check.state == "ok" and "defaults are assumed (MJPG, 30 Hz)" in check.detail
    check = cameras.camera_bandwidth(assumed(2, width=3840, height=2160), sysfs)
    assert check.state == "failed" and "lsusb -t" in check.line()
    half = [*planned({}), *assumed(2)[1:]]
    assert "assumed for camera_1 (" in cameras.camera_bandwidth(half, sysfs).detail
    assert cameras.camera_bandwidth(assumed(2), tmp_path / "none").state == "note"
