"""The driver node of the pneumatic hand: what breaks, whether the air leaves, and what is said."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter

from njf_control.nodes.driver import DriverNode
from njf_msgs.msg import SafetyState

pytestmark = pytest.mark.ros
GOAL = np.array([6e3, 5e3, 4e3, 5e3, 6e3])
HIGH = np.full(5, 60e3)
VTEM = pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
BOARD = pytest.mark.parametrize("bench", ["board_bench"], indirect=True)


@pytest.fixture
def start(bench, probe, spin, namespace):
    """`start(robot_file=...)` spins a driver node on the bench; returns the probe."""
    probe.names = bench.robot.channel_names

    def begin(**parameters):
        values = {"robot_file": str(bench.robot_file), "port": bench.port, **parameters}
        values["watchdog_timeout_s"] = 0.5
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        spin(DriverNode(namespace=namespace, parameter_overrides=overrides))
        return probe

    return begin


@pytest.fixture
def active(start):
    """A probe beside an active driver."""
    probe = start()
    assert probe.change("configure") and probe.change("activate")
    return probe


@pytest.fixture
def pressed(active, bench, wait_until):
    """The same, with pressure in every chamber."""
    active.setpoint = GOAL.tolist()
    wait_until(lambda: active.state == SafetyState.RUNNING)
    active.setpoint = HIGH.tolist()
    wait_until(lambda: bench.pressure_pa.min() > 30e3)
    return active


def ends_in_fault(probe, bench, wait_until, *texts: str) -> None:
    """FAULT, no pressure, one error that says why, and the same on the diagnostics."""
    wait_until(lambda: probe.state == SafetyState.FAULT)
    wait_until(lambda: bench.is_vented)
    for text in texts:
        assert text in probe.safety[-1].reason
    wait_until(lambda: probe.lifecycle() == "inactive")
    wait_until(lambda: probe.errors)
    assert len(probe.errors) == 1, "one clear error, no flood"
    wait_until(lambda: texts[0] in probe.statuses["driver: command"].message)
    assert probe.statuses["driver: command"].level == DiagnosticStatus.ERROR


def test_commands_go_through_and_deactivation_vents(pressed, bench, wait_until):
    pressed.setpoint = GOAL.tolist()
    wait_until(lambda: np.allclose(bench.pressure_pa, GOAL, atol=120.0))
    wait_until(lambda: np.allclose(pressed.joints[-1].position, GOAL, atol=120.0))
    assert np.allclose(pressed.applied[-1].applied, GOAL, atol=50.0)
    wait_until(lambda: "driver: communication time-out" in pressed.statuses)
    status = pressed.statuses["driver: communication time-out"]
    assert status.level == DiagnosticStatus.OK and "4000 ms" in status.message
    assert pressed.change("deactivate")
    assert bench.is_vented and not pressed.errors


@pytest.mark.fault
def test_a_lost_device_is_a_fault_and_activation_recovers(pressed, bench, wait_until):
    bench.unplug()
    ends_in_fault(pressed, bench, wait_until, "was lost", "may still be under pressure")
    pressed.setpoint = None
    assert not pressed.change("activate"), "still gone"
    bench.plug()
    assert pressed.change("activate")
    pressed.setpoint = GOAL.tolist()
    wait_until(lambda: pressed.state == SafetyState.RUNNING)


@pytest.mark.fault
def test_a_stuck_valve_is_a_fault(pressed, bench, wait_until):
    bench.device._chambers.stuck.add(1)
    bench.device._chambers.pressure_pa[1] = 20e3
    wait_until(lambda: pressed.state == SafetyState.FAULT)
    assert "p_index measures 20.0 kPa instead of" in pressed.safety[-1].reason
    assert "has not left after 0.6 s: p_index 20.0 kPa" in pressed.safety[-1].reason
    assert bench.pressure_pa[[0, 2, 3, 4]].max() < 2000.0


@pytest.mark.fault
def test_too_little_supply_pressure_is_a_fault(pressed, bench, wait_until):
    bench.device._chambers.supply_pa = 25e3
    ends_in_fault(pressed, bench, wait_until, "measures 25.0 kPa instead of", "too little supply")


@pytest.mark.fault
@VTEM
def test_a_restarted_terminal_is_a_fault(pressed, bench, wait_until):
    bench.device.restart()
    ends_in_fault(pressed, bench, wait_until, "was lost: the terminal closed it, restarted")
    pressed.setpoint = None
    assert pressed.change("activate")


@pytest.mark.fault
@VTEM
def test_a_slot_that_stops_regulating_is_a_fault(pressed, bench, wait_until):
    bench.device.faults.dropped.add(1)
    text = "slot 1 (p_middle, p_ring) runs app 3 in state 3 and does not regulate any more"
    ends_in_fault(pressed, bench, wait_until, text)
    pressed.setpoint = None
    assert pressed.change("activate"), "activation acknowledges the error"


@pytest.mark.fault
@VTEM
@pytest.mark.parametrize(("code", "text"), [(4, "failed to do it"), (2, "no such register")])
def test_an_exception_answer_is_a_fault_and_the_time_out_vents(
    pressed, bench, wait_until, code, text
):
    bench.device.faults.exception = code
    ends_in_fault(pressed, bench, wait_until, f"Modbus exception {code}: it", text)


@pytest.mark.fault
@VTEM
def test_silence_is_a_fault_and_the_terminals_own_time_out_vents(pressed, bench, wait_until):
    bench.device.faults.answer_delay_s = 10.0
    wait_until(lambda: bench.is_vented, what="the terminal's own time-out")
    ends_in_fault(pressed, bench, wait_until, "did not answer")


@pytest.mark.fault
@VTEM
def test_a_single_late_answer_is_only_counted(pressed, bench, wait_until):
    def late_answer_was_counted() -> bool:
        bench.device.faults.answer_delay_s = 0.7  # longer than the driver waits
        time.sleep(0.05)
        bench.device.faults.answer_delay_s = 0.0
        time.sleep(1.5)
        pairs = pressed.statuses["driver: bus"].values
        return next(int(pair.value) for pair in pairs if pair.key == "timeouts") > 0

    wait_until(lambda: "driver: bus" in pressed.statuses)
    wait_until(late_answer_was_counted, 60.0)
    wait_until(lambda: pressed.state == SafetyState.RUNNING)
    assert not pressed.errors


@pytest.mark.fault
@VTEM
def test_a_terminal_that_takes_no_set_points_is_a_fault_and_vents_once_it_does(
    pressed, bench, wait_until
):
    bench.device.faults.busy_writes, bench.device.faults.off_holds_air = 1_000_000, True
    wait_until(lambda: pressed.state == SafetyState.FAULT)
    assert "too busy for writing" in pressed.safety[-1].reason
    assert "may still be under pressure" in pressed.safety[-1].reason and not bench.is_vented
    wait_until(lambda: pressed.lifecycle() == "inactive")
    bench.device.terminal.timeout_ms = 0  # it would shut the air in for good
    bench.device.faults.busy_writes = 0
    assert pressed.change("cleanup")
    assert bench.is_vented


@pytest.mark.fault
@VTEM
def test_a_slot_that_never_starts_ends_activation_without_pressure(start, bench, wait_until):
    bench.device.faults.never_running.add(0)
    probe = start()
    assert probe.change("configure") and not probe.change("activate")
    wait_until(lambda: any("slot 0 (p_thumb, p_index) runs app 3" in e for e in probe.errors))
    assert probe.state == SafetyState.INACTIVE and bench.is_vented


@pytest.mark.fault
@VTEM
def test_a_terminal_that_does_not_switch_off_is_told(pressed, bench, wait_until):
    bench.device.faults.never_off = True
    assert pressed.change("deactivate")
    wait_until(lambda: pressed.state == SafetyState.FAULT)
    assert "runs app 61 in state 0" in pressed.safety[-1].reason
    assert bench.is_vented


@pytest.mark.fault
@VTEM
@pytest.mark.parametrize("register", ["missing", "ignored"])
def test_a_time_out_that_does_not_hold_is_told(start, bench, wait_until, register):
    bench.device.faults.timeout_register = register
    probe = start()
    assert probe.change("configure") and probe.change("activate")
    wait_until(lambda: any("pressures may stay" in text for text in probe.errors))
    wait_until(lambda: "driver: communication time-out" in probe.statuses)
    status = probe.statuses["driver: communication time-out"]
    assert status.level == DiagnosticStatus.WARN and "46100" in status.message


@pytest.mark.fault
@VTEM
def test_a_wrong_unit_id_is_told_and_nothing_starts(start, bench, wait_until):
    wrong = bench.robot_file.with_name("wrong.yaml")
    wrong.write_text(
        bench.robot_file.read_text().replace("kind: vtem", "kind: vtem\n  device_id: 9")
    )
    probe = start(robot_file=str(wrong))
    assert not probe.change("configure")
    wait_until(lambda: any("refuses reading" in text for text in probe.errors))


@pytest.mark.fault
@BOARD
def test_a_board_that_restarted_is_a_fault(pressed, bench, wait_until):
    bench.device.reset()
    ends_in_fault(pressed, bench, wait_until, "outputs are off: it restarted")


@pytest.mark.fault
@BOARD
@pytest.mark.parametrize("fault", ["mute", "corrupt_crc", "truncate"])
def test_a_board_that_is_not_understood_vents_by_itself(pressed, bench, wait_until, fault):
    setattr(bench.device.faults, fault, True)
    wait_until(lambda: pressed.state == SafetyState.FAULT)
    assert "did not answer GET" in pressed.safety[-1].reason
    wait_until(lambda: bench.is_vented)


@pytest.mark.fault
@BOARD
def test_a_boards_pressure_switch_is_a_fault(pressed, bench, wait_until):
    bench.device.faults.supply_low = True
    ends_in_fault(pressed, bench, wait_until, "reports too little supply pressure")


@pytest.mark.fault
def test_the_emergency_stop_holds_what_is_measured(pressed, bench, wait_until):
    assert pressed.call("estop", reason="test").success
    wait_until(lambda: pressed.state == SafetyState.ESTOP)
    held = bench.pressure_pa
    seen = len(pressed.applied)
    wait_until(lambda: len(pressed.applied) > seen + 20)
    np.testing.assert_allclose(bench.pressure_pa, held, atol=5e3)


@pytest.mark.fault
def test_a_killed_driver_leaves_nothing_under_pressure(bench, probe, namespace, wait_until):
    """kill -9: nobody can vent any more, so the device's own time-out does it."""
    probe.names = bench.robot.channel_names
    parameters = {"robot_file": bench.robot_file, "port": bench.port, "watchdog_timeout_s": 0.5}
    command = [sys.executable, "-m", "njf_control.nodes.driver", "--ros-args"]
    command += ["-r", f"__ns:=/{namespace}"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    process = subprocess.Popen(command)
    try:
        assert probe.change("configure") and probe.change("activate")
        probe.setpoint = GOAL.tolist()
        wait_until(lambda: np.allclose(bench.pressure_pa, GOAL, atol=120.0))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: bench.is_vented)


@pytest.mark.fault
@VTEM
def test_a_stopped_driver_vents_before_it_ends(bench, probe, namespace, wait_until):
    """SIGTERM in the middle of motion."""
    probe.names = bench.robot.channel_names
    command = [sys.executable, "-m", "njf_control.nodes.driver", "--ros-args"]
    command += ["-r", f"__ns:=/{namespace}", "-p", f"robot_file:={bench.robot_file}"]
    process = subprocess.Popen([*command, "-p", f"port:={bench.port}"])
    try:
        assert probe.change("configure") and probe.change("activate")
        probe.setpoint = GOAL.tolist()
        wait_until(lambda: np.allclose(bench.pressure_pa, GOAL, atol=120.0))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30.0) == 0
    finally:
        process.kill()
        process.wait()
    assert bench.is_vented
