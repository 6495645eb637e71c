"""The simulated robot's end of its driver's socket: what a driver of this project never sends."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from njf_control.drivers.simulated.protocol import (
    Applied,
    Done,
    Hello,
    LineBuffer,
    Order,
    Refused,
    Reply,
    Request,
    Send,
    decode_reply,
    encode,
)
from njf_control.robot import RobotConfig
from njf_sim.fakes.simulated import SimulatedDevice

GOALS = [0.1, 0.2, 0.3]


class RecordingPlant:
    """Channels that stand where they were told to; None where they were let go."""

    def __init__(self) -> None:
        self.goals: list[float | None] = [None, None, None]

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.goals[channel_id] = goal

    def position(self, channel_id: int) -> float:
        return self.goals[channel_id] or 0.0

    def speed(self, channel_id: int) -> float:
        return 0.0


class Caller:
    """One connection, by hand."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10.0)
        self.socket.connect(path)
        self._lines = LineBuffer()

    def ask(self, request: Request) -> Reply:
        self.socket.sendall(encode(request))
        while True:
            for line in self._lines.feed(self.socket.recv(4096)):
                return decode_reply(line)

    @property
    def was_hung_up_on(self) -> bool:
        return self.socket.recv(4096) == b""


@pytest.fixture
def plant() -> RecordingPlant:
    return RecordingPlant()


@pytest.fixture
def device(finger: RobotConfig, plant: RecordingPlant) -> Iterator[SimulatedDevice]:
    device = SimulatedDevice(finger, plant)
    device.start()
    yield device
    device.close()


@pytest.fixture
def caller(device: SimulatedDevice) -> Iterator[Caller]:
    caller = Caller(device.port)
    yield caller
    caller.socket.close()


def greeting(robot: RobotConfig, **changes: object) -> Hello:
    hello = Hello(number=1, robot=robot.name, channels=robot.channel_names)
    return hello.model_copy(update=changes)


def test_a_greeted_driver_drives(caller: Caller, finger: RobotConfig, plant) -> None:
    assert caller.ask(greeting(finger)) == Done(number=1)
    assert caller.ask(Send(number=2, setpoints=GOALS)) == Applied(number=2, setpoints=GOALS)
    assert plant.goals == GOALS
    assert caller.ask(Order(kind="deactivate", number=3)) == Done(number=3)
    assert plant.goals == [None, None, None]


def test_without_a_greeting_nothing_moves(caller: Caller, plant) -> None:
    answer = caller.ask(Send(number=1, setpoints=GOALS))
    assert isinstance(answer, Refused) and "no hello" in answer.reason
    assert plant.goals == [None, None, None]


def test_another_version_is_refused(caller: Caller, finger: RobotConfig) -> None:
    answer = caller.ask(greeting(finger, version=99))
    assert isinstance(answer, Refused) and "version 99, the simulator 1" in answer.reason


@pytest.mark.parametrize("bytes_", [b"AT\r\n", b"{}\n", b"x" * 100_000])
def test_nonsense_ends_the_connection_safely(
    caller: Caller, finger: RobotConfig, plant, bytes_: bytes, wait_until: Callable
) -> None:
    caller.ask(greeting(finger))
    caller.ask(Send(number=2, setpoints=GOALS))
    caller.socket.sendall(bytes_)
    assert caller.was_hung_up_on
    wait_until(lambda: plant.goals == [None, None, None])


def test_closing_hangs_up_and_leaves_nothing_behind(finger: RobotConfig, plant) -> None:
    device = SimulatedDevice(finger, plant)
    device.start()
    caller = Caller(device.port)
    caller.ask(greeting(finger))
    device.close()
    assert caller.was_hung_up_on
    assert not os.path.exists(os.path.dirname(device.port))
