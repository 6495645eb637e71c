"""The freshness contract, image by image, without a clock that runs."""

import numpy as np
import pytest

from njf_perception.cameras.freshness import AHEAD_S, LATE_S, RECENT_S, Freshness, Instant

WALL_NS = 1_700_000_000 * 10**9


def at(time_s: float, wall_shift_s: float = 0.0) -> Instant:
    return Instant(WALL_NS + round(1e9 * (time_s + wall_shift_s)), time_s)


def image(number: int) -> np.ndarray:
    return np.full((16, 16, 3), 100 + number, np.uint8)


def admitted(watch: Freshness, times_s: list[float]) -> list[bool]:
    """Images that differ, taken at these times and arriving a little later."""
    return [watch.admit(image(i), at(t), at(t + 0.001)) for i, t in enumerate(times_s)]


def test_a_steady_camera_has_no_trouble():
    watch = Freshness(10.0)
    assert all(admitted(watch, [0.0, 0.1, 0.2, 0.3]))
    assert watch.trouble(0.3) == ""
    assert watch.counters == type(watch.counters)()


def test_gaps_are_counted_as_drops_and_told_when_they_are_many():
    watch = Freshness(100.0)
    assert all(admitted(watch, [0.00, 0.01, 0.04, 0.05]))
    assert watch.counters.dropped == 2
    assert watch.trouble(0.05) == ""
    assert watch.admit(image(9), at(1.2), at(1.2))
    assert "116 images missing" in watch.trouble(1.2)
    assert watch.trouble(1.2 + RECENT_S + 0.1) == ""


def test_a_repeated_image_is_no_news_unless_repeats_are_allowed():
    watch = Freshness(10.0)
    assert watch.admit(image(0), at(0.0), at(0.0))
    assert not watch.admit(image(0), at(0.1), at(0.1))
    assert watch.counters.duplicates == 1
    assert "1 images repeated bit by bit" in watch.trouble(0.1)
    recording = Freshness(10.0, repeats_allowed=True)
    assert recording.admit(image(0), at(0.0), at(0.0))
    assert recording.admit(image(0), at(0.1), at(0.1))


@pytest.mark.parametrize(
    ("taken_s", "counter", "text"),
    [
        (0.95, "backwards", "stamps go backwards"),
        (1.0, "backwards", "stamps go backwards"),
        (2.0 + 2 * AHEAD_S, "ahead", "stamped in the future"),
        (2.0 - 2 * LATE_S, "late", "before they arrived"),
    ],
)
def test_wrong_stamps_are_counted_and_left_out(taken_s, counter, text):
    watch = Freshness(1.0)
    now_s = 1.5 if counter == "backwards" else 2.0
    if counter != "late":
        assert watch.admit(image(0), at(1.0), at(1.0))
    assert not watch.admit(image(1), at(taken_s), at(now_s))
    assert getattr(watch.counters, counter) == 1
    assert text in watch.trouble(now_s)


@pytest.mark.parametrize("shift_s", [3600.0, -3600.0])
def test_a_clock_that_was_set_is_told_and_images_go_on(shift_s):
    watch = Freshness(10.0)
    assert watch.admit(image(0), at(0.0), at(0.0))
    assert watch.admit(image(1), at(0.1, shift_s), at(0.1, shift_s))
    assert watch.admit(image(2), at(0.2, shift_s), at(0.2, shift_s))
    assert watch.counters.clock_jumps == 1
    assert f"the clock was set by {shift_s:+.3g} s" in watch.trouble(0.2)


def test_recorded_stamps_may_be_old_but_not_go_back_until_it_begins_again():
    watch = Freshness(10.0, repeats_allowed=True, recorded=True)
    now = [at(5.0 + 0.1 * i) for i in range(6)]
    stamps_s = [-900.0, -899.9, -899.95, -899.8]
    shown = [
        watch.admit(image(0), Instant(WALL_NS + round(1e9 * s), now[i].monotonic_s), now[i])
        for i, s in enumerate(stamps_s)
    ]
    assert shown == [True, True, False, True]
    watch.restart()
    assert watch.admit(image(0), Instant(WALL_NS - 900 * 10**9, 5.4), now[4])
    assert watch.counters.backwards == 1
    assert watch.counters.clock_jumps == 0


def test_leaping_stamps_of_a_recording_are_told():
    watch = Freshness(10.0, repeats_allowed=True, recorded=True)
    assert watch.admit(image(0), at(0.0), at(0.0))
    assert watch.admit(image(0), at(0.1, 600.0), at(0.1))
    assert "the recording's stamps leapt by +600 s" in watch.trouble(0.1)


def test_black_images_are_news_but_told():
    rng = np.random.default_rng(0)
    watch = Freshness(10.0)
    assert watch.admit(rng.integers(0, 8, (64, 64, 3), np.uint8), at(0.0), at(0.0))
    assert "lens cap" in watch.trouble(0.0)
    assert watch.counters.dark == 1
    assert watch.admit(rng.integers(0, 255, (64, 64, 3), np.uint8), at(0.1), at(0.1))
    assert watch.trouble(0.1) == ""


def test_an_earlier_instant_is_earlier_on_both_clocks():
    assert at(2.0).before(0.5) == at(1.5)
    now = Instant.now()
    assert Instant.now().monotonic_s >= now.monotonic_s
