"""Drags on the camera's picture, as the browser page makes them, and where the spots really end.

A random spot of the robot is pressed and dragged to where it would be in another pose, so the drag
is in reach though nothing but the spot is asked for. The simulator then says how far the surface
under the spot is from where it was dragged to; the servo's own word is not asked.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Num

from njf_bringup.browser.drags import Drag, goal_points, grip
from njf_bringup.closed_loop.drag_results import NOTHING, DragResult, drag_summary
from njf_bringup.closed_loop.pictures import write_drags
from njf_bringup.closed_loop.plant import View
from njf_bringup.closed_loop.run import Bench, Journal, Setup, progress_bar
from njf_bringup.closed_loop.trial import Stages, TrialResult, errors, servo_to
from njf_bringup.demo.goals import Trial, draw_trials
from njf_bringup.json_file import write_json
from njf_control.servo import ServoConfig
from njf_control.servo.goal import Goal, GoalError, goal_from_tracks
from njf_control.servo.spots import middle_of
from njf_control.visualization.field import FieldView
from njf_perception.camera import pixel_grid
from njf_sim.flow import ExactFlow, GroundTruth
from njf_sim.robot_model import RobotModel

TOLERANCE_PX = 1.0  # the page's
_STRIDE_PX = 16  # of the Jacobian field, as the node's
_SURE = 0.3  # least confidence of its points, as the page's
_SHORTEST_PX = 5.0
_PRESSES = 20  # that may be refused, one after the other


def run_drags(setup: Setup, count: int, out: Path) -> dict[str, Any]:
    """Run `count` drags; goals.jsonl, summary.json and task.png go to `out`, and continue.

    Raises:
        NjfError: the checkpoint or the disturbance does not fit the robot; nothing can be pressed.
    """
    key: dict[str, Any] = setup.key() | {"task": "drags"}
    journal, bench = Journal(out, key, DragResult.from_dict), Bench(setup)
    truth = GroundTruth(RobotModel.from_robot(setup.robot))
    trials = draw_trials(setup.robot, count, setup.seed)
    missing = [index for index in range(count) if index not in journal.done]
    with progress_bar(count, count - len(missing)) as progress:
        for index in missing:
            result = run_drag(bench, truth, setup, trials[index], index)
            journal.add(result)
            progress.set_postfix_str(f"{result.error_px:.1f} px, {result.reason}", False)
            progress.update()
    results = [journal.done[index] for index in range(count)]
    figures = drag_summary(results)
    views = [bench.look(trial.start).rgb for trial in trials[:6]]
    write_drags(out / "task.png", views, results, figures["arrived_rate"])
    write_json(out / "summary.json", key | figures)
    return figures


def run_drag(
    bench: Bench, truth: GroundTruth, setup: Setup, trial: Trial, index: int
) -> DragResult:
    """Press, drag and start; when there is nothing to press, that is a result, too."""
    plant, camera = bench.plant(index), setup.robot.control_camera.name
    plant.place(trial.goal)
    there = plant.look().configuration
    plant.place(trial.start)
    here = plant.look()
    flow = truth.flow(camera, here.configuration, there)
    drag, refused = press(bench, here, flow, np.random.default_rng([setup.seed, index, 3]))
    if drag is None:
        return DragResult(index, NOTHING, 0, refused, *[[0.0, 0.0]] * 3, steps=0)
    start = errors(plant.robot, plant.truth, plant.truth)
    run = TrialResult(index, "", start, start, legs=1)
    servo_to(plant, bench.eyes, goal_of(drag), plant.truth, _as_page(setup.servo), run, Stages())
    plant.rest()
    moved = truth.flow(camera, here.configuration, plant.look().configuration)
    end_px = _carried(moved, drag.points_px)
    places = (np.round(px, 3).tolist() for px in (drag.begin_px, drag.end_px, end_px))
    return DragResult(index, run.reason, len(drag.points_px), refused, *places, steps=run.steps)


def press(
    bench: Bench, view: View, flow: ExactFlow, rng: np.random.Generator
) -> tuple[Drag | None, int]:
    """A drag of a random spot along `flow`, and how many presses were refused before it.

    Pressed are pixels whose surface goes somewhere and is seen there, too.
    """
    field = field_of(bench, view)
    far = np.linalg.norm(flow.flow, axis=2) >= _SHORTEST_PX
    candidates = np.argwhere(flow.visible & far)[:, ::-1]
    presses = min(_PRESSES, len(candidates))
    for refused in range(presses):
        pixel = candidates[rng.integers(len(candidates))].astype(np.float64)
        try:
            points = grip(view.rgb, pixel, field, bench.camera)
        except GoalError:
            continue
        return Drag(view.rgb, points, _at(flow.flow, pixel[None])[0]), refused
    return None, presses


def field_of(bench: Bench, view: View) -> FieldView:
    """The Jacobian field that the page would show."""
    camera, half = bench.camera, _STRIDE_PX // 2
    grid = pixel_grid(camera.width, camera.height)[half::_STRIDE_PX, half::_STRIDE_PX]
    encoding = bench.eyes.encode(view, camera)
    surface = bench.eyes.model.evaluate(encoding, camera, grid.reshape(-1, 2).astype(np.float64))
    return FieldView(surface.points_m, surface.jacobian_m, surface.confidence).sure(_SURE)


def goal_of(drag: Drag) -> Goal:
    """What the page would send."""
    now, then, spots = goal_points([drag], drag.image)
    ids = np.arange(len(spots))
    return goal_from_tracks(ids, now, ids, then, spots)


def _as_page(servo: ServoConfig) -> ServoConfig:
    progress = servo.progress.model_copy(update={"tolerance_px": TOLERANCE_PX})
    return servo.model_copy(update={"progress": progress})


def _carried(moved: ExactFlow, points_px: Float32[np.ndarray, "n 2"]) -> Float[np.ndarray, "2"]:
    """Where the surface under the middle of the points is; points beside the robot say nothing."""
    u, v = np.rint(points_px).astype(int).T
    ends_px = points_px + moved.flow[v, u].astype(np.float64)
    on_robot = moved.moving[v, u]
    weights = on_robot if on_robot.any() else ~on_robot
    middle = points_px.mean(axis=0, dtype=np.float64)
    return middle_of(points_px, ends_px, weights.astype(np.float64), middle)


def _at(
    flow: Float32[np.ndarray, "h w 2"], pixels: Num[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2"]:
    u, v = np.rint(pixels).astype(int).T
    return flow[v, u].astype(np.float64)
