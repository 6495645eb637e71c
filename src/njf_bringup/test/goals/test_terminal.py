"""What a person at the terminal sees of a goal, and how they end a film."""

import os
import signal

import pytest

from njf_bringup.demo.results import Step
from njf_bringup.servo_progress import ServoProgress
from njf_bringup.teaching import stop_asked


def test_enter_and_ctrl_c_end_a_film_and_interrupt_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal = os.openpty()
    before = signal.getsignal(signal.SIGINT)
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with stop_asked() as asked:
            assert not asked()
            os.write(keyboard, b"\n")
            assert asked() and asked()
        with stop_asked() as asked:
            assert not asked()
            os.kill(os.getpid(), signal.SIGINT)
            assert asked()
    os.close(keyboard)
    assert signal.getsignal(signal.SIGINT) is before


def test_progress_counts_waypoints_or_the_part_of_the_way(capsys: pytest.CaptureFixture) -> None:
    with ServoProgress("reach") as progress:
        progress.step(Step(0.1, 8.0, 20.0))
        progress.step(Step(0.2, 2.0, 20.0))
    assert "75/100" in capsys.readouterr().err
    with ServoProgress("wave") as progress:
        progress.step(Step(0.1, 8.0, 20.0))
        progress.say("going there first")
        progress.step(Step(0.2, 3.25, 20.0, waypoint=2, waypoints=5))
    said = capsys.readouterr()
    assert "2/5" in said.err and "3.25 px, 20 Hz" in said.err
    assert "going there first" in said.out
