"""What /diagnostics says of a loop, without a graph: levels and their reasons."""

import math
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from njf_control.control_loop import ControlLoop
from njf_control.drivers.base import RobotDriver, RobotState
from njf_control.drivers.make import make_driver
from njf_control.nodes.driver_diagnostics import DriverDiagnostics, channel_statuses
from njf_control.robot import load_robot
from njf_control.safety import SafetyGate

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
ROBOTS = Path(__file__).parents[3] / "config" / "robots"
ROBOT = load_robot(ROBOTS / "finger.yaml")
NAMES = ROBOT.channel_names


class Still(RobotDriver):
    """A robot that stands still, with a bus that counts what it is told to."""

    def __init__(self):
        self.counts = {"requests": 0, "timeouts": 0}
        self.now_s = 0.0

    @property
    def statistics(self):
        return dict(self.counts)

    def connect(self): ...

    def activate(self):
        return self.read()

    def read(self):
        self.counts["requests"] += 1
        return RobotState(np.zeros(3), np.zeros(3), self.now_s, {"temperature_c": np.full(3, 40.0)})

    def send(self, setpoints):
        return setpoints

    def deactivate(self): ...

    def close(self): ...


class Desk:
    """One active loop and its diagnostics, with a clock."""

    def __init__(self):
        self.driver = Still()
        self.loop = ControlLoop(self.driver, SafetyGate(ROBOT, 50.0, 0.1), 0.02)
        self.diagnostics = DriverDiagnostics(NAMES)
        self.loop.activate()

    def cycle(self, seconds=1.0, period_s=0.02, writers=("servo",), value=0.0):
        for _ in range(round(seconds / period_s)):
            self.driver.now_s += period_s
            for writer in writers:
                self.loop.submit(NAMES, [value, 0.0, 0.0], self.driver.now_s, writer)
            self.loop.cycle(self.driver.now_s)

    def status(self, name, nodes=("/servo",)):
        found = self.diagnostics.statuses(self.loop, nodes, self.driver.now_s)
        return {status.name: status for status in found}[f"driver: {name}"]


def values(status):
    return {pair.key: pair.value for pair in status.values}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_all_is_well_and_said_with_figures(desk):
    desk.cycle(2.0)
    found = desk.diagnostics.statuses(desk.loop, ["/servo"], desk.driver.now_s)
    assert {status.level for status in found} == {OK}
    of = {status.name: values(status) for status in found}
    assert of["driver: command"]["writer"] == "servo"
    assert of["driver: command"]["command_age_s"] == "0.000"
    assert of["driver: loop"]["loop_hz"] == "50.0" == of["driver: loop"]["wanted_hz"]
    assert of["driver: loop"]["period_p99_ms"] == "20.00" == of["driver: loop"]["period_max_ms"]
    assert of["driver: loop"]["missed_deadlines"] == "0"
    assert of["driver: joint_1"]["temperature_c"] == "40"


def test_a_second_writer_is_told_while_it_lasts(desk):
    desk.cycle(writers=("servo", "planner"))
    status = desk.status("command")
    assert status.level == WARN and "50 commands of a second writer were rejected" in status.message
    assert "servo is heard" in status.message
    assert values(status)["rejected_of_a_second_writer"] == "50" == values(status)["rejected"]
    desk.cycle()
    assert desk.status("command").level == OK


def test_rejected_commands_and_a_tripped_watchdog_are_told_once(desk):
    desk.cycle()
    desk.loop.submit(NAMES, [math.nan] * 3, desk.driver.now_s, "servo")
    status = desk.status("command")
    assert status.level == WARN and "1 commands were rejected" in status.message
    desk.cycle(writers=())
    status = desk.status("command")
    assert status.level == WARN and "the watchdog tripped: no valid command" in status.message
    assert desk.status("command").level == OK
    assert values(desk.status("command"))["watchdog_trips"] == "1"


def test_limits_are_counted_once_per_command_and_survive_activation(desk):
    desk.cycle()
    now_s = desk.driver.now_s
    desk.loop.submit(NAMES, [9.0, 0.0, 0.0], now_s, "servo")
    desk.cycle(0.08, writers=())
    desk.loop.make_safe()
    desk.loop.activate()
    counted = values(desk.status("command"))
    assert (counted["range_limited"], counted["rate_limited"], counted["limited"]) == ("1",) * 3
    assert desk.loop.gate.counts.limited == 0, "those are since activation"


@pytest.mark.parametrize(
    ("period_s", "level", "text"),
    [(0.021, OK, "keeps its rate"), (0.026, WARN, "38.5 Hz"), (0.1, ERROR, "instead of 50 Hz")],
)
def test_a_slow_loop_is_told(desk, period_s, level, text):
    desk.cycle(2.0, period_s)
    status = desk.status("loop")
    assert status.level == level and text in status.message


def test_missed_deadlines_are_told(desk):
    for _ in range(6):
        desk.cycle(0.2)
        desk.driver.now_s += 0.035
    status = desk.status("loop")
    assert status.level == WARN and "deadlines were missed" in status.message
    assert "took 55 ms" in status.message
    desk.cycle(1.0)
    assert desk.status("loop").level == OK
    assert values(desk.status("loop"))["missed_deadlines"] == "12"


def test_an_inactive_robot_has_no_rate_to_keep(desk):
    desk.cycle()
    desk.loop.make_safe()
    assert desk.status("loop").level == OK


def test_bus_errors_are_told_once(desk):
    desk.driver.counts["timeouts"] = 3
    status = desk.status("bus")
    assert status.level == WARN and "3 timeouts" in status.message
    assert desk.status("bus").level == OK


@pytest.mark.parametrize(
    ("health", "level", "text"),
    [
        ({"temperature_c": 61.0}, WARN, "temperature_c is 61, expected at most 60"),
        ({"voltage_v": 5.5, "temperature_c": 30.0}, WARN, "voltage_v is 5.5, expected 6 to 8.4"),
        ({"voltage_v": 7.4, "temperature_c": math.nan}, OK, "ok"),
    ],
)
def test_temperature_and_voltage_are_judged(health, level, text):
    limits = {"temperature_c": (-math.inf, 60.0), "voltage_v": (6.0, 8.4)}
    columns = {key: np.array([value]) for key, value in health.items()}
    state = RobotState(np.zeros(1), np.zeros(1), 0.0, columns)
    (status,) = channel_statuses(["joint_0"], state, limits)
    assert status.level == level and text in status.message


@pytest.mark.parametrize(
    ("name", "supply_v"), [("finger", (6.0, 8.4)), ("hsa", (10.0, 14.8)), ("allegro", None)]
)
def test_limits_are_those_of_the_robots_motors(name, supply_v):
    limits = make_driver(load_robot(ROBOTS / f"{name}.yaml")).health_limits
    assert limits["temperature_c"] == (-math.inf, 60.0)
    assert limits.get("voltage_v") == supply_v


def test_an_alarm_is_an_error():
    state = RobotState(np.zeros(1), np.zeros(1), 0.0, alarms=("joint_0 (motor id 1): overload",))
    (status,) = channel_statuses(["joint_0"], state, {})
    assert status.level == ERROR and "overload" in status.message
