"""Fixtures of the doctor's tests: every mend is looked at; computers with cameras or without."""

import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from njf_bringup.doctor.check import Check
from njf_bringup.paths import root

BASH = shutil.which("bash") or "bash"  # before a test changes the path
COMMANDS = {
    *("df", "docker", "echo", "git", "ls", "lsusb", "make", "njf", "nproc", "ping", "pip"),
    *("python3", "python3.12", "rm", "rosdep", "stty", "sudo", "unset", "v4l2-ctl", "."),
}


def require_command(mend: str) -> None:
    """A shell takes it, it begins with a command, and its targets are those of the Makefile."""
    subprocess.run([BASH, "-n", "-c", mend], check=True)
    words = shlex.split(mend, comments=True)
    assert words and words[0] in COMMANDS, f"no command: {mend!r}"
    targets = re.findall(r"^([\w%-]+):", (root() / "Makefile").read_text(), re.MULTILINE)
    patterns = [target.replace("%", "*") for target in targets]
    for place in [place for place, word in enumerate(words) if word == "make"]:
        made = words[place + 1 : place + 2]
        assert made, f"make alone only lists the targets: {mend!r}"
        assert any(fnmatch.fnmatch(made[0], pattern) for pattern in patterns), mend


@pytest.fixture(autouse=True)
def every_mend_is_a_command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All failed checks that a test makes end with a command."""
    made: list[Check] = []
    make = Check.__init__

    def remembered(check: Check, *args: Any, **named: Any) -> None:
        make(check, *args, **named)
        made.append(check)

    monkeypatch.setattr(Check, "__init__", remembered)
    yield
    for check in made:
        if check.state == "failed":
            require_command(check.mend)


@pytest.fixture
def robot_pc(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python is not that of `make setup`."""
    monkeypatch.setattr(sys, "prefix", "/usr")


class Blocker:
    """Makes a package unimportable, as if it had never been installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """As `importlib.abc.MetaPathFinder` has it."""
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Blocks a package until the test ends."""

    def block(package: str) -> None:
        for name in [n for n in sys.modules if n.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Blocker(package), *sys.meta_path])

    return block


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A webcam with its two nodes, a RealSense with four on one USB device, a board's codec.

    Both cameras hang on the one USB 2 bus.
    """
    folder = tmp_path / "sys"
    usb = folder / "devices" / "pci0" / "usb1"
    nodes = {
        "video0": ("1-1/1-1:1.0", "0", "Webcam"),
        "video1": ("1-1/1-1:1.0", "1", "Webcam"),
        "video2": ("1-4/1-4.2/1-4.2:1.0", "0", "RealSense depth"),
        "video3": ("1-4/1-4.2/1-4.2:1.0", "1", "RealSense depth"),
        "video4": ("1-4/1-4.2/1-4.2:1.3", "0", "RealSense RGB"),
        "video5": ("1-4/1-4.2/1-4.2:1.3", "1", "RealSense RGB"),
        "video10": ("platform/codec", "0", "bcm2835-codec-decode"),
    }
    for name, (place, index, title) in nodes.items():
        (usb / place).mkdir(parents=True, exist_ok=True)
        node = folder / "class" / "video4linux" / name
        node.mkdir(parents=True)
        (node / "device").symlink_to(usb / place)
        (node / "index").write_text(index + "\n")
        (node / "name").write_text(title + "\n")
    for device in ("", "1-1", "1-4", "1-4/1-4.2"):
        (usb / device / "speed").write_text("480\n")
    return folder
