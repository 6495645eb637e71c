"""The fake bus, byte by byte and through ROBOTIS' own client library over the pseudo-terminal."""

import os
import struct
import time
from collections.abc import Iterator

import dynamixel_sdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from njf_control.drivers.dynamixel.models import XL320
from njf_control.drivers.dynamixel.packets import BROADCAST_ID
from njf_control.drivers.dynamixel.protocol import (
    HARDWARE_ALERT,
    Instruction,
    PacketParser,
    StatusError,
    encode_instruction,
)
from njf_control.robot import RobotConfig
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_servo import FakeServo
from njf_sim.plant import SimulatedPlant
from njf_sim.robot_model import RobotModel

IDS = (1, 2, 3)
OK = dynamixel_sdk.COMM_SUCCESS


class FrozenPlant:
    """Joints that stand at a tenth of a radian per id."""

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        pass

    def position(self, channel_id: int) -> float:
        return 0.1 * channel_id

    def speed(self, channel_id: int) -> float:
        return 0.0


def make_bus() -> FakeDynamixelBus:
    return FakeDynamixelBus([FakeServo(i, FrozenPlant()) for i in IDS])


@pytest.fixture
def silent_bus() -> Iterator[FakeDynamixelBus]:
    """A bus whose thread does not run; ask it through `respond`."""
    bus = make_bus()
    yield bus
    bus.close()


@pytest.fixture
def bus() -> Iterator[FakeDynamixelBus]:
    bus = make_bus()
    bus.start()
    yield bus
    bus.close()


class PatientPort(dynamixel_sdk.PortHandler):
    """Waits long enough for a busy machine, not for the real bus's milliseconds."""

    timeout_s = 2.0

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802
        self.setPacketTimeoutMillis(0.0)

    def setPacketTimeoutMillis(self, msec: float) -> None:  # noqa: N802
        super().setPacketTimeoutMillis(max(msec, 1000.0 * self.timeout_s))


class SdkClient:
    """ROBOTIS' library, by register name."""

    def __init__(self, path: str) -> None:
        self.port = PatientPort(path)
        assert self.port.openPort() and self.port.setBaudRate(1_000_000)
        self.handler = dynamixel_sdk.PacketHandler(2.0)

    def read(self, motor_id: int, name: str) -> tuple[int, int, int]:
        """Value, communication result, status error."""
        register = XL320[name]
        call = {1: self.handler.read1ByteTxRx, 2: self.handler.read2ByteTxRx}[register.size]
        return call(self.port, motor_id, register.address)

    def write(self, motor_id: int, name: str, value: int) -> tuple[int, int]:
        """Communication result and status error."""
        register = XL320[name]
        call = {1: self.handler.write1ByteTxRx, 2: self.handler.write2ByteTxRx}[register.size]
        return call(self.port, motor_id, register.address, value)


@pytest.fixture
def client(bus: FakeDynamixelBus) -> Iterator[SdkClient]:
    client = SdkClient(bus.port)
    yield client
    client.port.closePort()


def test_sdk_ping_finds_model_and_only_own_ids(client: SdkClient) -> None:
    assert client.handler.ping(client.port, 2) == (350, OK, 0)
    client.port.timeout_s = 0.2
    _, result, _ = client.handler.ping(client.port, 7)
    assert result == dynamixel_sdk.COMM_RX_TIMEOUT


def test_sdk_broadcast_ping_finds_everybody(client: SdkClient) -> None:
    found, result = client.handler.broadcastPing(client.port)
    assert result == OK
    assert found == {motor_id: [350, 29] for motor_id in IDS}


def test_sdk_reads_and_writes(client: SdkClient) -> None:
    assert client.write(1, "goal_position", 700) == (OK, 0)
    assert client.read(1, "goal_position") == (700, OK, 0)
    assert client.read(2, "present_position") == (512 + 39, OK, 0)  # 0.2 rad
    assert client.read(2, "present_voltage") == (74, OK, 0)


def test_sdk_sees_the_error_codes(client: SdkClient) -> None:
    assert client.write(1, "goal_position", 2000) == (OK, StatusError.DATA_RANGE)
    assert client.write(1, "present_position", 5) == (OK, StatusError.ACCESS)
    client.write(1, "torque_enable", 1)
    assert client.write(1, "baud_rate", 1) == (OK, StatusError.ACCESS)


def test_sdk_sync_write_and_sync_read(client: SdkClient) -> None:
    register = XL320["goal_position"]
    group = (client.port, client.handler, register.address, register.size)
    writer = dynamixel_sdk.GroupSyncWrite(*group)
    reader = dynamixel_sdk.GroupSyncRead(*group)
    for motor_id in IDS:
        assert writer.addParam(motor_id, list(struct.pack("<H", 500 + motor_id)))
        assert reader.addParam(motor_id)
    assert writer.txPacket() == OK
    assert reader.txRxPacket() == OK
    for motor_id in IDS:
        assert reader.getData(motor_id, register.address, register.size) == 500 + motor_id


def test_sdk_sees_alert_and_reboots(bus: FakeDynamixelBus, client: SdkClient) -> None:
    bus.servos[0].faults.overheat = True
    deadline = time.monotonic() + 20.0
    while not bus.servos[0].alert and time.monotonic() < deadline:
        time.sleep(0.005)
    _, result, error = client.read(1, "present_temperature")
    assert (result, error) == (OK, HARDWARE_ALERT)
    bus.servos[0].faults.overheat = False
    assert client.handler.reboot(client.port, 1)[0] == OK
    assert client.read(1, "present_temperature") == (35, OK, 0)


def test_the_driver_side_moves_simulated_joints(finger: RobotConfig) -> None:
    """SDK -> pseudo-terminal -> servo -> MuJoCo and back."""
    plant = SimulatedPlant(RobotModel.from_robot(finger), IDS)
    bus = FakeDynamixelBus([FakeServo(i, plant) for i in IDS])
    plant.start()
    bus.start()
    client = SdkClient(bus.port)
    try:
        assert client.write(2, "torque_enable", 1) == (OK, 0)
        assert client.write(2, "goal_position", 612) == (OK, 0)
        deadline = time.monotonic() + 20.0
        position = 0
        while abs(position - 612) > 1 and time.monotonic() < deadline:
            position, _, _ = client.read(2, "present_position")
        assert abs(position - 612) <= 1
        assert plant.snapshot().configuration[1] == pytest.approx(100 * 0.0051183, abs=0.011)
    finally:
        client.port.closePort()
        bus.close()
        plant.close()


def ask(
    bus: FakeDynamixelBus, motor_id: int, instruction: int, parameters: bytes = b""
) -> list[tuple[int, int, bytes]]:
    """Id, error and parameters of each answer."""
    answers = PacketParser().feed(
        bus.respond(encode_instruction(motor_id, instruction, parameters))
    )
    return [(packet.motor_id, packet.error or 0, packet.parameters) for packet in answers]


def test_unknown_instructions_are_refused(silent_bus: FakeDynamixelBus) -> None:
    refused = (1, StatusError.INSTRUCTION, b"")
    for instruction in (Instruction.REG_WRITE, Instruction.FACTORY_RESET, 0x42):
        assert ask(silent_bus, 1, instruction) == [refused]


def test_wrong_lengths_are_refused(silent_bus: FakeDynamixelBus) -> None:
    assert ask(silent_bus, 1, Instruction.READ, b"\0") == [(1, StatusError.DATA_LENGTH, b"")]
    assert ask(silent_bus, 1, Instruction.WRITE, b"\0") == [(1, StatusError.DATA_LENGTH, b"")]
    assert ask(silent_bus, BROADCAST_ID, Instruction.SYNC_READ, b"\0") == []
    assert ask(silent_bus, BROADCAST_ID, Instruction.SYNC_WRITE, b"\0") == []


def test_a_packet_with_a_wrong_crc_is_answered_and_not_obeyed(
    silent_bus: FakeDynamixelBus,
) -> None:
    packet = bytearray(encode_instruction(2, Instruction.WRITE, struct.pack("<HH", 30, 600)))
    before = silent_bus.servos[1].get("goal_position")
    packet[-1] ^= 0xFF
    (answer,) = PacketParser().feed(silent_bus.respond(bytes(packet)))
    assert (answer.motor_id, answer.error) == (2, StatusError.CRC)
    assert silent_bus.servos[1].get("goal_position") == before


def test_broadcast_writes_are_obeyed_in_silence(silent_bus: FakeDynamixelBus) -> None:
    assert ask(silent_bus, BROADCAST_ID, Instruction.WRITE, struct.pack("<HB", 25, 5)) == []
    assert [servo.get("led") for servo in silent_bus.servos] == [5, 5, 5]


def test_the_status_return_level_silences(silent_bus: FakeDynamixelBus) -> None:
    silence = struct.pack("<HB", XL320["status_return_level"].address, 1)
    assert ask(silent_bus, 1, Instruction.WRITE, silence) == []
    assert len(ask(silent_bus, 1, Instruction.READ, struct.pack("<HH", 37, 2))) == 1
    assert len(ask(silent_bus, 1, Instruction.PING)) == 1


@pytest.mark.parametrize("fault", ["mute", "corrupt_crc", "truncate"])
def test_faults_spoil_the_answer_of_one_servo(silent_bus: FakeDynamixelBus, fault: str) -> None:
    setattr(silent_bus.servos[1].faults, fault, True)
    question = struct.pack("<HH", 37, 2) + bytes(IDS)
    answers = ask(silent_bus, BROADCAST_ID, Instruction.SYNC_READ, question)
    assert [motor_id for motor_id, _, _ in answers] == [1, 3]
    setattr(silent_bus.servos[1].faults, fault, False)
    assert len(ask(silent_bus, BROADCAST_ID, Instruction.SYNC_READ, question)) == 3


def test_a_packet_in_pieces_and_after_noise_is_understood(silent_bus: FakeDynamixelBus) -> None:
    packet = b"\x00\xff\xff" + encode_instruction(3, Instruction.PING)
    answers = b"".join(silent_bus.respond(packet[i : i + 1]) for i in range(len(packet)))
    (answer,) = PacketParser().feed(answers)
    assert answer.motor_id == 3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    bus = make_bus()
    try:
        for chunk in chunks:
            bus.respond(chunk)
            bus.respond(encode_instruction(1, 0x42, chunk)[:-1])
        # Whatever was left half-received is over after one packet's worth of silence bytes.
        bus.respond(bytes(1100))
        assert len(ask(bus, 2, Instruction.PING)) == 1
    finally:
        bus.close()


def test_unplugging_hangs_up_and_closing_twice_is_harmless() -> None:
    bus = make_bus()
    bus.start()
    client = os.open(bus.port, os.O_RDWR | os.O_NOCTTY)
    bus.unplug()
    try:
        assert os.read(client, 10) == b""
        with pytest.raises(OSError):
            os.write(client, b"x")
    finally:
        os.close(client)
    assert not os.path.exists(bus.port)
    bus.close()
