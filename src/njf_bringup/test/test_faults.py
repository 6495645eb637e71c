"""Something breaks in mid-motion; the robot must come to rest and somebody must say why.

The whole graph runs as separate processes: simulator, camera, driver, perception, Jacobian field
and recorder. The camera is a process of its own here, so that it can die without the robot.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from njf_bringup.demo.goals import draw_trials
from njf_bringup.demo.results import Outcome, Step
from njf_bringup.graph import NodeSpec, ResolvedGraph, load_graph
from njf_bringup.nodes.lifecycle import RosLifecycle
from njf_bringup.nodes.robot_client import RobotClient
from njf_bringup.nodes.servo_messages import tracks_goal
from njf_bringup.nodes.session import TRAVEL_SPEED, Session
from njf_bringup.resolve import resolve
from njf_bringup.supervisor import NodeDiedError, Supervisor
from njf_msgs.msg import CommandApplied, SafetyState
from njf_msgs.srv import EmergencyStop, ResetEmergencyStop
from njf_perception.bag import BagReader
from njf_perception.errors import NjfError
from njf_perception.nodes.services import call, handshake

pytestmark = [pytest.mark.ros, pytest.mark.fault, pytest.mark.slow]

HERE = Path(__file__).parent
LONG_S = 60.0
# The watchdog of 0.1 s and one driver cycle, by the driver's own stamps; the rest is for a machine
# that stops the driver between its clock and its stamp.
WATCHDOG_NS = 250_000_000
# From the kill it may take longer: what was on its way when the process died still counts.
STOPPED_WITHIN_NS = 1_000_000_000
SLOW_SERVO = "/**/jacobian_field:\n  ros__parameters: {gain: 0.05, max_step: 0.004}\n"


@dataclass
class Witness:
    """What the driver said over time."""

    applied: list[tuple[int, np.ndarray, int]] = field(default_factory=list)
    answered: list[tuple[int, int]] = field(default_factory=list)  # first use of each image [ns]
    states: list[tuple[int, int, str]] = field(default_factory=list)

    def on_applied(self, msg: CommandApplied) -> None:
        image_ns = msg.image_stamp.sec * 10**9 + msg.image_stamp.nanosec
        if image_ns and (not self.answered or self.answered[-1][1] != image_ns):
            self.answered.append((ns(msg), image_ns))
        self.applied.append(
            (ns(msg), np.array(msg.applied), int(np.bitwise_or.reduce(msg.alterations)))
        )

    def on_safety(self, msg: SafetyState) -> None:
        self.states.append((ns(msg), msg.state, msg.reason))

    def last_motion_ns(self) -> int:
        """When the set-points on the bus last changed."""
        moved = [
            after[0]
            for before, after in zip(self.applied, self.applied[1:], strict=False)
            if not np.array_equal(before[1], after[1])
        ]
        return moved[-1]

    def stopping_ns(self) -> int:
        """How long the set-points went on changing after the last fresh command took effect."""
        return self.last_motion_ns() - self.answered[-1][0]

    def entered(self, state: int) -> bool:
        return bool(self.states) and self.states[-1][1] == state


@dataclass
class Motion:
    """A servo motion that has just begun and would go on for long."""

    supervisor: Supervisor
    client: RobotClient
    witness: Witness
    node: Node
    outcome: "Future[Outcome]"
    bag: Path

    def kill(self, name: str) -> int:
        """Kill -9 a node; returns the time."""
        process = self.supervisor.processes[name].popen
        at_ns = self.node.get_clock().now().nanoseconds
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return at_ns


def ns(msg: CommandApplied | SafetyState) -> int:
    return msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec


def faulty_graph(folder: Path, camera_module: str) -> ResolvedGraph:
    """The graph of `njf up` with the camera as a process of its own and a servo in no hurry."""
    params = folder / "slow.yaml"
    params.write_text(SLOW_SERVO)
    options = {"record": "stream", "run_dir": str(folder / "run"), "params_file": str(params)}
    graph = resolve(load_graph(), options)
    camera = graph.robot.control_camera.name
    hidden = {
        f"{camera}/{name}": f"hidden/{camera}/{name}" for name in ("image_raw", "camera_info")
    }
    nodes = [
        replace(node, remappings=hidden) if node.name == "simulator" else node
        for node in graph.nodes
    ]
    relay = NodeSpec("camera", "tiny_nodes", camera_module, parameters={"camera": camera})
    return replace(graph, nodes=[*nodes, relay])


@pytest.fixture
def moving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spin: Callable[..., None], wait_until: Callable
) -> Iterator[Callable]:
    """`with moving() as motion:` the whole graph, in the middle of a servo motion."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))

    @contextmanager
    def start(watch_processes: bool = False, camera: str = "relay") -> Iterator[Motion]:
        graph = faulty_graph(tmp_path, camera)
        with Supervisor(graph, RosLifecycle) as supervisor:
            check = supervisor.check if watch_processes else (lambda: None)
            node, witness = make_witness(spin)
            with RobotClient(graph.robot, check) as client, ThreadPoolExecutor(1) as pool:
                steps: list[Step] = []
                outcome = pool.submit(servo_from_afar, client, graph, steps)
                wait_until(lambda: len(steps) >= 3 or outcome.done(), LONG_S, "servo motion")
                assert not outcome.done(), outcome.result()
                bag = Path(str(graph.arguments["bag"]))
                yield Motion(supervisor, client, witness, node, outcome, bag)

    yield start


def make_witness(spin: Callable[..., None]) -> tuple[Node, Witness]:
    node, witness = Node("witness"), Witness()
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(CommandApplied, "command_applied", witness.on_applied, 100)
    node.create_subscription(SafetyState, "safety_state", witness.on_safety, latched)
    spin(node)
    return node, witness


def servo_from_afar(client: RobotClient, graph: ResolvedGraph, steps: list[Step]) -> Outcome:
    session = Session(client, graph.robot)
    trial = draw_trials(graph.robot, 1, seed=0)[0]
    _, legs = session.show(trial)
    start, leg = client.picture_at_rest(), legs[-1]
    here = leg.watch().update(start.image)
    header = client.goal_header(start.stamp_ns)
    request = tracks_goal(here, leg.then, leg.picture, header, timeout_s=LONG_S)
    return client.servo(request, steps.append)


def test_killed_camera_stops_the_motors_and_ends_the_action(moving, wait_until) -> None:
    with moving() as motion:
        killed_ns = motion.kill("camera")
        wait_until(lambda: motion.witness.entered(SafetyState.HOLDING), LONG_S, "HOLDING")
        assert motion.outcome.result(LONG_S).reason == "STALE_IMAGE"
        time.sleep(1.0)  # nothing may move any more
        assert motion.witness.stopping_ns() < WATCHDOG_NS
        assert motion.witness.last_motion_ns() - killed_ns < STOPPED_WITHIN_NS
        assert motion.witness.applied[-1][2] & CommandApplied.HELD


def test_hung_camera_stops_the_motors_and_says_so(moving, wait_until) -> None:
    with moving(camera="hanging_camera") as motion:
        said: list[str] = []
        motion.node.create_subscription(
            DiagnosticArray,
            "/diagnostics",
            lambda msg: said.extend(s.message for s in msg.status),
            10,
        )
        hung_ns = motion.node.get_clock().now().nanoseconds
        motion.supervisor.processes["camera"].popen.send_signal(signal.SIGUSR1)
        wait_until(lambda: motion.witness.entered(SafetyState.HOLDING), LONG_S, "HOLDING")
        assert motion.outcome.result(LONG_S).reason == "STALE_IMAGE"
        wait_until(lambda: any("a hung camera" in text for text in said), LONG_S, "the reason")
        time.sleep(1.0)  # nothing may move any more
        assert motion.witness.stopping_ns() < WATCHDOG_NS
        assert motion.witness.last_motion_ns() - hung_ns < STOPPED_WITHIN_NS
        assert motion.witness.applied[-1][2] & CommandApplied.HELD


def test_killed_jacobian_field_stops_the_motors_and_the_client_is_told(moving, wait_until) -> None:
    with moving(watch_processes=True) as motion:
        killed_ns = motion.kill("jacobian_field")
        wait_until(lambda: motion.witness.entered(SafetyState.HOLDING), LONG_S, "HOLDING")
        with pytest.raises(NodeDiedError, match="jacobian_field was killed by SIGKILL"):
            motion.outcome.result(LONG_S)
        time.sleep(1.0)
        assert motion.witness.stopping_ns() < WATCHDOG_NS
        assert motion.witness.last_motion_ns() - killed_ns < STOPPED_WITHIN_NS


def test_unplugged_servo_bus_is_one_clear_fault(moving, wait_until) -> None:
    with moving() as motion:
        motion.kill("simulator")  # the pseudo-terminal goes with it
        wait_until(lambda: motion.witness.entered(SafetyState.FAULT), LONG_S, "FAULT")
        assert motion.outcome.result(LONG_S).reason in ("ROBOT_FAULT", "ROBOT_NOT_READY")
        log = motion.supervisor.processes["driver"].log.read_text()
        assert log.count("[ERROR]") == 1, log


def test_estop_ends_the_action_and_latches_until_reset(moving, wait_until) -> None:
    with moving() as motion:
        assert driver_says(
            motion.node, EmergencyStop, "estop", EmergencyStop.Request(reason="test")
        )
        assert motion.outcome.result(LONG_S).reason == "ESTOPPED"
        wait_until(lambda: motion.witness.entered(SafetyState.ESTOP), LONG_S, "ESTOP")
        here = motion.witness.applied[-1][1]
        with pytest.raises(NjfError, match="ESTOP"):
            motion.client.move(here + 0.3, TRAVEL_SPEED)
        assert np.array_equal(motion.witness.applied[-1][1], here)
        assert driver_says(
            motion.node, ResetEmergencyStop, "estop_reset", ResetEmergencyStop.Request()
        )
        motion.client.move(here + 0.1, TRAVEL_SPEED)


def test_killed_recorder_leaves_a_readable_bag_and_the_motion_goes_on(moving) -> None:
    with moving() as motion:
        time.sleep(3.0)  # chunks are finished every second
        motion.kill("recorder")
        here = motion.witness.applied[-1][1]
        reader = BagReader(motion.bag)
        counted: dict[str, int] = {}
        for message in reader.messages():
            counted[message.topic] = counted.get(message.topic, 0) + 1
        assert not reader.complete
        assert counted["/camera_0/image_raw"] > 10 and counted["/command_applied"] > 30
        assert not motion.outcome.done()
        time.sleep(1.0)
        assert not np.array_equal(motion.witness.applied[-1][1], here)


def driver_says(node: Node, kind: type, name: str, request: object) -> bool:
    client = node.create_client(kind, name)
    handshake(node, "driver", time.sleep, LONG_S)
    return call(client, request, time.sleep, LONG_S).success
