"""The fake Allegro hand as python-can sees it: frames by hand, no driver of this project."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import numpy as np
import pytest

from njf_control.robot import RobotConfig, load_robot
from njf_sim.fakes.allegro import FakeAllegroHand
from njf_sim.fakes.allegro_joints import HandJoints
from njf_sim.fakes.can_serial import REMOTE, FrameParser, SerialFrame


class RecordingPlant:
    """Joints that stand where they were told to; at 0.2 rad until then."""

    def __init__(self) -> None:
        self.goals = dict.fromkeys(range(16), 0.2)

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.goals[channel_id] = self.goals[channel_id] if goal is None else goal

    def position(self, channel_id: int) -> float:
        return self.goals[channel_id]

    def speed(self, channel_id: int) -> float:
        return 0.0


@pytest.fixture(scope="module")
def robot() -> RobotConfig:
    return load_robot(Path(__file__).parents[3] / "config" / "robots" / "allegro.yaml")


@pytest.fixture
def plant() -> RecordingPlant:
    return RecordingPlant()


@pytest.fixture
def hand(robot: RobotConfig, plant: RecordingPlant) -> Iterator[FakeAllegroHand]:
    hand = FakeAllegroHand(robot, plant)
    hand.start()
    yield hand
    hand.close()


@pytest.fixture
def bus(hand: FakeAllegroHand) -> Iterator[can.BusABC]:
    interface, channel = hand.port.split(":")
    with can.Bus(interface=interface, channel=channel, timeout=0.2) as bus:
        yield bus


def send(bus: can.BusABC, identifier: int, data: bytes = b"", remote: bool = False) -> None:
    bus.send(
        can.Message(
            arbitration_id=identifier, data=data, is_extended_id=False, is_remote_frame=remote
        )
    )


def receive(bus: can.BusABC, identifier: int) -> bytes:
    """The next frame with this identifier; others are passed over."""
    for _ in range(1000):
        message = bus.recv(1.0)
        if message is not None and message.arbitration_id == identifier:
            return bytes(message.data)
    pytest.fail(f"no frame {identifier:#x}")


def test_it_says_what_it_is(bus: can.BusABC) -> None:
    send(bus, 0x200, remote=True)
    assert receive(bus, 0x200) == bytes([1, 4, 5, 2, 0, 41, 0])
    send(bus, 0x220, remote=True)
    assert receive(bus, 0x220) == b"4F-00042"


def test_it_is_silent_until_it_has_a_period_then_reports_fingers_in_order(bus: can.BusABC) -> None:
    assert bus.recv(0.2) is None
    send(bus, 0x204, bytes([3, 0, 0, 0, 0, 0]))
    seen = [bus.recv(1.0) for _ in range(8)]
    identifiers = [message.arbitration_id for message in seen if message is not None]
    assert identifiers == [0x080, 0x084, 0x088, 0x08C] * 2
    assert seen[1] is not None and seen[3] is not None
    assert struct.unpack("<4h", seen[1].data) == (2253,) * 4, "0.2 rad / 8.876e-5"
    assert struct.unpack("<4h", seen[3].data)[0] == 11266, "thj0 counts from 0.8 rad"


def test_it_reports_temperatures_when_asked_to(bus: can.BusABC) -> None:
    send(bus, 0x204, bytes([0, 0, 0, 0, 30, 0]))
    assert receive(bus, 0x0E4) == bytes([42, 42, 43, 44])


def test_torque_moves_one_finger_only_while_the_servos_are_on(
    bus: can.BusABC, hand: FakeAllegroHand, plant: RecordingPlant, wait_until: Callable
) -> None:
    send(bus, 0x184, struct.pack("<4h", 0, 300, 0, 0))
    wait_until(lambda: hand.torque[5] == 300)
    assert plant.goals[5] == 0.2
    send(bus, 0x100)
    wait_until(lambda: plant.goals[5] > 0.5)
    others = [goal for channel, goal in plant.goals.items() if channel != 5]
    assert others == pytest.approx([0.2] * 15, abs=1e-6)
    send(bus, 0x104)
    wait_until(lambda: not hand.servo_on)
    stopped = plant.goals[5]
    wait_until(lambda: hand._ticks % 50 == 0)
    assert plant.goals[5] == stopped


def test_the_last_torque_stays_when_the_host_falls_silent(
    bus: can.BusABC, hand: FakeAllegroHand, plant: RecordingPlant, wait_until: Callable
) -> None:
    send(bus, 0x180, struct.pack("<4h", 0, 200, 0, 0))
    send(bus, 0x100)
    wait_until(lambda: plant.goals[1] > 1.6, what="the end stop, without another word")
    assert hand.torque[1] == 200


def test_a_motor_runs_at_its_share_of_the_free_speed_and_friction_holds_it() -> None:
    joints = HandJoints(np.zeros(16) + 0.4)
    duty = np.zeros(16)
    duty[1], duty[2] = 0.1, 0.01
    joints.advance(duty, 0.15)
    assert joints.velocity[1] == pytest.approx(7.0 * (0.1 - 0.014 - 0.008), rel=0.05)
    assert not joints.velocity[2], "less than friction"
    assert not joints.velocity[0], "no power: it stays"


@pytest.mark.fuzz
def test_any_bytes_on_the_line_are_survived_and_frames_between_them_found(fuzz) -> None:
    source, parser = fuzz.random, FrameParser()
    found, frames = 0, fuzz.count(3000)
    for _ in range(frames):
        frame = SerialFrame(source.randrange(2048), source.randbytes(source.randrange(9)), REMOTE)
        noise = fuzz.damaged(frame.encode())
        found += frame in list(parser.feed(noise + bytes(16) + frame.encode() + bytes(16)))
    assert found > 0.8 * frames
