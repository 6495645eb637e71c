"""A bench of fake servos on a pseudo-terminal whose joints follow at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from njf_control.robot import RobotConfig, load_robot
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_servo import FakeServo

ROBOT_FILE = Path(__file__).parents[3] / "config" / "robots" / "finger.yaml"


class ObedientPlant:
    """Joints without inertia: they stand where they are pulled, or where they were let go."""

    def __init__(self, positions: dict[int, float]) -> None:
        self._positions = positions

    def set_goal(self, motor_id: int, goal_rad: float | None) -> None:
        if goal_rad is not None:
            self._positions[motor_id] = goal_rad

    def position(self, motor_id: int) -> float:
        return self._positions[motor_id]

    def speed(self, motor_id: int) -> float:
        return 0.0


class Bench:
    """Three fake XL-320 behind `port`, a link that survives unplugging and plugging in again."""

    def __init__(self, link: Path) -> None:
        self.port = str(link)
        self._link = link
        self.plant = ObedientPlant({1: 0.1, 2: -0.2, 3: 0.3})
        self.servos = [FakeServo(motor_id, self.plant) for motor_id in (1, 2, 3)]
        self.plug()

    def plug(self) -> None:
        self._bus = FakeDynamixelBus(self.servos)
        self._bus.start()
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(self._bus.port)

    def unplug(self) -> None:
        self._bus.close()

    def registers(self, name: str) -> list[int]:
        return [servo.get(name) for servo in self.servos]

    def positions(self) -> list[float]:
        return [self.plant.position(servo.motor_id) for servo in self.servos]

    @property
    def torque_is_on(self) -> bool:
        return self.registers("torque_enable") == [1, 1, 1]

    @property
    def torque_is_off(self) -> bool:
        return self.registers("torque_enable") == [0, 0, 0]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "ttyFAKE")
    yield bench
    bench.unplug()


@pytest.fixture(scope="session")
def robot_file() -> Path:
    return ROBOT_FILE


@pytest.fixture(scope="session")
def finger() -> RobotConfig:
    return load_robot(ROBOT_FILE)
