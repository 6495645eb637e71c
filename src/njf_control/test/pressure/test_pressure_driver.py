"""One driver before two kinds of regulators: the same steps, limits and safe state."""

import numpy as np
import pytest

from njf_control.drivers.base import NoAnswerError
from njf_control.drivers.dry_run import DryRunDriver
from njf_control.drivers.make import make_driver
from njf_control.drivers.pressure.supervision import PressureSupervision
from njf_perception.errors import ConfigError, DeviceNotConnectedError, NjfError

SOME = np.array([10e3, 20e3, 30e3, 40e3, 50e3])


def patient_driver(bench):
    """A driver to which a computer that stands still for a moment is no missed answer."""
    return make_driver(bench.changed(reply_timeout_s=2.0), bench.port)


def active_with_outputs(bench, outputs):
    """A driver of the bench whose channels are fed from other outputs, regulating."""
    bench.unplug()
    names = bench.robot.channel_names
    bench.robot = bench.changed(outputs=dict(zip(names, outputs, strict=True)))
    bench.plug()
    driver = patient_driver(bench)
    driver.connect()
    driver.activate()
    return driver


@pytest.fixture
def driver(bench):
    driver = patient_driver(bench)
    yield driver
    driver.close()


@pytest.fixture
def active(driver):
    driver.connect()
    driver.activate()
    return driver


def test_connecting_moves_nothing_and_tells_of_the_time_out(driver, bench):
    driver.connect()
    assert bench.pressure_pa.tolist() == [0.0] * 5
    (notice,) = driver.notices
    assert notice.name == "communication time-out" and "4000 ms" in notice.text
    assert not notice.is_warning


def test_set_points_arrive_and_measurements_come_back(active, bench, wait_until, near):
    applied = active.send(SOME)
    np.testing.assert_allclose(applied, SOME, atol=50.0)
    wait_until(lambda: near(bench.pressure_pa, applied))
    wait_until(lambda: near(active.read().position, applied))
    state = active.read()
    assert state.alarms == () and state.velocity.shape == (5,)


def test_activation_holds_what_is_measured(driver, bench):
    bench.device._chambers.pressure_pa[2] = 7e3
    bench.device._chambers.stuck.update(range(5))  # no air moves while nothing regulates
    driver.connect()
    np.testing.assert_allclose(driver.activate().position, [0, 0, 7e3, 0, 0], atol=50.0)
    bench.device._chambers.stuck.clear()
    np.testing.assert_allclose(driver.read().position, [0, 0, 7e3, 0, 0], atol=110.0)


def test_no_set_point_above_the_limit_or_below_ambient_leaves(active):
    applied = active.send(np.array([1e9, -1e9, 100_049.0, 0.0, 99_999.0]))
    assert applied.max() <= 100_000.0 and applied.min() >= 0.0
    assert applied[0] == pytest.approx(100_000.0, abs=60.0) and applied[1] == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_set_point_that_is_not_finite_never_leaves(active, bench, value):
    with pytest.raises(ValueError, match="finite"):
        active.send(np.where(np.arange(5) == 3, value, SOME))
    assert bench.is_vented


def test_outputs_that_an_earlier_program_left_on_are_told(active, bench):
    active.send(SOME)
    active.close()
    follower = patient_driver(bench)
    follower.connect()
    _, notice = follower.notices
    assert notice.is_warning and "regulates already" in notice.text
    follower.activate()
    follower.deactivate()
    assert bench.is_vented
    follower.connect()
    assert len(follower.notices) == 1
    follower.close()


def test_deactivation_vents_and_switches_off(active, bench, wait_until, near):
    active.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    active.deactivate()
    assert bench.is_vented
    active.activate()
    active.deactivate()


def test_leaving_the_context_vents_also_after_an_exception(bench, wait_until, near):
    with (
        pytest.raises(RuntimeError, match="mistake"),
        patient_driver(bench) as driver,
    ):
        driver.activate()
        driver.send(SOME)
        wait_until(lambda: near(bench.pressure_pa, SOME))
        raise RuntimeError("a mistake in somebody's script")
    assert bench.is_vented


def test_air_that_does_not_leave_is_told_and_the_outputs_go_off(active, bench, wait_until, near):
    active.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    bench.device._chambers.stuck.add(1)
    with pytest.raises(
        DeviceNotConnectedError, match=r"has not left after 0.6 s: p_index 20.0 kPa"
    ):
        active.deactivate()
    assert not bench.pressure_pa[[0, 2, 3, 4]].max() > 2000.0, "the others are vented"


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
def test_a_terminal_that_is_busy_is_asked_again_to_vent(active, bench, wait_until, near):
    active.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    bench.device.faults.busy_writes = 3
    active.deactivate()
    assert bench.is_vented and bench.device.faults.busy_writes == 0


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
def test_a_terminal_that_is_reached_again_vents_before_it_is_off(active, bench, wait_until, near):
    active.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    bench.device.faults.off_holds_air = True
    active.close()
    active.reopen()
    active.deactivate()
    assert bench.is_vented


def test_a_missed_measurement_does_not_shut_the_air_in(
    active, bench, wait_until, near, monkeypatch
):
    active.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    measure, missed = active._device.measure, iter(range(2))

    def measure_now_and_then():
        if next(missed, None) is not None:
            raise NoAnswerError("missed")
        return measure()

    monkeypatch.setattr(active._device, "measure", measure_now_and_then)
    active.deactivate()
    assert bench.is_vented and next(missed, None) is None


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
def test_a_slot_that_takes_nothing_does_not_keep_the_others_from_venting(bench, wait_until, near):
    driver = active_with_outputs(bench, [0, 1, 4, 5, 6])
    driver.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    registers = bench.robot.driver.registers
    bench.device.faults.refused.add(registers.output_base + registers.output_offset)
    with pytest.raises(DeviceNotConnectedError, match="refuses writing .* p_thumb 10.0 kPa"):
        driver.deactivate()
    assert bench.pressure_pa[2:].max() < 2000.0, "slots 2 and 3 are vented"
    driver.close()


def test_a_lost_device_is_told_and_found_again(active, bench):
    bench.unplug()
    with pytest.raises(DeviceNotConnectedError, match="was lost"):
        active.read()
    with pytest.raises(
        DeviceNotConnectedError, match="may still be under pressure: .*Shut the air"
    ):
        active.deactivate()
    with pytest.raises(NjfError):
        active.connect()
    bench.plug()
    active.connect()
    assert active.activate().position.shape == (5,)


def test_a_map_of_outputs_is_obeyed(bench, wait_until, near):
    driver = active_with_outputs(bench, [6, 1, 2, 9, 0])
    driver.send(SOME)
    wait_until(lambda: near(bench.pressure_pa, SOME))
    wait_until(lambda: near(driver.read().position, SOME))
    driver.deactivate()
    driver.close()


def test_statistics_count(active):
    assert active.statistics["requests"] >= 4 and active.statistics["timeouts"] == 0


def test_a_dry_run_sends_nothing_and_still_tells_of_the_device(bench):
    driver = make_driver(bench.robot, bench.port, dry_run=True)
    assert isinstance(driver, DryRunDriver)
    driver.connect()
    driver.activate()
    np.testing.assert_array_equal(driver.send(SOME), SOME)
    assert bench.is_vented and driver.notices
    driver.close()


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"max_pressure_pa": 50_000.0}, r"0\.\.100000 Pa is beyond the 0\.\.50000 Pa"),
        ({"outputs": {"p_thumb": 0}}, "expected .*p_index"),
        (
            {"outputs": dict.fromkeys(["p_thumb", "p_index", "p_middle", "p_ring", "p_little"], 3)},
            "two channels",
        ),
        (
            {"outputs": {"p_thumb": -1, "p_index": 1, "p_middle": 2, "p_ring": 3, "p_little": 4}},
            "below 0",
        ),
        (
            {"outputs": {"p_thumb": 16, "p_index": 1, "p_middle": 2, "p_ring": 3, "p_little": 4}},
            r"0\.\.15",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(bench, changes, text):
    with pytest.raises(ConfigError, match=text):
        make_driver(bench.changed(**changes), bench.port)


@pytest.mark.parametrize("bench", ["terminal_bench"], indirect=True)
def test_a_channel_in_radian_is_refused(bench):
    config = bench.robot.model_dump()
    config["channels"][0] |= {"unit": "rad", "upper": 1.0}
    with pytest.raises(ConfigError, match="p_thumb is in rad"):
        make_driver(type(bench.robot).model_validate(config), bench.port)


@pytest.fixture
def supervision(terminal_bench):
    return PressureSupervision(["a", "b"], terminal_bench.robot.driver)


def test_a_pressure_that_does_not_follow_is_an_alarm_only_after_a_while(supervision):
    goal, stuck = np.array([50e3, 50e3]), np.array([50e3, 20e3])
    assert supervision.alarms(goal, stuck, 1.0) == ()
    assert supervision.alarms(goal, stuck, 1.4) == ()
    assert supervision.alarms(goal, goal, 1.45) == (), "it came after all"
    assert supervision.alarms(goal, stuck, 1.5) == supervision.alarms(goal, stuck, 1.9) == ()
    (alarm,) = supervision.alarms(goal, stuck, 2.1)
    assert "b measures 20.0 kPa instead of 50.0 kPa for more than 0.5 s" in alarm
    supervision.restart()
    assert supervision.alarms(goal, stuck, 2.2) == ()


def test_pressures_that_cannot_be_are_alarms_at_once(supervision):
    goal = np.array([50e3, 50e3])
    alarms = supervision.alarms(goal, np.array([-3_276_800.0, 130e3]), 1.0)
    assert "a measures -3276.8 kPa, less than a vacuum" in alarms[0]
    assert "b measures 130.0 kPa, more than the 120.0 kPa allowed" in alarms[1]


def test_every_error_of_a_device_is_ours(bench):
    driver = make_driver(bench.robot, "/nowhere")
    with pytest.raises(NjfError):
        driver.connect()
    with pytest.raises(NjfError):
        driver.read()
