"""A bench of fake servos on a pseudo-terminal, and a probe that talks to the driver node."""

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState

from njf_control.robot import RobotConfig, load_robot
from njf_msgs.msg import Command, CommandApplied, SafetyState
from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.nodes.services import call, handshake
from njf_sim.fakes.allegro import FakeAllegroHand
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_servo import FakeServo
from njf_sim.fakes.simulated import SimulatedDevice

NAMES = ["joint_0", "joint_1", "joint_2"]
NAMESPACES = itertools.count()
SERVICES = {
    "driver/change_state": ChangeState,
    "driver/get_state": GetState,
    "estop": EmergencyStop,
    "estop_reset": ResetEmergencyStop,
}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
ROBOTS = Path(__file__).parents[3] / "config" / "robots"
ROBOT_FILE = ROBOTS / "finger.yaml"


class ObedientPlant:
    """Joints without inertia: they stand where they are pulled, or where they were let go."""

    def __init__(self, positions: dict[int, float]) -> None:
        self._positions = positions

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        if goal is not None:
            self._positions[channel_id] = goal

    def position(self, channel_id: int) -> float:
        return self._positions[channel_id]

    def speed(self, channel_id: int) -> float:
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
        self._link.symlink_to(self._bus.port)

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)  # the kernel soon gives the pseudo-terminal to others
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


class PressurePlant(ObedientPlant):
    """Chambers that have the pressure they are told to have, and none when let go."""

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        super().set_goal(channel_id, 0.0 if goal is None else goal)


class SoftBench:
    """The pneumatic hand without its valves behind `port`, a link that survives the simulator."""

    def __init__(self, link: Path) -> None:
        self.port = str(link)
        self._link = link
        config = yaml.safe_load((ROBOTS / "pneumatic.yaml").read_text())
        config["driver"] = {"kind": "simulated", "rate_hz": 50.0}
        self.robot_file = link.with_name("soft_robot.yaml")
        self.robot_file.write_text(yaml.safe_dump(config))
        self.robot = load_robot(self.robot_file)
        self.plant = PressurePlant(dict.fromkeys(range(5), 0.0))
        self.plug()

    def plug(self) -> None:
        self._device = SimulatedDevice(self.robot, self.plant)
        self._device.start()
        self._link.symlink_to(self._device.port)

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)
        self._device.close()

    def pressures(self) -> list[float]:
        return [self.plant.position(channel) for channel in range(5)]

    @property
    def is_vented(self) -> bool:
        return self.pressures() == [0.0] * 5


@pytest.fixture
def soft_bench(tmp_path: Path) -> Iterator[SoftBench]:
    bench = SoftBench(tmp_path / "simulated_robot")
    yield bench
    bench.unplug()


class HandBench:
    """The Allegro hand behind `port`, a link that survives unplugging and plugging in again."""

    def __init__(self, link: Path) -> None:
        self.port = str(link)
        self._link = link
        self.robot_file = ROBOTS / "allegro.yaml"
        self.robot = load_robot(self.robot_file)
        self.plant = ObedientPlant(dict.fromkeys(range(16), 0.1))
        self.plug()

    def plug(self, latched: int = 0) -> None:
        """Plug the adapter in; a hand that is driven has a torque [count] and kept it meanwhile."""
        self.hand = FakeAllegroHand(self.robot, self.plant)
        self.hand.servo_on = latched != 0
        self.hand.torque[:] = latched
        self.hand.start()
        self._link.symlink_to(self.hand.port)

    def unplug(self) -> None:
        self._link.unlink(missing_ok=True)
        self.hand.close()

    def positions(self) -> list[float]:
        return [self.plant.position(channel) for channel in range(16)]

    @property
    def is_limp(self) -> bool:
        return not self.hand.servo_on and not self.hand.torque.any()


@pytest.fixture
def hand_bench(tmp_path: Path) -> Iterator[HandBench]:
    bench = HandBench(tmp_path / "canFAKE")
    yield bench
    bench.unplug()


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


class Probe(Node):
    """Plays the writer of commands and collects what the driver says."""

    def __init__(self, namespace: str) -> None:
        super().__init__("probe", namespace=namespace)
        self.applied: list[CommandApplied] = []
        self.joints: list[JointState] = []
        self.safety: list[SafetyState] = []
        self.statuses: dict[str, DiagnosticStatus] = defaultdict(DiagnosticStatus)
        self.errors: list[str] = []
        self.setpoint: list[float] | None = None
        self.names = NAMES
        self.image_stamp = Time()
        self._writer = self.create_publisher(Command, "command", 1)
        self._joint_writer = self.create_publisher(JointState, "joint_commands", 1)
        self.create_subscription(CommandApplied, "command_applied", self.applied.append, 10)
        self.create_subscription(JointState, "joint_states", self.joints.append, 10)
        self.create_subscription(SafetyState, "safety_state", self.safety.append, LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.create_subscription(Log, "/rosout", self._on_log, 100)
        self._service_clients = {
            name: self.create_client(kind, name) for name, kind in SERVICES.items()
        }
        self.create_timer(0.03, self._stream)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.statuses.update({status.name: status for status in msg.status})

    def _on_log(self, msg: Log) -> None:
        driver = f"{self.get_namespace().strip('/')}.driver"
        if msg.name == driver and msg.level >= Log.ERROR:
            self.errors.append(msg.msg)

    def _stream(self) -> None:
        if self.setpoint is not None:
            self.send(self.setpoint)

    def send(self, values, names=None) -> None:
        self._writer.publish(
            Command(
                channel_names=list(self.names if names is None else names),
                values=list(map(float, values)),
                image_stamp=self.image_stamp,
                source="probe",
            )
        )

    def send_joints(self, names, positions) -> None:
        """Command as ros2_control's topic-based hardware interface does."""
        self._joint_writer.publish(JointState(name=list(names), position=list(positions)))

    def call(self, name: str, **fields):
        """Call a service of the driver, once it can answer, and return its response."""
        handshake(self, "driver", time.sleep, 60.0)
        request = SERVICES[name].Request(**fields)  # pyright: ignore
        return call(self._service_clients[name], request, time.sleep, 60.0)

    def change(self, label: str) -> bool:
        """Ask for a transition."""
        return self.call("driver/change_state", transition=Transition(label=label)).success

    def lifecycle(self) -> str:
        return self.call("driver/get_state").current_state.label

    @property
    def state(self) -> int:
        return self.safety[-1].state if self.safety else -1

    @property
    def reason(self) -> str:
        return self.applied[-1].reason if self.applied else ""


@pytest.fixture
def namespace() -> str:
    return f"driver_test_{next(NAMESPACES)}"


@pytest.fixture
def probe(bench, spin, namespace) -> Probe:
    """A probe alone; the driver runs elsewhere."""
    probe = Probe(namespace)
    spin(probe)
    return probe


@pytest.fixture
def soft_probe(soft_bench, spin, namespace) -> Probe:
    """A probe that commands the pneumatic hand."""
    probe = Probe(namespace)
    probe.names = soft_bench.robot.channel_names
    spin(probe)
    return probe


@pytest.fixture
def hand_probe(hand_bench, spin, namespace) -> Probe:
    """A probe that commands the Allegro hand."""
    probe = Probe(namespace)
    probe.names = hand_bench.robot.channel_names
    spin(probe)
    return probe
