"""Finding motors and giving them ids and speeds."""

import pytest

from njf_control.drivers.dynamixel.driver import bus_of
from njf_control.drivers.dynamixel.service import FoundMotor, bauds, find_motors, set_up_motor
from njf_perception.errors import ConfigError, DeviceNotConnectedError


@pytest.fixture(params=["hsa", "ax12"])
def bench(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


@pytest.fixture
def bus(bench):
    bus = bus_of(bench.robot.driver, bench.port)
    bus.open()
    yield bus
    bus.close()


def test_a_factory_fresh_motor_is_found_and_gets_its_place(bus, bench):
    first, *others = bench.servos
    factory, wanted, model = first.motor_id, bus.baud, first.get("model_number")
    code = next(c for c, baud in first.table.baud_codes.items() if baud == 57_600)
    bench.set(0, "baud_rate", code)
    assert find_motors(bus, 57_600) == [FoundMotor(factory, model, 57_600)]
    with bus.at_baud(57_600):
        assert bus.ping(factory) == model
    slow = bus_of(bench.robot.driver.model_copy(update={"baud": 57_600}), bench.port)
    bus.close()
    slow.open()
    assert set_up_motor(slow, factory, 99, wanted) == FoundMotor(99, model, wanted)
    slow.close()
    bus.open()
    found = find_motors(bus, wanted)
    assert [motor.motor_id for motor in found] == sorted([99, *(s.motor_id for s in others)])


def test_a_taken_id_is_refused(bus, bench):
    first, second = (servo.motor_id for servo in bench.servos[:2])
    with pytest.raises(ConfigError, match=f"id {second} answers at {bus.baud} bit/s already"):
        set_up_motor(bus, first, new_id=second)
    assert bench.servos[0].motor_id == first


def test_a_motor_with_torque_keeps_what_it_has(bus, bench):
    bench.set(0, "torque_enable", 1)
    with pytest.raises(ConfigError, match="torque on"):
        set_up_motor(bus, bench.servos[0].motor_id, new_id=99)


def test_an_impossible_speed_lists_the_possible(bus, bench):
    with pytest.raises(ConfigError, match="cannot talk at 1234567 bit/s, only at 9600"):
        set_up_motor(bus, bench.servos[0].motor_id, new_baud=1_234_567)


def test_a_motor_that_does_not_take_it_is_told(bus, bench):
    bench.servos[0].faults.forgetful = True
    with pytest.raises(DeviceNotConnectedError, match="does not answer as id 99"):
        set_up_motor(bus, bench.servos[0].motor_id, new_id=99)


def test_speeds_are_those_of_the_protocols_models():
    assert bauds(2)[:2] == [4_000_000, 3_000_000] and bauds(1)[0] == 1_000_000
