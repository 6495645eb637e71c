"""The fake servo's registers, refusals and motion, without any bus."""

import math

import pytest

from njf_control.drivers.dynamixel.models import XL320
from njf_control.drivers.dynamixel.protocol import StatusError
from njf_control.drivers.dynamixel.units import TEN_BIT
from njf_sim.fakes.dynamixel_servo import FakeServo

ID = 3


class IdealPlant:
    """A joint without physics: it is where it was last told to be."""

    def __init__(self) -> None:
        self.rad = 0.0
        self.limp = False

    def set_goal(self, channel_id: int, goal: float | None) -> None:
        assert channel_id == ID
        self.limp = goal is None
        if goal is not None:
            self.rad = goal

    def position(self, channel_id: int) -> float:
        return self.rad

    def speed(self, channel_id: int) -> float:
        return 0.0


@pytest.fixture
def plant() -> IdealPlant:
    return IdealPlant()


@pytest.fixture
def servo(plant: IdealPlant) -> FakeServo:
    return FakeServo(ID, plant)


def write(servo: FakeServo, name: str, value: int) -> int:
    register = XL320[name]
    return servo.write(register.address, register.encode(value))


def run(servo: FakeServo, duration_s: float, start_s: float = 0.0) -> float:
    """Let time pass in 4 ms steps; returns the end."""
    steps = round(duration_s / 0.004)
    for step in range(steps + 1):
        servo.update(start_s + 0.004 * step)
    return start_s + 0.004 * steps


def read(servo: FakeServo, name: str) -> int:
    error, data = servo.read(XL320[name].address, XL320[name].size)
    assert error == StatusError.NONE
    return int.from_bytes(data, "little")


def test_it_wakes_up_limp_where_it_is(plant: IdealPlant) -> None:
    plant.rad = 0.4
    servo = FakeServo(ID, plant)
    run(servo, 0.02)
    assert plant.limp
    assert TEN_BIT.raw_to_position(read(servo, "goal_position")) == pytest.approx(
        0.4, abs=TEN_BIT.rad_per_count
    )
    assert read(servo, "present_position") == read(servo, "goal_position")


def test_position_counts_are_300_degrees_over_1023(plant: IdealPlant, servo: FakeServo) -> None:
    """Written out, because ROBOTIS' own model file has the unit of another servo."""
    plant.rad = math.radians(30.0)
    assert read(servo, "present_position") == 512 + round(30.0 * 1023 / 300)


def test_it_moves_to_the_stored_goal_when_torque_comes(plant: IdealPlant, servo: FakeServo) -> None:
    assert write(servo, "goal_position", 600) == StatusError.NONE
    run(servo, 0.1)
    assert plant.rad == 0.0
    assert write(servo, "torque_enable", 1) == StatusError.NONE
    run(servo, 0.1, 1.0)
    assert plant.rad == pytest.approx(TEN_BIT.raw_to_position(600))
    write(servo, "torque_enable", 0)
    run(servo, 0.01, 2.0)
    assert plant.limp


def test_moving_speed_limits_the_motion(plant: IdealPlant, servo: FakeServo) -> None:
    write(servo, "moving_speed", 100)
    write(servo, "torque_enable", 1)
    run(servo, 0.004)
    write(servo, "goal_position", 800)
    run(servo, 0.5, 0.004)
    assert plant.rad == pytest.approx(0.5 * 100 * TEN_BIT.rad_s_per_count, rel=0.02)


def test_a_goal_takes_effect_after_the_delay(plant: IdealPlant) -> None:
    servo = FakeServo(ID, plant, delay_s=0.1)
    write(servo, "torque_enable", 1)
    end_s = run(servo, 0.02)
    write(servo, "goal_position", 550)
    end_s = run(servo, 0.09, end_s)
    assert plant.rad == pytest.approx(0.0, abs=1e-9)
    run(servo, 0.1, end_s)
    assert plant.rad == pytest.approx(TEN_BIT.raw_to_position(550))


def test_backlash_hides_from_the_sensor_and_shows_at_the_joint(plant: IdealPlant) -> None:
    servo = FakeServo(ID, plant, backlash_rad=0.04)
    write(servo, "torque_enable", 1)
    end_s = run(servo, 0.01)
    reached = {}
    for raw in (600, 540):
        write(servo, "goal_position", raw)
        end_s = run(servo, 0.5, end_s)
        reached[raw] = plant.rad
        assert read(servo, "present_position") == raw
    assert reached[600] == pytest.approx(TEN_BIT.raw_to_position(600) - 0.02)
    assert reached[540] == pytest.approx(TEN_BIT.raw_to_position(540) + 0.02)


def test_a_stuck_joint_stays_and_the_load_rises(plant: IdealPlant, servo: FakeServo) -> None:
    write(servo, "torque_enable", 1)
    run(servo, 0.01)
    servo.faults.stuck = True
    write(servo, "goal_position", 700)
    run(servo, 0.5, 0.01)
    assert plant.rad == pytest.approx(0.0, abs=1e-9)
    assert TEN_BIT.raw_to_load(read(servo, "present_load")) == 1.0


def test_overheating_shuts_down_until_a_reboot(plant: IdealPlant, servo: FakeServo) -> None:
    write(servo, "torque_enable", 1)
    servo.faults.overheat = True
    run(servo, 0.01)
    assert plant.limp
    assert read(servo, "hardware_error_status") == 0b010
    assert read(servo, "present_temperature") > read(servo, "temperature_limit")
    servo.faults.overheat = False
    run(servo, 0.01, 1.0)
    assert servo.alert
    assert write(servo, "torque_enable", 1) == StatusError.RESULT_FAIL
    servo.reboot()
    assert not servo.alert
    assert write(servo, "torque_enable", 1) == StatusError.NONE


def test_a_reboot_forgets_old_goals(plant: IdealPlant, servo: FakeServo) -> None:
    write(servo, "torque_enable", 1)
    write(servo, "goal_position", 700)
    run(servo, 0.001)
    servo.reboot()
    assert read(servo, "torque_enable") == 0
    where = plant.rad
    write(servo, "torque_enable", 1)
    run(servo, 0.5, 1.0)
    assert plant.rad == pytest.approx(where, abs=TEN_BIT.rad_per_count)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("goal_position", 1024, StatusError.DATA_RANGE),
        ("goal_position", 199, StatusError.DATA_LIMIT),
        ("goal_position", 200, StatusError.NONE),
        ("torque_enable", 2, StatusError.DATA_RANGE),
        ("present_position", 512, StatusError.ACCESS),
        ("model_number", 12, StatusError.ACCESS),
        ("control_mode", 0, StatusError.DATA_RANGE),
    ],
)
def test_writes_are_refused_for_the_right_reason(
    servo: FakeServo, name: str, value: int, error: int
) -> None:
    assert write(servo, "cw_angle_limit", 200) == StatusError.NONE
    before = servo.get(name)
    assert write(servo, name, value) == error
    assert servo.get(name) == (value if error == StatusError.NONE else before)


def test_eeprom_is_locked_while_torque_is_on(servo: FakeServo) -> None:
    write(servo, "torque_enable", 1)
    for name, register in XL320.registers.items():
        if register.eeprom:
            assert write(servo, name, servo.get(name)) == StatusError.ACCESS, name


def test_every_register_keeps_what_was_written(servo: FakeServo) -> None:
    for name, register in XL320.registers.items():
        if register.writable:
            value = 60 if "voltage" in name else 1
            assert write(servo, name, value) == StatusError.NONE, name
            assert servo.get(name) == value


def test_a_block_write_is_all_or_nothing(servo: FakeServo) -> None:
    """Goal position, moving speed and the gap behind it."""
    assert servo.write(30, bytes([0, 2, 9, 0])) == StatusError.NONE
    assert (servo.get("goal_position"), servo.get("moving_speed")) == (512, 9)
    assert servo.write(30, bytes([1, 2, 9, 0, 7])) == StatusError.ACCESS
    assert servo.get("goal_position") == 512
    assert servo.write(30, bytes([1])) == StatusError.DATA_LENGTH
    assert servo.write(30, b"") == StatusError.DATA_LENGTH
    assert servo.read(50, 4)[0] == StatusError.ACCESS


def test_changing_the_id_keeps_the_joint(plant: IdealPlant, servo: FakeServo) -> None:
    write(servo, "id", 9)
    write(servo, "torque_enable", 1)
    write(servo, "goal_position", 600)
    run(servo, 0.5)
    assert servo.motor_id == 9
    assert plant.rad == pytest.approx(TEN_BIT.raw_to_position(600))
