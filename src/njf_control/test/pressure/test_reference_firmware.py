"""The firmware sketch of the documentation, compiled for this computer, under the real driver."""

import os
import shutil
import subprocess
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from njf_control.drivers.make import make_driver
from njf_control.drivers.pressure.board_link import BoardLink, BoardRefusedError

SKETCH = "docs/hardware/pressure_board/pressure_board.ino"
SHIM = Path(__file__).with_name("arduino_shim.cpp")
SOME = np.array([10e3, 20e3, 30e3, 40e3, 50e3])

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sketch with a DAC that is an array."""
    folder = tmp_path_factory.mktemp("firmware")
    text = (Path(__file__).parents[4] / SKETCH).read_text()
    assert "  (void)output;\n" in text
    (folder / "firmware.h").write_text(
        text.replace("  (void)output;\n", "  dac[output] = count;\n")
    )
    (folder / "Arduino.h").write_text("")
    command = ["g++", "-std=gnu++11", "-Wall", "-Wextra", "-Werror", f"-I{folder}"]
    command += ['-DFIRMWARE="firmware.h"', str(SHIM), "-o", str(folder / "firmware")]
    subprocess.run(command, check=True)
    return folder / "firmware"


@pytest.fixture
def port(program: Path) -> Iterator[str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    process = subprocess.Popen([program], stdin=master, stdout=master)
    yield os.ttyname(slave)
    process.kill()
    process.wait()
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize("bench", ["board_bench"], indirect=True)
def test_the_driver_drives_it(port: str, bench) -> None:
    driver = make_driver(bench.robot, port)
    driver.connect()
    assert not driver.notices[0].is_warning
    driver.activate()
    applied = driver.send(SOME)
    np.testing.assert_allclose(applied, SOME, atol=25.0)
    np.testing.assert_allclose(driver.read().position, applied, atol=200.0)
    driver.deactivate()
    assert driver.read().position.tolist() == [0.0] * 5
    driver.close()


def test_its_watchdog_switches_off(port: str) -> None:
    link = BoardLink(port, 115_200, 2.0)
    link.open()
    assert link.ask("WDT", 100) == ("100",)
    link.ask("SET", 1000, 0, 0, 0, 0)
    link.ask("ON")
    time.sleep(0.5)
    assert link.ask("GET") == ("2", "0", "0", "0", "0", "0")
    link.close()


@pytest.mark.parametrize(
    ("words", "code"), [(["FLY"], 1), (["SET", "1"], 2), (["WDT", "70000"], 3), (["WDT", "x"], 3)]
)
def test_it_refuses_in_the_documented_way(port: str, words: list[str], code: int) -> None:
    link = BoardLink(port, 115_200, 2.0)
    link.open()
    with pytest.raises(BoardRefusedError, match=f"error {code}:"):
        link.ask(*words)
    link.close()
