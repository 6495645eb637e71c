"""The ends of goals in words."""

import pytest

from njf_bringup.nodes.goal_sender import ended
from njf_msgs.action import VisualServo

Result = VisualServo.Result


@pytest.mark.parametrize(
    ("result", "phase", "text"),
    [
        (
            Result(reason=Result.CONVERGED, error_px=0.31, elapsed_s=2.84),
            "reached",
            "Reached: 0.3 px away after 2.8 s.",
        ),
        (
            Result(reason=Result.LOST_TRACKS, message="3 points are visible"),
            "ended",
            "Lost tracks: 3 points are visible.",
        ),
        (
            Result(reason=Result.INVALID_GOAL, message="Send more."),
            "ended",
            "Invalid goal: Send more.",
        ),
        (Result(reason=Result.CANCELED), "ended", "Canceled: no more is known."),
    ],
)
def test_every_end_is_told(result: VisualServo.Result, phase: str, text: str) -> None:
    pursuit = ended(result)
    assert (pursuit.phase, pursuit.text) == (phase, text)
