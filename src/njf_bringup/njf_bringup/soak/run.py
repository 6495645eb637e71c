"""The long run from start to verdict."""

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from njf_bringup.demo.goal_kind import GoalKind
from njf_bringup.demo.goals import Trial, draw_trials
from njf_bringup.demo.results import Step
from njf_bringup.graph import ResolvedGraph
from njf_bringup.json_file import write_json
from njf_bringup.soak.judge import Sample, SoakVerdict, judge
from njf_bringup.soak.picture import soak_picture
from njf_bringup.soak.sampler import Sampler
from njf_bringup.up import resolve_options, running
from njf_control.robot import RobotConfig
from njf_perception.errors import DataError, NjfError, StoppedError
from njf_training.checkpoint_info import git_revision

_BATCH = 20  # goals drawn at once
_SAMPLES = 600  # in the whole run
_NICENESS = 5  # of this process, which only watches


@dataclass(frozen=True)
class SoakOptions:
    """What to run, and how steady it has to be."""

    robot: str
    minutes: float
    seed: int
    out: Path
    checkpoint: Path | None
    most_missed: float  # share of the driver's deadlines


@dataclass
class _Course:
    """What happened; it outlives the graph, so that an interrupted run has something to say."""

    samples: list[Sample]
    outcomes: Counter[str]
    ended_by: str = ""


def run_soak(options: SoakOptions) -> bool:
    """Run, write soak.json and soak.png, print the verdict; True when the run was steady.

    An interrupted run, or one whose graph broke, writes what it has.
    """
    graph = resolve_options(
        robot=options.robot,
        checkpoint=options.checkpoint,
        run_dir=options.out / "graph",
        seed=options.seed,
    )
    course = _Course([], Counter())
    try:
        _drive(graph, options, course)
    except StoppedError as error:
        course.ended_by = str(error)
    except NjfError as error:
        course.ended_by = f"error: {error}"
    verdict = judge(course.samples, options.most_missed)
    if course.ended_by:
        verdict.troubles.insert(0, f"ended early: {course.ended_by}")
    _write(options, graph, course, verdict)
    print(_table(course, verdict))
    print(f"{'OK' if verdict.ok else 'FAIL'}; soak.json and soak.png are in {options.out}")
    return verdict.ok


def _drive(graph: ResolvedGraph, options: SoakOptions, course: _Course) -> None:
    cv2.setNumThreads(1)
    period_s = max(1.0, 60 * options.minutes / _SAMPLES)
    with running(graph) as supervisor:
        from njf_bringup.nodes.loop_watch import LoopWatch
        from njf_bringup.nodes.robot_client import RobotClient
        from njf_bringup.nodes.session import Session

        os.nice(_NICENESS)
        with RobotClient(graph.robot, supervisor.check) as client:
            watch = LoopWatch(client.node)
            session = Session(client, graph.robot)
            sampler = Sampler(supervisor.processes, lambda: watch.counters, period_s)
            course.samples = sampler.samples

            def note(step: Step) -> None:
                sampler.note_rate(step.rate_hz)

            with sampler:
                for trial in _until(options, graph.robot):
                    try:
                        record = session.run(trial, GoalKind.TRACKS, note, film=False)
                    except DataError:  # nothing to track in this pose
                        course.outcomes["NOTHING_SEEN"] += 1
                    else:
                        course.outcomes[record.outcome.reason] += 1


def _until(options: SoakOptions, robot: RobotConfig) -> Iterator[Trial]:
    """Random goals until the time is over, with a progress bar in seconds."""
    begin_s, total_s = time.monotonic(), 60 * options.minutes
    seeds = itertools.count(options.seed)
    trials = (trial for seed in seeds for trial in draw_trials(robot, _BATCH, seed))
    with tqdm(total=round(total_s), desc="soak", unit="s") as progress:
        for trial in trials:
            elapsed_s = time.monotonic() - begin_s
            progress.update(min(round(elapsed_s), progress.total) - progress.n)
            if elapsed_s >= total_s:
                return
            yield trial


def _write(
    options: SoakOptions, graph: ResolvedGraph, course: _Course, verdict: SoakVerdict
) -> None:
    content: dict[str, Any] = {
        "robot": graph.robot.name,
        "minutes": options.minutes,
        "seed": options.seed,
        "ok": verdict.ok,
        "most_missed": options.most_missed,
        **asdict(verdict),
        "goals": dict(course.outcomes),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "git_revision": git_revision(),
        "samples": [asdict(sample) for sample in course.samples],
    }
    write_json(options.out / "soak.json", content)
    if course.samples:
        title = f"{graph.robot.name}: {sum(course.outcomes.values())} goals, "
        title += "steady" if verdict.ok else verdict.troubles[0].splitlines()[0][:90]
        soak_picture(course.samples, verdict, title, options.out / "soak.png")


def _table(course: _Course, verdict: SoakVerdict) -> str:
    last = course.samples[-1].rss_mb if course.samples else {}
    lines = [
        f"{name:<16}{last[name]:8.0f} MB {100 * growth:+6.1f} %"
        f"{100 * verdict.cpu_share[name]:8.0f} % of a core"
        for name, growth in verdict.growth.items()
    ]
    goals = ", ".join(f"{count} {reason}" for reason, count in course.outcomes.items())
    lines.append(f"goals: {goals or 'none'}; {verdict.control_hz:.1f} control steps per second")
    lines.append(f"missed deadlines of the driver: {100 * verdict.missed_share:.2f} %")
    return "\n".join([*lines, *verdict.troubles])
