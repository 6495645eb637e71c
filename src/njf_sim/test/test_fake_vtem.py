"""The fake terminal over its network port, spoken to by a bare pymodbus client."""

from collections.abc import Iterator

import pytest
from pymodbus.client import ModbusTcpClient

from njf_sim.fakes.chambers import TIME_CONSTANT_S, Chambers
from njf_sim.fakes.vtem import FakeVtem
from njf_sim.fakes.vtem_terminal import START_S, TIMEOUT, Terminal

RUN, OFF, ACKNOWLEDGE = 0b1100_0011, 0b0011_1101, 0b0111_1110


class ChamberPlant:
    """Chambers that have the pressure they are told to have; None where they were let go."""

    def __init__(self) -> None:
        self.goals: list[float | None] = [None, None, None]

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.goals[channel_id] = goal

    def position(self, channel_id: int) -> float:
        return self.goals[channel_id] or 0.0

    def speed(self, channel_id: int) -> float:
        return 0.0


@pytest.fixture
def plant() -> ChamberPlant:
    return ChamberPlant()


@pytest.fixture
def terminal(plant: ChamberPlant) -> Terminal:
    """The inside alone, with valves 0, 1 and 5 in use; the test is the clock."""
    return Terminal(Chambers(plant, [0, 1, 2]), [0, 1, 5])


@pytest.fixture
def client(plant: ChamberPlant) -> Iterator[ModbusTcpClient]:
    device = FakeVtem(Chambers(plant, [0, 1, 2]), [0, 1, 5])
    device.start()
    client = ModbusTcpClient("127.0.0.1", port=int(device.port.split(":")[1]), timeout=10.0)
    assert client.connect()
    yield client
    client.close()
    device.close()
    assert plant.goals == [None, None, None], "unplugging lets the air out"


def run(terminal: Terminal, begin_s: float, end_s: float) -> None:
    for step in range(1, 101):
        terminal.update(begin_s + (end_s - begin_s) * step / 100)


def test_pressures_follow_with_first_order_dynamics(terminal: Terminal) -> None:
    terminal.write(40_003, [RUN, 300, 0], 0.0)
    run(terminal, 0.0, 0.99 * START_S)
    assert terminal.chambers.pressure_pa[0] == 0.0, "the app is still starting"
    terminal.update(START_S + 1e-6)
    before_pa = terminal.chambers.pressure_pa[0]
    run(terminal, START_S + 1e-6, START_S + 1e-6 + TIME_CONSTANT_S)
    rise = (terminal.chambers.pressure_pa[0] - before_pa) / (30_000.0 - before_pa)
    assert rise == pytest.approx(0.632, abs=0.01)
    run(terminal, 1.0, 2.0)
    assert terminal.words()[1][3:6] == [0b1000_0011, 300, 0]


def test_switching_off_and_a_missing_acknowledgement(terminal: Terminal) -> None:
    terminal.write(TIMEOUT, [200], 0.0)
    terminal.write(40_003, [RUN, 300, 300], 0.0)
    run(terminal, 0.0, 0.19)
    assert terminal.chambers.pressure_pa[0] > 20_000.0
    run(terminal, 0.19, 1.0)
    assert terminal.chambers.pressure_pa[0] < 10.0, "the time-out lets the air out"
    assert terminal.words()[1][3] >> 6 == 3 and terminal.words()[0] == [0] * 26
    terminal.write(40_003, [RUN, 300, 300], 1.0)
    run(terminal, 1.0, 1.15)
    assert terminal.words()[1][3] >> 6 == 3, "the error is latched"
    terminal.write(40_003, [ACKNOWLEDGE, 0, 0], 1.2)
    terminal.write(40_003, [RUN, 0, 0], 1.25)
    run(terminal, 1.25, 1.4)
    assert terminal.words()[1][3] == 0b1000_0011


def test_only_the_valve_that_is_switched_on_regulates(terminal: Terminal) -> None:
    terminal.write(40_003, [0b1000_0011, 300, 300], 0.0)
    run(terminal, 0.0, 1.0)
    assert terminal.chambers.pressure_pa[:2] == [pytest.approx(30_000.0), 0.0]


def test_supply_and_stuck_valves_limit(terminal: Terminal) -> None:
    terminal.chambers.supply_pa = 20_000.0
    terminal.chambers.stuck = {1}
    terminal.write(40_003, [RUN, 300, 300], 0.0)
    run(terminal, 0.0, 1.0)
    assert terminal.chambers.pressure_pa[:2] == [pytest.approx(20_000.0), 0.0]


def test_the_wire_has_the_terminals_registers(client: ModbusTcpClient, wait_until) -> None:
    assert not client.write_registers(40_009, [RUN, 0, 0xFFFF & -5], device_id=1).isError()
    assert client.read_holding_registers(40_009, count=3, device_id=1).registers == [
        RUN,
        0,
        0xFFFB,
    ]
    client.write_register(40_011, 123, device_id=1)

    def status() -> list[int]:
        return list(client.read_holding_registers(45_401, count=3, device_id=1).registers)

    wait_until(lambda: status() == [0b1000_0011, 0, 123])


def test_the_time_out_register_reads_back_what_was_granted(client: ModbusTcpClient) -> None:
    for written, granted in ((1000, 1000), (20, 100), (0, 0)):
        client.write_register(TIMEOUT, written, device_id=1)
        assert client.read_holding_registers(TIMEOUT, device_id=1).registers == [granted]


def test_what_is_not_there_is_refused(client: ModbusTcpClient) -> None:
    assert client.read_holding_registers(100, device_id=1).exception_code == 2
    assert client.read_holding_registers(40_027, device_id=1).exception_code == 2
    assert client.write_register(45_395, 1, device_id=1).exception_code == 2, "inputs"
    assert client.read_holding_registers(40_003, device_id=9).isError(), "another unit"
