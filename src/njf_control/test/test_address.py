"""Devices are found by a path, an address, or a link to either."""

from pathlib import Path

from njf_control.drivers.address import device_address


def test_links_are_followed_even_to_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in ("127.0.0.1:5020", str(tmp_path / "file")):
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert device_address(str(link)) == target


def test_anything_else_is_taken_at_its_word(tmp_path: Path) -> None:
    for port in ("", "/dev/ttyUSB0", "socketcan:can0", "192.168.4.3:502"):
        assert device_address(port) == port
