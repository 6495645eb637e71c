"""The fake board's firmware, by lines written out; the test is the clock."""

from collections.abc import Iterator

import pytest

from njf_sim.fakes.chambers import Chambers
from njf_sim.fakes.pressure_board import FakePressureBoard, _crc


class ChamberPlant:
    """Two chambers that have the pressure they are told to have."""

    def __init__(self) -> None:
        self.pressure_pa = [0.0, 0.0]

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        self.pressure_pa[channel_id] = goal or 0.0

    def position(self, channel_id: int) -> float:
        return self.pressure_pa[channel_id]

    def speed(self, channel_id: int) -> float:
        return 0.0


class Clock:
    """Time that stands still until it is told to pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plant() -> ChamberPlant:
    return ChamberPlant()


@pytest.fixture
def board(plant: ChamberPlant, clock: Clock) -> Iterator[FakePressureBoard]:
    board = FakePressureBoard(Chambers(plant, [0, 1]), [0, 2], 4095, 50.0, clock)
    yield board
    board.close()


def line(text: str) -> bytes:
    return text.encode() + b"*%04X\n" % _crc(text.encode())


def wait(board: FakePressureBoard, clock: Clock, duration_s: float) -> None:
    for _ in range(20):
        clock.now_s += duration_s / 20
        board.update(clock.now_s)


def test_lines_with_their_checksums_written_out(board: FakePressureBoard) -> None:
    assert board.respond(b"1 ID*E74F\n") == line("1 ID njf-pressure 1 3 4095")
    assert board.respond(b"7 WDT 1000*354D\n") == line("7 WDT 1000")


def test_set_points_move_the_air_only_while_it_is_on(
    board: FakePressureBoard, plant: ChamberPlant, clock: Clock
) -> None:
    board.update(0.0)
    assert board.respond(line("1 SET 200 0 9999")) == line("1 SET 200 0 4095")
    wait(board, clock, 1.0)
    assert plant.pressure_pa == [0.0, 0.0]
    assert board.respond(line("2 ON")) == line("2 ON")
    wait(board, clock, 1.0)
    assert plant.pressure_pa == [pytest.approx(10_000.0), pytest.approx(204_750.0)]
    assert board.respond(line("3 GET")) == line("3 GET 1 200 0 4095")
    assert board.respond(line("4 OFF")) == line("4 OFF")
    wait(board, clock, 1.0)
    assert plant.pressure_pa == [0.0, 0.0]


def test_the_watchdog_switches_off_until_it_is_switched_on_again(
    board: FakePressureBoard, plant: ChamberPlant, clock: Clock
) -> None:
    board.update(0.0)
    for text in ("1 WDT 200", "2 SET 200 0 200", "3 ON"):
        board.respond(line(text))
    wait(board, clock, 0.15)
    assert plant.pressure_pa[0] > 9000.0
    board.respond(line("4 GET"))
    wait(board, clock, 0.15)
    assert plant.pressure_pa[0] > 9000.0, "every request counts as a sign of life"
    wait(board, clock, 1.0)
    assert plant.pressure_pa == [0.0, 0.0]
    assert board.respond(line("5 GET")) == line("5 GET 2 0 0 0")
    board.respond(line("6 SET 200 0 200"))
    wait(board, clock, 0.1)
    assert plant.pressure_pa == [0.0, 0.0], "a set-point alone starts nothing"
    board.respond(line("7 ON"))
    assert board.respond(line("8 GET")).startswith(b"8 GET 1 ")


@pytest.mark.parametrize(
    ("text", "code"),
    [("1 FLY", 1), ("1 SET 1 2", 2), ("1 GET 1", 2), ("1 SET 1 2 x", 3), ("1 WDT 70000", 3)],
)
def test_what_cannot_be_obeyed_is_refused(board: FakePressureBoard, text: str, code: int) -> None:
    assert board.respond(line(text)) == line(f"1 ERR {code}")


@pytest.mark.parametrize(
    "data", [b"1 ID*E74E\n", b"1 ID\n", b"\n", b"*FFFF\n", b"\xff\xfe\n", line("x ID"), b"9" * 500]
)
def test_what_is_no_line_is_not_answered(board: FakePressureBoard, data: bytes) -> None:
    assert board.respond(data) == b""
    assert board.respond(b"\n" + line("2 ON")) == line("2 ON"), "and the next one is heard"
