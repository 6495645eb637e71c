"""USB bandwidth on a made-up sysfs: two buses, a hub, and a camera that is built in."""

from pathlib import Path

import pytest

from njf_perception.cameras.bandwidth import Link, Mode, links, report

# Video device -> its place below the controller; each folder is a USB device with its speed.
PLACES = {
    "video0": "usb1/1-1/1-1:1.0",
    "video2": "usb1/1-4/1-4.2/1-4.2:1.0",
    "video4": "usb1/1-4/1-4.3/1-4.3:1.0",
    "video6": "usb2/2-1/2-1:1.0",
}
FAST = ("usb2", "2-1")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    controller = tmp_path / "devices" / "pci0000:00" / "0000:00:14.0"
    classes = tmp_path / "class" / "video4linux"
    for video, place in PLACES.items():
        interface = controller / place
        interface.mkdir(parents=True)
        (classes / video).mkdir(parents=True)
        (classes / video / "device").symlink_to(interface)
        for folder in interface.relative_to(controller).parents:
            if folder.name:
                speed = 5000 if folder.name in FAST else 480
                (controller / folder / "speed").write_text(str(speed))
    (classes / "video9").mkdir()
    (classes / "video9" / "device").symlink_to(controller)
    return tmp_path


def mode(number: int, fourcc: str = "YUYV", rate_hz: float = 30.0) -> Mode:
    return Mode(f"camera_{number}", f"/dev/video{2 * number}", 640, 480, rate_hz, fourcc)


def test_links_lead_from_the_camera_to_its_bus(sysfs):
    assert [link.name for link in links("/dev/video2", sysfs)] == ["1-4.2", "1-4", "usb1"]
    assert links("6", sysfs)[-1] == Link("usb2", 5e9)
    assert links("/dev/video9", sysfs) == links("/dev/video77", sysfs) == []


def test_a_stable_name_is_followed_to_its_device(sysfs, tmp_path):
    (tmp_path / "video6").touch()
    name = tmp_path / "usb-Maker_Camera-video-index0"
    name.symlink_to("video6")
    assert links(str(name), sysfs) == links("/dev/video6", sysfs)


def test_what_fits_is_told_with_figures(sysfs):
    told = report([mode(0), mode(3)], sysfs)
    assert told.fits
    assert told.sentence == ("camera_0 on USB port 1-1 (480 Mbit/s): 18.4 MB/s of about 35, fits")


def test_cameras_on_one_bus_are_summed_and_another_format_proposed(sysfs):
    told = report([mode(0), mode(1), mode(3)], sysfs)
    assert not told.fits
    assert told.sentence == (
        "camera_0, camera_1 on USB bus 1 (480 Mbit/s): 36.9 MB/s of about 35, too much; "
        "640 x 480 px at 30 Hz in MJPG would fit, or a camera on another controller"
    )


def test_a_hub_is_a_link_of_its_own(sysfs):
    told = report([mode(1, rate_hz=60.0), mode(2, rate_hz=60.0)], sysfs)
    assert "camera_1, camera_2 on USB port 1-4 (480 Mbit/s): 73.7 MB/s" in told.sentence


def test_a_lower_rate_is_proposed_where_the_format_is_no_help(sysfs):
    many = [Mode(f"c{i}", "/dev/video0", 1920, 1080, 30.0, "MJPG") for i in range(3)]
    assert "1920 x 1080 px at 10 Hz in MJPG would fit" in report(many, sysfs).sentence
    crowd = [Mode(f"c{i}", "/dev/video0", 1920, 1080, 30.0, "MJPG") for i in range(20)]
    assert "960 x 540 px at 5 Hz in MJPG would fit" in report(crowd, sysfs).sentence
    assert "put cameras on other" in report(crowd * 10, sysfs).sentence


def test_without_usb_nothing_is_claimed(sysfs):
    told = report([Mode("camera_0", "/dev/video9", 640, 480)], sysfs)
    assert told.fits
    assert "no USB camera" in told.sentence
