"""Fixtures of the bring-up's tests: synthetic demo runs."""

import numpy as np
import pytest

from njf_bringup.demo.results import Outcome, Picture, Step, TrialRecord
from njf_perception.trackers.base import Tracks

WIDTH, HEIGHT = 160, 120


def picture(shift_px: float, stamp_ns: int = 0) -> Picture:
    """A bright bar on a dark gradient, `shift_px` to the right, with three tracks on it."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 2] = np.linspace(20, 90, WIDTH).astype(np.uint8)
    left = 40 + round(shift_px)
    image[30:90, left : left + 20] = (220, 180, 60)
    points = np.array([[45, 40], [50, 60], [55, 80]], np.float32)
    there = points + np.array([shift_px, 0], np.float32)
    return Picture(stamp_ns, image).tracked(tracks_at(there), tracks_at(points))


def tracks_at(points: np.ndarray) -> Tracks:
    """Points that are seen well."""
    return Tracks(points, np.ones(len(points), bool), np.ones(len(points), np.float32))


def trial_record(film: int = 0) -> TrialRecord:
    """A motion from 30 px away to the goal, with `film` pictures of it."""
    frames = [picture(30.0 * (1 - k / film), k * 66_000_000) for k in range(film)]
    steps = [Step(k / 15, 30 * 0.8**k + 0.1, 15.0) for k in range(30)]
    outcome = Outcome("CONVERGED", "", 0.1, 30, 2.0)
    return TrialRecord(picture(0.0), picture(30.0), picture(0.5), steps, outcome, frames)


@pytest.fixture
def demo_records() -> list[TrialRecord]:
    """Seven goals, the first two filmed."""
    return [trial_record(film=40 if index < 2 else 0) for index in range(7)]


@pytest.fixture
def demo_metrics() -> dict:
    """Figures of a good run of seven goals."""
    errors = np.linspace(0.2, 1.4, 7).tolist()
    return {
        "robot": "finger",
        "goals": 7,
        "seed": 0,
        "checkpoint": "0123456789ab",
        "joint_error_deg": {"median": 0.8, "p90": 1.3, "all": errors},
        "tip_error_mm": {"median": 1.2, "p90": 2.0, "all": errors},
        "success_rate": 1.0,
        "start_error_deg": 15.1,
        "start_tip_error_mm": 21.0,
        "camera_to_command_ms": {"median": 22.0, "p99": 41.0},
        "control_hz": 15.0,
        "camera_width_px": 320,
        "results": [{"reason": "CONVERGED", "message": ""}] * 7,
    }


@pytest.fixture
def soft_metrics(demo_metrics: dict) -> dict:
    """Figures of a good run of a robot that has pressures instead of joints."""
    joints = ("joint_error_deg", "start_error_deg")
    kept = {name: value for name, value in demo_metrics.items() if name not in joints}
    return kept | {
        "robot": "pneumatic",
        "start_tip_error_mm": 9.8,
        "pressure_error_kpa": {"median": 0.7, "p90": 1.1, "all": [0.7] * 7},
    }
