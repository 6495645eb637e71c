"""Following a film: a motion is shown and recorded on video, then repeated from the video alone.

Points are picked on the robot in the first image and tracked through the film; where they were
becomes waypoints, each passed when the points have come near. The way matters, not just its end:
the shown motion bends, and what is measured is how far the tip strays from it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from njf_bringup.closed_loop.pictures import write_followed
from njf_bringup.closed_loop.plant import CAMERA_HZ, Plant, Truth, View
from njf_bringup.closed_loop.run import (
    Bench,
    Journal,
    Results,
    Setup,
    finish,
    progress_bar,
    show_progress,
)
from njf_bringup.closed_loop.showing import robot_points
from njf_bringup.closed_loop.trial import Stages, TrialResult, errors, failed_trial, servo_to
from njf_bringup.demo.goals import Trial, draw_trials
from njf_bringup.demo.legs import TRACKING_SPEED
from njf_control.robot import RobotConfig
from njf_control.servo.goal import Goal, goal_from_waypoints
from njf_control.servo.waypoints import demonstration_from_video
from njf_perception.errors import NjfError
from njf_perception.trackers.lucas_kanade import LucasKanadeTracker
from njf_perception.video_file import read_video, write_video

MAX_STEPS = 400
_DRAWN = 6  # demonstrations in the picture
_BEND = 0.2  # how far the way's middle lies off the straight line [half range]


@dataclass(frozen=True)
class Demonstration:
    """A motion to be shown: from begin over via to end [channel unit]."""

    begin: Float[np.ndarray, " n"]
    via: Float[np.ndarray, " n"]
    end: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Film:
    """A motion that was shown.

    Attributes:
        video: the recorded video; all that the robot is given, with `points_px`.
        points_px: points on the robot in its first image (u, v) [px].
        truth: where the robot stood at its end.
        tip_path_m: the first tip at every image, in the world.
    """

    video: Path
    points_px: Float32[np.ndarray, "n 2"]
    truth: Truth
    tip_path_m: Float[np.ndarray, "t 3"]


def run_demonstrations(setup: Setup, count: int, out: Path) -> Results:
    """Film and follow `count` motions; figures, pictures and videos go to `out`, and continue.

    Raises:
        NjfError: the checkpoint or the disturbance does not fit the robot.
    """
    key: dict[str, Any] = setup.key() | {"task": "demonstration"}
    journal, bench = Journal(out, key, TrialResult.from_dict), Bench(setup)
    shown = draw_demonstrations(setup.robot, count, setup.seed)
    missing = [index for index in range(count) if index not in journal.done]
    with progress_bar(count, count - len(missing)) as progress:
        for index in missing:
            journal.add(run_demonstration(bench, setup, shown[index], index, _video(out, index)))
            show_progress(progress, journal.done[index])
    trials = [journal.done[index] for index in range(count)]
    pictures = [next(iter(read_video(_video(out, index)))) for index in range(min(count, _DRAWN))]
    write_followed(out / "task.png", pictures, bench.camera, trials)
    return finish(key, trials, out)


def _video(out: Path, index: int) -> Path:
    return out / f"demonstration_{index:02d}.avi"


def draw_demonstrations(robot: RobotConfig, count: int, seed: int) -> list[Demonstration]:
    """Seeded motions: those of the random goals, bent aside in the middle."""
    rng = np.random.default_rng([seed, 2])
    trials = draw_trials(robot, count, seed)
    return [_bent(robot, trial, rng.choice([-_BEND, _BEND], len(trial.goal))) for trial in trials]


def _bent(robot: RobotConfig, trial: Trial, bend: Float[np.ndarray, " n"]) -> Demonstration:
    half_range = (robot.upper - robot.lower) / 2
    via = (trial.start + trial.goal) / 2 + bend * half_range
    return Demonstration(trial.start, np.clip(via, robot.lower, robot.upper), trial.goal)


def run_demonstration(
    bench: Bench, setup: Setup, shown: Demonstration, index: int, video: Path
) -> TrialResult:
    """Film one motion, go back to where it began, and follow the film.

    A film in which too few points are seen from beginning to end is a result, too.
    """
    plant = bench.plant(index)
    film = record(plant, shown, video)
    try:
        goal = follow(film)
    except NjfError:
        failed = failed_trial(plant, Trial(goal=shown.end, start=shown.begin), index)
        failed.shown_path_m = np.round(film.tip_path_m, 6).tolist()
        return failed
    plant.place(shown.begin)
    start = errors(plant.robot, plant.truth, film.truth)
    result = TrialResult(index, "", start, start, legs=1)
    result.points = len(goal.start_px)
    begin_s = plant.now_s
    servo_to(plant, bench.eyes, goal, film.truth, setup.servo, result, Stages(), MAX_STEPS)
    result.duration_s = plant.now_s - begin_s
    plant.rest()
    result.end = errors(plant.robot, plant.truth, film.truth)
    result.setpoint = plant.applied.tolist()
    result.tip_path_m.append(np.round(plant.truth.tips[0], 6).tolist())
    result.shown_path_m = np.round(film.tip_path_m, 6).tolist()
    return result


def record(plant: Plant, shown: Demonstration, video: Path) -> Film:
    """Drive the robot through the motion and write what the control camera sees."""
    plant.place(shown.begin)
    first = plant.look()
    views, tips = [first.rgb], [plant.truth.tips[0]]

    def keep(view: View) -> None:
        views.append(view.rgb)
        tips.append(plant.truth.tips[0])

    for target in (shown.via, shown.end):
        plant.move(target, TRACKING_SPEED, keep)
    video.parent.mkdir(parents=True, exist_ok=True)
    write_video(video, views, CAMERA_HZ)
    return Film(video, robot_points(first), plant.truth, np.array(tips))


def follow(film: Film) -> Goal:
    """What the servo is given: nothing but the video and the points in its first image.

    Raises:
        DataError: too few points are seen to its end.
    """
    last: deque[UInt8[np.ndarray, "h w 3"]] = deque(maxlen=1)

    def frames() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for image in read_video(film.video):
            last.append(image)
            yield image

    waypoints = demonstration_from_video(frames(), film.points_px, LucasKanadeTracker)
    return replace(goal_from_waypoints(film.points_px, waypoints), reference=last[0])
