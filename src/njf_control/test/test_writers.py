"""Two writers never take turns within the watchdog's time, whatever they send."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from njf_control.writers import WriterGuard

SILENCE_S = 0.1
EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 0.3), st.booleans()))


def test_the_first_writer_keeps_the_robot_until_it_is_silent():
    guard = WriterGuard(SILENCE_S)
    assert not guard.refuse("servo", 1.0)
    guard.accept("servo", 1.0)
    refusal = guard.refuse("arm planner", 1.05)
    assert "servo commands the robot" in refusal and "arm planner is heard when" in refusal
    assert not guard.refuse("servo", 1.05)
    assert not guard.refuse("arm planner", 1.0 + SILENCE_S + 0.001)


def test_a_command_that_was_not_accepted_takes_nothing():
    guard = WriterGuard(SILENCE_S)
    assert not guard.refuse("a", 1.0)
    assert not guard.refuse("b", 1.0)
    assert guard.holder(1.0) is None


def test_release_and_a_broken_clock_free_the_robot():
    guard = WriterGuard(SILENCE_S)
    for now_s in (0.5, math.nan):
        guard.accept("a", 1.0)
        assert guard.holder(now_s) is None
    guard.accept("a", 1.0)
    guard.release()
    assert not guard.refuse("b", 1.0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(EVENTS)
def test_two_writers_are_never_heard_within_the_silence(events):
    guard, now_s, heard = WriterGuard(SILENCE_S), 10.0, []
    for writer, wait_s, valid in events:
        now_s += wait_s
        if not guard.refuse(writer, now_s) and valid:
            guard.accept(writer, now_s)
            heard.append((writer, now_s))
    for (before, before_s), (after, after_s) in zip(heard, heard[1:], strict=False):
        assert before == after or after_s - before_s > SILENCE_S
