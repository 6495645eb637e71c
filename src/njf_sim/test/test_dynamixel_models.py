"""Fakes of the X series and the AX-12, through ROBOTIS' own client library and without it."""

import math
from collections.abc import Callable, Iterator

import dynamixel_sdk
import pytest

from njf_control.drivers.dynamixel.protocol import StatusError
from njf_sim.fakes.dynamixel import FakeDynamixelBus, FakeProtocol1Bus
from njf_sim.fakes.dynamixel_models import FAKES, FakeAx12, FakeXServo, Mounting
from njf_sim.fakes.dynamixel_servo import FakeServo

OK = dynamixel_sdk.COMM_SUCCESS
TORQUE, WATCHDOG, SPEED, GOAL, POSITION = 64, 98, 112, 116, 132  # e-Manual, X series


class JointPlant:
    """Joints that are where they were last told to be."""

    def __init__(self) -> None:
        self.rad: dict[int, float] = dict.fromkeys((1, 2, 21), 0.0)
        self.limp = False

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.limp = goal is None
        self.rad[channel_id] = self.rad[channel_id] if goal is None else goal

    def position(self, channel_id: int) -> float:
        return self.rad[channel_id]

    def speed(self, channel_id: int) -> float:
        return 0.0


class PatientPort(dynamixel_sdk.PortHandler):
    """Waits long enough for a busy machine, not for the real bus's milliseconds."""

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802
        self.setPacketTimeoutMillis(0.0)

    def setPacketTimeoutMillis(self, msec: float) -> None:  # noqa: N802
        super().setPacketTimeoutMillis(max(msec, 2000.0))


@pytest.fixture
def plant() -> JointPlant:
    return JointPlant()


@pytest.fixture
def open_port() -> Iterator[Callable[[FakeDynamixelBus, int], PatientPort]]:
    """`open_port(bus, baud)` starts a bus and opens it with the vendor's library."""
    opened = []

    def begin(bus: FakeDynamixelBus, baud: int) -> PatientPort:
        bus.start()
        port = PatientPort(bus.port)
        opened.append((bus, port))
        assert port.openPort() and port.setBaudRate(baud)
        return port

    yield begin
    for bus, port in opened:
        port.closePort()
        bus.close()


def run(servo: FakeServo, duration_s: float, start_s: float = 0.0) -> float:
    """Let time pass in 4 ms steps; returns the end."""
    steps = round(duration_s / 0.004)
    for step in range(steps + 1):
        servo.update(start_s + 0.004 * step)
    return start_s + 0.004 * steps


def write(servo: FakeServo, address: int, value: int) -> int:
    size = {TORQUE: 1, WATCHDOG: 1, SPEED: 4, GOAL: 4}[address]
    return servo.write(address, value.to_bytes(size, "little", signed=True))


def test_sdk_moves_an_x_servo_over_many_turns(plant: JointPlant, open_port, wait_until) -> None:
    port = open_port(FakeDynamixelBus([FakeXServo(21, plant)]), 4_000_000)
    sdk = dynamixel_sdk.PacketHandler(2.0)
    assert sdk.ping(port, 21) == (1020, OK, 0)
    assert sdk.read4ByteTxRx(port, 21, POSITION) == (2048, OK, 0)
    assert sdk.write1ByteTxRx(port, 21, TORQUE, 1) == (OK, 0)
    assert sdk.write4ByteTxRx(port, 21, GOAL, (2048 - 3 * 4096) & 0xFFFFFFFF) == (OK, 0)
    wait_until(lambda: abs(plant.rad[21] + 6.0 * math.pi) < 1e-6)
    raw, result, _ = sdk.read4ByteTxRx(port, 21, POSITION)
    assert (raw - (1 << 32), result) == (2048 - 3 * 4096, OK)


def test_sdk_is_not_heard_at_another_speed(plant: JointPlant, open_port) -> None:
    port = open_port(FakeDynamixelBus([FakeXServo(21, plant)]), 1_000_000)
    sdk = dynamixel_sdk.PacketHandler(2.0)
    assert sdk.ping(port, 21)[1] == dynamixel_sdk.COMM_RX_TIMEOUT
    assert port.setBaudRate(4_000_000)
    assert sdk.ping(port, 21)[1] == OK


def test_sdk_speaks_protocol_1_with_an_ax12(plant: JointPlant, open_port, wait_until) -> None:
    bus = FakeProtocol1Bus([FakeAx12(1, plant), FakeAx12(2, plant)])
    port, sdk = open_port(bus, 1_000_000), dynamixel_sdk.PacketHandler(1.0)
    assert sdk.ping(port, 1) == (12, OK, 0)
    assert sdk.write2ByteTxRx(port, 1, 30, 700) == (OK, 0)
    assert sdk.read2ByteTxRx(port, 1, 30) == (700, OK, 0)
    assert sdk.write2ByteTxRx(port, 1, 30, 2000) == (OK, 8), "range error"
    group = dynamixel_sdk.GroupSyncWrite(port, sdk, 30, 2)
    for motor_id in (1, 2):
        assert group.addParam(motor_id, [0x2C, 0x01])
    assert group.txPacket() == OK
    wait_until(lambda: [servo.get("goal_position") for servo in bus.servos] == [300, 300])
    bus.servos[1].faults.overheat = True
    wait_until(lambda: bus.servos[1].hardware_error)
    assert sdk.read1ByteTxRx(port, 2, 43) == (80, OK, 4), "the alarm is in the error byte"


@pytest.mark.parametrize("model", FAKES)
def test_every_register_keeps_what_was_written(plant: JointPlant, model: str) -> None:
    servo = FAKES[model](1, plant)
    assert set(servo.defaults) <= set(servo.table.registers)
    for name, register in servo.table.registers.items():
        if register.writable:
            value = max(servo.ranges[name][0], min(2, servo.ranges[name][1]))
            assert servo.write(register.address, register.encode(value)) == StatusError.NONE, name
            assert servo.get(name) == value
            servo.write(servo.table["torque_enable"].address, b"\0")  # unlocks the EEPROM again


class TestBusWatchdog:
    """An X servo that moves while nobody talks any more."""

    @pytest.fixture
    def servo(self, plant: JointPlant) -> FakeXServo:
        servo = FakeXServo(21, plant)
        servo.heard(0.0)
        write(servo, TORQUE, 1)
        write(servo, SPEED, 100)
        run(servo, 0.0)
        assert write(servo, WATCHDOG, 5) == StatusError.NONE  # 0.1 s
        write(servo, GOAL, 2048 + 4096)
        return servo

    def test_it_stops_in_time_and_takes_no_goal(self, servo: FakeXServo, plant: JointPlant) -> None:
        run(servo, 0.096)
        assert servo.get("bus_watchdog") == 5
        run(servo, 1.0, 0.096)
        assert servo.get("bus_watchdog") == -1
        assert plant.rad[21] == pytest.approx(0.1 * 100 * 0.0239691, rel=0.1)
        assert not plant.limp, "it holds"
        assert write(servo, GOAL, 3000) == StatusError.DATA_RANGE

    def test_talking_keeps_it_quiet(self, servo: FakeXServo) -> None:
        for step in range(20):
            servo.heard(0.05 * step)
            run(servo, 0.05, 0.05 * step)
        assert servo.get("bus_watchdog") == 5

    def test_writing_0_clears_it(self, servo: FakeXServo, plant: JointPlant) -> None:
        end_s = run(servo, 0.5)
        stopped = plant.rad[21]
        assert write(servo, WATCHDOG, 0) == StatusError.NONE
        end_s = run(servo, 0.2, end_s)
        assert plant.rad[21] == stopped
        assert write(servo, GOAL, 2048) == StatusError.NONE
        run(servo, 1.0, end_s)
        assert plant.rad[21] == pytest.approx(0.0, abs=0.002)

    def test_without_torque_it_does_not_watch(self, servo: FakeXServo) -> None:
        write(servo, TORQUE, 0)
        run(servo, 1.0)
        assert servo.get("bus_watchdog") == 5


def test_power_loss_forgets_whole_turns(plant: JointPlant) -> None:
    plant.rad[21] = 0.3
    servo = FakeXServo(21, plant)
    plant.rad[21] = 0.3 + 4.0 * math.pi  # turned by hand while it had power
    assert servo.read(POSITION, 4)[1] == (2048 + 196 + 8192).to_bytes(4, "little")
    servo.reboot()
    assert servo.read(POSITION, 4)[1] == (2048 + 196).to_bytes(4, "little")


def test_a_servo_gives_up_at_full_load(plant: JointPlant) -> None:
    servo = FakeXServo(21, plant)
    write(servo, TORQUE, 1)
    run(servo, 0.004)
    servo.faults.stuck = True
    write(servo, GOAL, 3000)
    end_s = run(servo, 0.9)
    assert not servo.hardware_error
    run(servo, 0.2, end_s)
    assert servo.get("hardware_error_status") == 1 << 5 and servo.get("torque_enable") == 0
    assert plant.limp and servo.let_go_s == pytest.approx(1.0, abs=0.1)


def test_a_mounting_turns_about_and_shifts(plant: JointPlant) -> None:
    mounted = Mounting(plant, {1: -1, 2: 1}, {1: 9.0, 2: 0.0})
    plant.rad[1] = 0.5
    assert mounted.position(1) == 8.5
    mounted.set_goal(1, 8.0)
    assert plant.rad[1] == 1.0
    mounted.set_goal(1, None)
    assert plant.limp and plant.rad[1] == 1.0
