"""A bench of fake servos on a pseudo-terminal, and a probe that talks to the driver node."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
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
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_servo import FakeServo

NAMES = ["joint_0", "joint_1", "joint_2"]
NAMESPACES = itertools.count()
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
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


class Probe(Node):
    """Plays the writer of commands and collects what the driver says."""

    def __init__(self, namespace: str) -> None:
        super().__init__("probe", namespace=namespace)
        self.applied: list[CommandApplied] = []
        self.joints: list[JointState] = []
        self.safety: list[SafetyState] = []
        self.statuses: dict[str, DiagnosticStatus] = {}
        self.errors: list[str] = []
        self.setpoint: list[float] | None = None
        self.image_stamp = Time()
        self._writer = self.create_publisher(Command, "command", 1)
        self.create_subscription(CommandApplied, "command_applied", self.applied.append, 10)
        self.create_subscription(JointState, "joint_states", self.joints.append, 10)
        self.create_subscription(SafetyState, "safety_state", self.safety.append, LATCHED)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self.create_subscription(Log, "/rosout", self._on_log, 100)
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

    def send(self, values, names=NAMES) -> None:
        self._writer.publish(
            Command(
                channel_names=list(names),
                values=list(map(float, values)),
                image_stamp=self.image_stamp,
                source="probe",
            )
        )

    def call(self, kind, name: str, **fields):
        """Call a service of the driver and return its response."""
        client = self.create_client(kind, name)
        assert client.wait_for_service(30.0), name
        future, done = client.call_async(kind.Request(**fields)), threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(30.0), f"{name} did not answer"
        self.destroy_client(client)
        response = future.result()
        assert response is not None
        return response

    def change(self, label: str) -> bool:
        transition = Transition(label=label)
        return self.call(ChangeState, "driver/change_state", transition=transition).success

    def lifecycle(self) -> str:
        return self.call(GetState, "driver/get_state").current_state.label

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
