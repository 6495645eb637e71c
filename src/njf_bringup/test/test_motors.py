"""`njf motors` against fake motors on a pseudo-terminal."""

from collections.abc import Iterator

import pytest
import typer

from njf_bringup.commands.motors import motors
from njf_sim.fakes.dynamixel import FakeDynamixelBus
from njf_sim.fakes.dynamixel_models import FakeXServo


class StandingPlant:
    """A joint that nobody moves."""

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        pass

    def position(self, channel_id: int) -> float:
        return 0.0

    def speed(self, channel_id: int) -> float:
        return 0.0


@pytest.fixture
def bus() -> Iterator[FakeDynamixelBus]:
    bus = FakeDynamixelBus([FakeXServo(motor_id, StandingPlant()) for motor_id in (1, 22)])
    bus.start()
    yield bus
    bus.close()


def test_motors_are_listed_with_their_models(bus: FakeDynamixelBus, capsys) -> None:
    motors(bus.port, baud=4_000_000)
    assert capsys.readouterr().out.splitlines() == [
        "id 1 at 4000000 bit/s: xm430_w350",
        "id 22 at 4000000 bit/s: xm430_w350",
        f"2 motors on {bus.port}.",
    ]


def test_a_motor_gets_its_place(bus: FakeDynamixelBus, capsys) -> None:
    motors(bus.port, baud=4_000_000, motor_id=1, new_id=21, new_baud=1_000_000)
    assert capsys.readouterr().out == "id 21 at 1000000 bit/s\n"
    assert [(servo.motor_id, servo.baud) for servo in bus.servos] == [
        (21, 1_000_000),
        (22, 4_000_000),
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"motor_id": 1, "baud": 57_600}, "--new-id, --new-baud or both"),
        ({"new_id": 3}, "--motor-id goes with"),
        ({"motor_id": 1, "new_id": 3}, "needs --baud"),
    ],
)
def test_half_a_request_is_refused(bus: FakeDynamixelBus, options: dict, text: str) -> None:
    with pytest.raises(typer.BadParameter, match=text):
        motors(bus.port, **options)
    assert [servo.motor_id for servo in bus.servos] == [1, 22]
