"""Rate, jitter and missed deadlines from the times at which cycles begin."""

import math

import pytest

from njf_control.cycle_times import CycleTimes, missed_deadlines


def test_a_regular_loop_misses_nothing():
    times = CycleTimes(0.02)
    for index in range(51):
        times.add(5.0 + 0.02 * index)
    report = times.report(6.0)
    assert report.cycles == 50 and report.missed == 0
    assert report.rate_hz == pytest.approx(50.0)
    assert report.longest_s == pytest.approx(0.02) and report.p99_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("periods", "missed"),
    [(0.25, 0), (1.0, 0), (1.49, 0), (1.51, 1), (2.4, 1), (2.6, 2), (math.nan, 0), (-1.0, 0)],
)
def test_a_deadline_is_missed_from_half_a_period_on(periods, missed):
    assert missed_deadlines(periods * 0.02, 0.02) == missed


def test_a_late_cycle_is_told_once_and_counted_for_good():
    times = CycleTimes(0.02)
    for now_s in (1.0, 1.02, 1.12, 1.14):
        times.add(now_s)
    report = times.report(1.14)
    assert report.missed == 4 and report.longest_s == pytest.approx(0.1)
    times.add(1.16)
    assert times.report(1.16).missed == 0
    assert times.missed == 4 and times.cycles == 4


def test_standing_still_on_purpose_is_no_delay():
    times = CycleTimes(0.02)
    times.add(1.0)
    times.add(1.02)
    times.pause()
    assert times.report(2.0).elapsed_s == 0.0
    times.add(9.0)
    times.add(9.02)
    report = times.report(9.02)
    assert report.missed == 0 and report.cycles == 1 and report.rate_hz == pytest.approx(50.0)


def test_a_loop_that_stopped_by_itself_has_no_rate():
    times = CycleTimes(0.02)
    times.add(1.0)
    times.report(1.0)
    report = times.report(2.0)
    assert report.elapsed_s == pytest.approx(1.0) and report.rate_hz == 0.0
    assert math.isnan(report.p99_s)
