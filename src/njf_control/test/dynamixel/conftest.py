"""Benches of fake Dynamixel motors of whole robots, and what every fault of theirs must lead to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticStatus
from jaxtyping import Float
from rclpy.parameter import Parameter

from njf_control.drivers.dynamixel import bus1
from njf_control.nodes.driver import DriverNode
from njf_control.robot import RobotConfig, load_robot
from njf_msgs.msg import SafetyState
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_servo import FakeServo
from njf_sim.fakes.make import make_device

ROBOTS = Path(__file__).parents[4] / "config" / "robots"
WATCHDOG_S = 0.5  # of the driver node; a busy computer keeps up with this
SLACK_S = 0.5  # for the wall clock of a busy computer


class JointPlant:
    """Joints without inertia: they stand where they are pulled, or where they were let go."""

    def __init__(self, positions: dict[int, float]) -> None:
        self.positions = positions

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        if goal is not None:
            self.positions[channel_id] = goal

    def position(self, channel_id: int) -> float:
        return self.positions[channel_id]

    def speed(self, channel_id: int) -> float:
        return 0.0


class MotorBench:
    """The motors of one robot behind `port`, a link that survives unplugging."""

    def __init__(
        self,
        folder: Path,
        name: str,
        driver: dict[str, Any] | None = None,
        channels: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Take the shipped robot `name`, with other keys of its driver or its channels."""
        config = yaml.safe_load((ROBOTS / f"{name}.yaml").read_text())
        config["driver"] |= driver or {}
        for channel in config["channels"]:
            channel |= (channels or {}).get(channel["name"], {})
        self.robot_file = folder / f"{name}.yaml"
        self.robot_file.write_text(yaml.safe_dump(config))
        self.robot = load_robot(self.robot_file)
        self.start = np.linspace(0.1, -0.2, len(self.robot.channels))
        ids = [channel.motor_id or 0 for channel in self.robot.channels]
        self.plant = JointPlant(dict(zip(ids, self.start.tolist(), strict=True)))
        self._link = folder / "ttyMOTORS"
        self.port = str(self._link)
        self.servos: list[FakeServo] = []
        self.plug()

    def plug(self) -> None:
        bus = make_device(self.robot, self.plant)
        assert isinstance(bus, FakeDynamixelBus)
        bus.servos = self.servos = self.servos or bus.servos
        self.bus = bus
        self.bus.start()
        self._link.symlink_to(self.bus.port)

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)
        self.bus.close()

    def changed(self, **channel: object) -> RobotConfig:
        """The robot with other values in its first channel."""
        config = self.robot.model_dump()
        config["channels"][0].update(channel)
        return RobotConfig.model_validate(config)

    def registers(self, name: str) -> list[int]:
        return [servo.get(name) for servo in self.servos]

    def set(self, index: int, name: str, value: int) -> None:
        """Write a register as another program would have, whatever the servo says to it."""
        self.servos[index]._set(name, value)

    def positions(self) -> Float[np.ndarray, " n"]:
        return np.array([self.plant.positions[servo.motor_id] for servo in self.servos])

    @property
    def torque_is_on(self) -> bool:
        return all(self.registers("torque_enable"))

    @property
    def is_limp(self) -> bool:
        return not any(self.registers("torque_enable"))


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., MotorBench]]:
    benches: list[MotorBench] = []

    def make(name: str, **changes: Any) -> MotorBench:
        benches.append(MotorBench(tmp_path, name, **changes))
        return benches[-1]

    yield make
    for bench in benches:
        bench.unplug()


@pytest.fixture
def hsa(make_bench: Callable[..., MotorBench]) -> MotorBench:
    """The platform with a patient bus watchdog: this computer may be busy."""
    return make_bench("hsa", driver={"bus_watchdog_s": 2.0})


@pytest.fixture
def poppy(make_bench: Callable[..., MotorBench]) -> MotorBench:
    return make_bench("poppy")


@pytest.fixture
def ax12(make_bench: Callable[..., MotorBench], monkeypatch: pytest.MonkeyPatch) -> MotorBench:
    """The finger with AX-12 servos: protocol 1.0. Asks few ids, and waits longer for each."""
    monkeypatch.setattr(bus1, "_SCAN_IDS", (1, 2, 3, 99))
    monkeypatch.setattr(bus1, "_SCAN_S", 0.4)
    return make_bench("finger", driver={"model": "ax12"})


class Rig:
    """A driver node, its motors and a probe; what a test of a fault does and looks at."""

    def __init__(
        self, bench: MotorBench, node: DriverNode, probe: Any, wait_until: Callable[..., None]
    ) -> None:
        self.bench, self.node, self.probe, self.wait_until = bench, node, probe, wait_until

    def begin(self) -> None:
        """Configure, activate, and follow commands."""
        assert self.probe.change("configure") and self.probe.change("activate")
        assert self.bench.torque_is_on
        self.probe.setpoint = self.bench.start.tolist()
        self.wait_until(lambda: self.probe.state == SafetyState.RUNNING)

    def refuses_to_begin(self) -> str:
        """Why the driver does not configure; it must have moved nothing."""
        assert not self.probe.change("configure")
        self.wait_until(lambda: self.probe.errors)
        assert self.bench.is_limp
        np.testing.assert_allclose(self.bench.positions(), self.bench.start, atol=1e-9)
        return self.probe.errors[-1]

    def faulted(self) -> str:
        """Wait for the fault; the reason, which must be on the diagnostics."""
        self.wait_until(lambda: self.probe.state == SafetyState.FAULT)
        self.wait_until(lambda: self.probe.lifecycle() == "inactive")
        reason = self.probe.safety[-1].reason
        self.wait_until(lambda: "driver: command" in self.probe.statuses)
        self.wait_until(lambda: self.probe.statuses["driver: command"].message == reason)
        status = self.probe.statuses["driver: command"]
        assert status.level == DiagnosticStatus.ERROR
        return reason

    def limp_in_time(self, since_s: float, longest_s: float | None = None) -> None:
        """See by the servos' own stamps that all let go within watchdog and one period."""
        self.wait_until(lambda: self.bench.is_limp)
        self.wait_until(lambda: all(servo.let_go_s for servo in self.bench.servos))
        last_s = max(servo.let_go_s or 0.0 for servo in self.bench.servos)
        allowed_s = longest_s or WATCHDOG_S + 1.0 / self.bench.robot.driver.rate_hz
        assert last_s - since_s < allowed_s + SLACK_S

    def told(self, status: str, text: str) -> None:
        """Wait until a status of /diagnostics says something."""
        self.wait_until(
            lambda: status in self.probe.statuses and text in self.probe.statuses[status].message
        )


@pytest.fixture
def rig(bench: MotorBench, probe, spin, namespace, wait_until) -> Rig:
    """A driver node on the module's `bench`, not yet configured."""
    values = {"robot_file": str(bench.robot_file), "port": bench.port}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    overrides.append(Parameter("watchdog_timeout_s", value=WATCHDOG_S))
    node = DriverNode(namespace=namespace, parameter_overrides=overrides)
    spin(node)
    probe.names = bench.robot.channel_names
    return Rig(bench, node, probe, wait_until)
