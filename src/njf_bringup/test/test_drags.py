"""Drags as the page makes them, in simulated time."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from njf_bringup.closed_loop import drags, run
from njf_bringup.closed_loop.drag_results import NOTHING, DragResult, drag_summary, drag_table
from njf_bringup.closed_loop.drags import press, run_drags
from njf_bringup.closed_loop.run import EXACT, Setup
from njf_bringup.paths import robot_file
from njf_control.robot import load_robot
from njf_control.servo.goal import GoalError
from njf_perception.errors import DataError


def test_a_spot_goes_where_it_is_dragged_and_a_run_continues(tmp_path, monkeypatch):
    setup = Setup(load_robot(robot_file("finger")), EXACT)
    figures = run_drags(setup, 2, tmp_path)
    assert figures["arrived_rate"] == 1.0
    assert figures["error_px"]["p90"] < 2.5
    assert figures["way_px"]["median"] > 5.0
    assert (tmp_path / "task.png").exists()
    assert json.loads((tmp_path / "summary.json").read_text())["drags"] == 2
    monkeypatch.setattr(run.Bench, "plant", None)
    assert run_drags(setup, 2, tmp_path) == figures


def test_what_could_not_be_pressed_has_not_arrived():
    went = DragResult(0, "CONVERGED", 9, 1, [10.0, 10.0], [40.0, 50.0], [40.0, 49.0], 30)
    nothing = DragResult(1, NOTHING, 0, 20, [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], 0)
    figures = drag_summary([went, nothing])
    assert figures["arrived_rate"] == 0.5
    assert np.isclose(figures["way_px"]["median"], 50.0)
    assert np.isclose(figures["error_px"]["median"], 1.0)
    assert "within 3 px: 50% of 2: 1 CONVERGED, 1 NOTHING_TO_PRESS; 21 presses refused" in (
        drag_table(figures)
    )
    with pytest.raises(DataError, match="nothing to press in any of 2 pictures"):
        drag_summary([nothing, nothing])


@pytest.mark.parametrize(("pixels", "presses"), [(0, 0), (3, 3), (100, 20)])
def test_every_refused_press_is_counted(monkeypatch, pixels, presses):
    def refuse(*_):
        raise GoalError("too plain")

    monkeypatch.setattr(drags, "field_of", lambda *_: None)
    monkeypatch.setattr(drags, "grip", refuse)
    flow: Any = SimpleNamespace(flow=np.zeros((10, 10, 2)), visible=np.ones((10, 10), bool))
    flow.flow.reshape(-1, 2)[:pixels] = 10.0
    nothing: Any = SimpleNamespace(camera=None, rgb=None)
    assert press(nothing, nothing, flow, np.random.default_rng(0)) == (None, presses)
