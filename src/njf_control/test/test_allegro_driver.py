"""The Allegro hand's driver against the fake hand, byte for byte, in real time."""

import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import numpy as np
import pytest
import yaml

from njf_control.drivers.allegro.bus import CanBus
from njf_control.drivers.allegro.config import AllegroConfig
from njf_control.drivers.allegro.driver import AllegroDriver
from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.make import make_driver
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import ConfigError, DeviceNotConnectedError
from njf_sim.fakes.allegro import FakeAllegroHand

ROBOTS = Path(__file__).parents[3] / "config" / "robots"
THUMB, RING = slice(12, 16), slice(8, 12)


@pytest.fixture
def hand(hand_bench) -> FakeAllegroHand:
    return hand_bench.hand


@pytest.fixture
def driver(hand_bench) -> Iterator[AllegroDriver]:
    driver = make_driver(patient(hand_bench.robot), hand_bench.port)
    assert isinstance(driver, AllegroDriver)
    yield driver
    driver.close()


@pytest.fixture
def active(driver: AllegroDriver) -> AllegroDriver:
    driver.connect()
    driver.activate()
    return driver


def patient(robot: RobotConfig, **changes: object) -> RobotConfig:
    """The same robot for a busy computer: silence is longer before it is one."""
    driver = robot.driver.model_copy(update={"stale_timeout_s": 0.5, **changes})
    return robot.model_copy(update={"driver": driver})


def test_connecting_moves_nothing_and_measures(driver, hand):
    driver.connect()
    state = driver.read()
    np.testing.assert_allclose(state.position, 0.1, atol=1e-4)
    assert not hand.servo_on and not state.alarms
    assert state.health["temperature_c"].tolist() == [41.0] * 16
    assert "effort" not in state.health and state.health["duty"].tolist() == [0.0] * 16


def test_activation_holds_what_was_measured(active, hand, wait_until):
    assert hand.servo_on
    wait_until(lambda: active.read().position is not None and active.statistics["requests"] > 200)
    np.testing.assert_allclose(active.read().position, 0.1, atol=0.003)


def test_the_hand_comes_to_its_set_points(active, hand_bench, wait_until):
    goal = np.linspace(0.0, 0.14, 16)
    assert np.array_equal(active.send(goal), goal)
    near = np.radians(0.1)
    wait_until(lambda: np.allclose(hand_bench.positions(), goal, atol=near), 120.0)
    duty = active.read().health["duty"]
    assert 0.0 < np.abs(duty).max() < 0.6


def test_the_thumb_is_the_last_finger_on_the_wire(active, hand, hand_bench, wait_until):
    """Other software counts the thumb first, and names sort it last or first by chance."""
    names = hand_bench.robot.channel_names
    goal = np.full(16, 0.1)
    goal[names.index("thj2")] = 0.4
    active.send(goal)
    wait_until(lambda: hand.joints.position[14] > 0.39)
    np.testing.assert_allclose(hand.joints.position[RING], 0.1, atol=0.02)
    assert hand.joints.position[12] == pytest.approx(0.9, abs=0.02), "thj0 counts from 0.8 rad"


def test_a_channel_is_no_faster_than_its_max_rate_however_far_its_set_point(hand_bench, wait_until):
    """The node may run slower than the robot's file says, and its steps are larger then."""
    channels = [
        channel.model_copy(update={"max_rate": 0.12 if channel.name == "thj2" else 2.5})
        for channel in hand_bench.robot.channels
    ]
    robot = patient(hand_bench.robot).model_copy(update={"channels": channels})
    with AllegroDriver(robot, CanBus(hand_bench.port)) as driver:
        driver.activate()
        wait_until(lambda: driver.statistics["requests"] > 200)  # the torque has its full size
        began_s = time.monotonic()
        driver.send(np.full(16, 0.3))
        wait_until(lambda: hand_bench.hand.joints.position[14] > 0.28)
        assert time.monotonic() - began_s > 0.6, "0.18 rad at 0.12 rad/s, and a little overshoot"


def test_channels_in_another_order_still_find_their_joints(hand_bench):
    """Only the names connect channels and wire."""
    channels = list(reversed(hand_bench.robot.channels))
    robot = patient(hand_bench.robot).model_copy(update={"channels": channels})
    hand_bench.plant.set_goal(15, 0.3)  # thj3 in the hand's own robot
    with AllegroDriver(robot, CanBus(hand_bench.port)) as driver:
        deadline = time.monotonic() + 20.0
        while driver.read().position[0] < 0.29 and time.monotonic() < deadline:
            time.sleep(0.01)
        position = driver.read().position
    assert position[0] == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(position[1:], 0.1, atol=1e-3)


def test_joints_that_are_no_channel_go_slowly_to_where_they_are_held(tmp_path, wait_until):
    robot = patient(load_robot(ROBOTS / "allegro8.yaml"), hold_speed_rad_s=1.0)
    assert isinstance(robot.driver, AllegroConfig)
    from_robot = {joint.name: joint.hold_rad for joint in robot.driver.joints}
    held = {name: rad for name, rad in from_robot.items() if rad is not None}
    assert held == robot.simulation.hold, "the picture shows what the hand does"
    plant = StillPlant()
    hand = FakeAllegroHand(robot, plant)
    hand.joints.place(0.9, 3)  # ffj3, held at 0.5
    hand.start()
    driver = make_driver(robot, hand.port)
    try:
        driver.connect()
        state = driver.activate()
        seen = [hand.joints.position[3]]

        def arrived() -> bool:
            driver.send(state.position)
            seen.append(float(hand.joints.position[3]))
            return abs(seen[-1] - 0.5) < 0.002

        wait_until(arrived, 120.0)
        assert np.abs(np.diff(seen)).max() < 0.2, "no leap"
        assert hand.joints.position[12] == pytest.approx(0.8, abs=0.01)
    finally:
        driver.close()
        hand.close()


class StillPlant:
    def set_goal(self, channel_id: int, goal: float | None) -> None:
        return

    def position(self, channel_id: int) -> float:
        return 0.3

    def speed(self, channel_id: int) -> float:
        return 0.0


def test_deactivation_is_confirmed_and_leaves_no_torque(active, hand_bench):
    active.send(np.full(16, 0.14))
    active.deactivate()
    assert hand_bench.is_limp
    active.activate()
    assert hand_bench.hand.servo_on


@pytest.mark.fault
def test_a_hand_that_does_not_switch_off_is_told(active, hand):
    hand.faults.deaf = True
    with pytest.raises(DeviceNotConnectedError, match="may still be ON.*Cut the hand's power"):
        active.deactivate()


@pytest.mark.fault
def test_closing_switches_a_driven_hand_off(active, hand_bench, wait_until):
    active.close()
    wait_until(lambda: hand_bench.is_limp)


@pytest.mark.fault
def test_an_error_inside_the_loop_switches_off(active, hand_bench, monkeypatch, wait_until):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(active._loop._control, "step", broken)
    wait_until(lambda: hand_bench.is_limp)
    with pytest.raises(DeviceNotConnectedError, match="a mistake"):
        active.read()


@pytest.mark.fault
def test_silence_means_zero_torque_and_torque_returns_with_the_reports(
    active, hand, hand_bench, wait_until
):
    torque_is_latched(active, hand, wait_until)
    before = active.statistics["stale_feedback"]
    hand.faults.silent = True
    wait_until(lambda: not hand.torque.any())
    assert hand.servo_on
    with pytest.raises(NoAnswerError, match="no complete set of positions"):
        wait_until(lambda: active.read() is None)
    assert active.statistics["stale_feedback"] == before + 1
    hand.faults.silent = False
    wait_until(lambda: hand.torque[5] > 50)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("fault", "count"),
    [
        ("half_cycle", "incomplete_cycles"),
        ("wrong_length", "malformed_frames"),
        ("other_device", "foreign_frames"),
    ],
)
def test_strange_frames_are_counted(active, hand, wait_until, fault, count):
    setattr(hand.faults, fault, True)
    wait_until(lambda: active.statistics[count] > 10)
    if fault == "other_device":  # no harm done
        np.testing.assert_allclose(active.read().position, 0.1, atol=0.01)
    else:  # not one complete cycle any more
        wait_until(lambda: not hand.torque.any())


@pytest.mark.fault
def test_a_brown_out_is_silence(active, hand, wait_until):
    hand.brown_out()
    with pytest.raises(NoAnswerError):
        wait_until(lambda: active.read() is None)


@pytest.mark.fault
def test_servos_that_went_off_by_themselves_are_an_alarm(active, hand, wait_until):
    hand.servo_on = False
    wait_until(lambda: active.read().alarms)
    assert "switched its servos off by itself" in active.read().alarms[0]


@pytest.mark.fault
def test_a_hot_hand_is_an_alarm_and_is_not_activated(driver, hand, wait_until):
    driver.connect()
    driver.activate()
    hand.faults.over_temperature = True
    wait_until(lambda: driver.read().alarms)
    assert "too hot (85 degC)" in driver.read().alarms[0]
    driver.deactivate()
    driver.connect()
    with pytest.raises(DeviceNotConnectedError, match="stay off: the hand is too hot"):
        driver.activate()
    assert not hand.servo_on


@pytest.mark.fault
def test_bus_off_is_told(active, hand, wait_until):
    hand.faults.bus_off = True
    with pytest.raises(DeviceNotConnectedError, match="BUS-OFF"):
        wait_until(lambda: active.read() is None)


@pytest.mark.fault
def test_an_unplugged_adapter_is_told(active, hand_bench, wait_until):
    hand_bench.unplug()
    with pytest.raises(DeviceNotConnectedError, match="failed"):
        wait_until(lambda: active.read() is None)


def test_a_bus_that_comes_back_switches_the_servos_off(active, hand, hand_bench, wait_until):
    """As with restart-ms 100: the hand must not keep its last torque until somebody activates."""
    torque_is_latched(active, hand, wait_until)
    hand.faults.bus_off = True
    with pytest.raises(DeviceNotConnectedError, match="BUS-OFF"):
        wait_until(lambda: active.read() is None)
    assert hand.servo_on and hand.torque[5] > 50
    later(0.15, lambda: setattr(hand.faults, "bus_off", False))
    active.deactivate()
    assert hand_bench.is_limp


def test_an_adapter_plugged_in_again_switches_the_servos_off(active, hand_bench, wait_until):
    hand_bench.unplug()
    with pytest.raises(DeviceNotConnectedError, match="failed"):
        wait_until(lambda: active.read() is None)
    later(0.5, lambda: hand_bench.plug(latched=100))
    active.deactivate()
    assert hand_bench.is_limp


def test_a_bus_that_stays_away_is_tried_for_a_bounded_time_and_told(active, hand, wait_until):
    hand.faults.bus_off = True
    with pytest.raises(DeviceNotConnectedError, match="BUS-OFF"):
        wait_until(lambda: active.read() is None)
    began_s = time.monotonic()
    with pytest.raises(DeviceNotConnectedError, match="may still be ON.*BUS-OFF.*Cut the hand's"):
        active.deactivate()
    assert 2.0 < time.monotonic() - began_s < 10.0, "2.5 s, and what a busy computer adds"


def torque_is_latched(driver: AllegroDriver, hand: FakeAllegroHand, wait_until: Callable) -> None:
    hand.faults.stuck.add(5)
    driver.send(np.full(16, 0.14))
    wait_until(lambda: hand.torque[5] > 50)


def later(delay_s: float, action: Callable[[], None]) -> None:
    threading.Timer(delay_s, action).start()


@pytest.mark.fault
def test_a_hand_without_power_is_told(driver, hand):
    hand.faults.dead = True
    with pytest.raises(NoAnswerError, match="no hand answers.*Check its power"):
        driver.connect()


@pytest.mark.fault
def test_a_hand_with_another_device_id_is_named(hand_bench):
    robot = patient(hand_bench.robot, device_id=1)
    hand_bench.hand._period_s = 0.003  # as another driver left it
    with pytest.raises(NoAnswerError, match=r"device ids \[0\] send there"):
        AllegroDriver(robot, CanBus(hand_bench.port)).connect()


@pytest.mark.parametrize(
    ("change", "text"),
    [({"hand": "left"}, "is a right one, driver.hand is left"), ({"model": "v4"}, "version 5.1")],
)
def test_another_hand_than_configured_is_refused(hand_bench, change, text):
    if "model" in change:
        hand_bench.hand._config = hand_bench.robot.driver.model_copy(update={"model": "v5"})
    driver = AllegroDriver(patient(hand_bench.robot, **change), CanBus(hand_bench.port))
    with pytest.raises(ConfigError, match=text):
        driver.connect()


@pytest.mark.parametrize("port", ["can0", "socketcan:", ":can0", ""])
def test_a_port_without_interface_is_refused(port):
    with pytest.raises(ConfigError, match="socketcan:can0"):
        CanBus(port).open()


def test_an_unknown_interface_is_refused():
    with pytest.raises(ConfigError, match="pigeon"):
        CanBus("pigeon:can0").open()


def test_an_adapter_that_vanishes_while_it_is_opened_is_told(monkeypatch):
    def vanish(*_, **__):
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(can, "Bus", vanish)
    with pytest.raises(DeviceNotConnectedError, match="cannot open serial:/dev/ttyACM0"):
        CanBus("serial:/dev/ttyACM0").open()


def test_a_missing_interface_names_the_line_that_mends_it():
    with pytest.raises(DeviceNotConnectedError, match="sudo ip link set can7 up type can"):
        CanBus("socketcan:can7").open()


def test_set_points_that_are_not_finite_are_refused(active):
    with pytest.raises(ValueError, match="finite"):
        active.send(np.full(16, np.nan))


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda c: c["driver"]["joints"][0].update(name="thj3"), "16 different names"),
        (lambda c: c["driver"]["joints"][0].update(name="elbow"), "'ffj0'.* are not among"),
        (lambda c: c["driver"]["joints"][0].update(hold_rad=0.1), "ffj0 must be either"),
        (lambda c: c["channels"].pop(0), "ffj0 must be either"),
        (lambda c: c["driver"]["joints"].pop(), "16"),
    ],
)
def test_a_robot_file_must_say_of_every_joint_what_it_is(tmp_path, edit: Callable, text: str):
    config = yaml.safe_load((ROBOTS / "allegro.yaml").read_text())
    edit(config)
    file = tmp_path / "robot.yaml"
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match=text):
        load_robot(file)


def test_a_v5_hand_is_switched_on_limp_to_report(hand_bench, wait_until):
    """A v5 reports only with its servos on, and its counts are mA of at most 240."""
    robot = patient(hand_bench.robot, model="v5")
    hand = FakeAllegroHand(robot, hand_bench.plant)
    hand.start()
    driver = AllegroDriver(robot, CanBus(hand.port))
    try:
        driver.connect()
        assert hand.servo_on and not hand.torque.any()
        np.testing.assert_allclose(driver.read().position, 0.1, atol=1e-3)
        driver.activate()
        hand.faults.stuck.add(4)
        driver.send(np.full(16, 2.0))
        wait_until(lambda: np.abs(hand.torque).max() == 240)
        wait_until(lambda: np.abs(driver.read().health["current_ma"]).max() == 240)
    finally:
        driver.close()
        wait_until(lambda: not hand.servo_on)
        hand.close()
