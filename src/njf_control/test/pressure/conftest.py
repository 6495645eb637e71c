"""Benches of fake regulators that move five chambers, and a probe that commands them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from njf_control.robot import RobotConfig, load_robot
from njf_sim.fakes.make import make_device
from njf_sim.fakes.pressure_board import FakePressureBoard
from njf_sim.fakes.vtem import FakeVtem

PNEUMATIC = Path(__file__).parents[4] / "config" / "robots" / "pneumatic.yaml"
QUICK = {  # what differs from the shipped hand, so that tests are short
    "rate_hz": 50.0,
    "max_pressure_pa": 100_000.0,
    "exhaust_s": 0.6,
    "communication_timeout_s": 4.0,  # this computer may be too busy for the default
    "following_timeout_s": 0.5,
}
VTEM = {
    "kind": "vtem",
    "acknowledge_s": 0.05,
    "activation_timeout_s": 1.0,
    "deactivation_timeout_s": 1.0,
}
BOARD = {"kind": "pressure_board", "port": "/dev/ttyACM0", "reply_timeout_s": 0.3}


class ChamberPlant:
    """Chambers that have the pressure they are told to have, and none when let go."""

    def __init__(self) -> None:
        self.pressure_pa = [0.0] * 5

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.pressure_pa[channel_id] = goal or 0.0

    def position(self, channel_id: int) -> float:
        return self.pressure_pa[channel_id]

    def speed(self, channel_id: int) -> float:
        return 0.0


class PressureBench:
    """A fake device behind `port`, a link that survives unplugging and plugging in again."""

    def __init__(self, folder: Path, driver: dict[str, Any]) -> None:
        config = yaml.safe_load(PNEUMATIC.read_text())
        config["driver"] = QUICK | driver
        for channel in config["channels"]:
            channel["max_rate"] = 40_000.0  # a busy computer keeps up with this
        self.robot_file = folder / "pneumatic.yaml"
        self.robot_file.write_text(yaml.safe_dump(config))
        self.robot = load_robot(self.robot_file)
        self._link = folder / "port"
        self.port = str(self._link)
        self.plant = ChamberPlant()
        self.plug()

    def plug(self) -> None:
        self.device: Any = make_device(self.robot, self.plant)
        self.device.start()
        self._link.symlink_to(self.device.port)

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)
        self.device.close()

    def changed(self, **driver: Any) -> RobotConfig:
        """The robot with other keys of its driver."""
        config = self.robot.model_dump()
        config["driver"].update(driver)
        return RobotConfig.model_validate(config)

    @property
    def pressure_pa(self) -> np.ndarray:
        return np.array(self.plant.pressure_pa)

    @property
    def is_vented(self) -> bool:
        return bool((self.pressure_pa < 2000.0).all())


def _bench(folder: Path, driver: dict[str, Any], kind: type) -> Iterator[PressureBench]:
    bench = PressureBench(folder, driver)
    assert isinstance(bench.device, kind)
    yield bench
    bench.unplug()


@pytest.fixture
def terminal_bench(tmp_path: Path) -> Iterator[PressureBench]:
    yield from _bench(tmp_path, VTEM, FakeVtem)


@pytest.fixture
def board_bench(tmp_path: Path) -> Iterator[PressureBench]:
    yield from _bench(tmp_path, BOARD, FakePressureBoard)


@pytest.fixture(params=["terminal_bench", "board_bench"])
def bench(request: pytest.FixtureRequest) -> PressureBench:
    """Each kind of device in turn; a test may choose with `indirect`."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def near() -> Callable[[np.ndarray, Any], bool]:
    """Whether pressures are equal but for quantisation."""
    return lambda pressures, goal: bool(np.allclose(pressures, goal, atol=120.0))
