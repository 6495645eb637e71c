"""The demo from start to verdict."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from njf_bringup.demo.film import write_gif
from njf_bringup.demo.goal_kind import GoalKind
from njf_bringup.demo.goals import draw_trials
from njf_bringup.demo.judge import judge
from njf_bringup.demo.metrics import TrialStamps
from njf_bringup.demo.results import Step, TrialRecord
from njf_bringup.demo.summary import write_summary
from njf_bringup.demo.verdict import succeeded, table
from njf_bringup.graph import ResolvedGraph
from njf_bringup.json_file import write_json
from njf_bringup.up import resolve_options, running
from njf_perception.checkpoint import load_checkpoint
from njf_training.checkpoint_info import git_revision

FILMED_GOALS = 4
_NICENESS = 5  # of this process, which only watches while the nodes that it started control
PRODUCTS = ("metrics.json", "servo.gif", "summary.png", "run.mcap", "run.json")


@dataclass(frozen=True)
class DemoOptions:
    """What to show."""

    robot: str
    goals: int
    seed: int
    out: Path
    checkpoint: Path | None
    goal_kind: GoalKind


def run_demo(options: DemoOptions) -> bool:
    """Run the demo, write its files and print the verdict; True when it succeeded.

    Raises:
        NjfError: the graph did not come up, broke, or the robot did not move.
    """
    begin_s = time.monotonic()
    machine = _machine()
    graph = resolve_options(
        robot=options.robot,
        checkpoint=options.checkpoint,
        visualize=False,  # nobody watches, and every process costs the loop time
        record="stream",
        bag=options.out / "run.mcap",
        run_dir=options.out / "graph",
        seed=options.seed,
    )
    checkpoint = load_checkpoint(str(graph.arguments["checkpoint"]))
    checkpoint.require(graph.robot.name, graph.robot.channel_names)
    _clear(options.out)
    records = _run_trials(graph, options)
    metrics = _metrics(options, graph, records) | {
        "checkpoint": checkpoint.content_id,
        "machine": machine,
    }
    _write(options.out, records, metrics)
    print(table(metrics))
    print(f"{time.monotonic() - begin_s:.0f} s; pictures, metrics and bag are in {options.out}")
    return succeeded(metrics)


def _machine() -> dict[str, float]:
    """Cores, and how busy they are before the demo begins; says so when they are too busy."""
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    if load > cores:
        print(f"warning: load {load:.1f} on {cores} cores before the start; control will be late")
    return {"cores": cores, "load_before": load}


def _run_trials(graph: ResolvedGraph, options: DemoOptions) -> list[TrialRecord]:
    # The tracker of this process must not take the cores from the loop it watches.
    cv2.setNumThreads(1)
    with running(graph) as supervisor:
        from njf_bringup.nodes.robot_client import RobotClient
        from njf_bringup.nodes.session import Session

        os.nice(_NICENESS)
        with RobotClient(graph.robot, supervisor.check) as client:
            print("looking at the background", flush=True)
            session = Session(client, graph.robot)
            trials = draw_trials(graph.robot, options.goals, options.seed)
            records = []
            with tqdm(trials, desc="goals", unit="goal") as progress:
                for index, trial in enumerate(progress):
                    film = index < FILMED_GOALS
                    records.append(session.run(trial, options.goal_kind, _reporter(progress), film))
    return records


def _reporter(progress: tqdm) -> Callable[[Step], None]:
    """Shows the newest step in the progress line, on a terminal at once, in a file seldom."""
    period_s = 0.2 if sys.stderr.isatty() else 10.0

    def report(step: Step) -> None:
        due = time.time() - progress.last_print_t > period_s
        progress.set_postfix_str(f"{step.error_px:5.2f} px, {step.rate_hz:4.1f} Hz", refresh=due)

    return report


def _metrics(
    options: DemoOptions, graph: ResolvedGraph, records: Sequence[TrialRecord]
) -> dict[str, Any]:
    stamps = [
        TrialStamps(r.goal.stamp_ns, r.start.stamp_ns, r.end.stamp_ns, r.legs_ns) for r in records
    ]
    figures = judge(options.out / "run.mcap", stamps, graph.robot)
    return {
        "robot": graph.robot.name,
        "goals": options.goals,
        "seed": options.seed,
        "goal_kind": options.goal_kind.value,
        "camera_width_px": graph.robot.control_camera.width,
        "steps": [record.outcome.steps for record in records],
        "legs": [record.outcome.legs for record in records],
        "results": [asdict(record.outcome) for record in records],
        "git_revision": git_revision(),
        **figures,
    }


def _write(out: Path, records: Sequence[TrialRecord], metrics: dict[str, Any]) -> None:
    write_gif(out / "servo.gif", records)
    write_summary(out / "summary.png", records, metrics)
    write_json(out / "metrics.json", metrics)  # last: it says that the run is whole


def _clear(out: Path) -> None:
    """Make room for a new run; only what a demo writes is removed."""
    out.mkdir(parents=True, exist_ok=True)
    for name in PRODUCTS:
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / "graph", ignore_errors=True)
    if (out / "run" / "run.mcap").exists():  # left by a recorder that was killed
        shutil.rmtree(out / "run")
