"""All that can be said of a checkpoint in simulation: predictions, pictures and the closed loop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from njf_bringup.json_file import write_json
from njf_bringup.truth import SimulatorTruth
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint
from njf_training.check import check_dataset
from njf_training.dataset import Dataset
from njf_training.judge.figures import figures
from njf_training.judge.jacobian_sheet import jacobian_sheet
from njf_training.judge.judge import Judge, JudgeOptions
from njf_training.judge.predictor import Predictor
from njf_training.judge.sheet import prediction_sheet

SOFT_JACOBIANS = 10  # exact ones of a robot that has to settle for each take seconds


@dataclass(frozen=True)
class LoopOptions:
    """The closed loop, in process.

    Attributes:
        goals: goals of the model that is judged.
        bound_goals: goals of what it is compared with; the first of the same goals.
        seed: of goals.
        workers: processes.
        exact_flow_checkpoint: a model of the same robot that was trained on exact flow; it shows
            what estimated flow costs. Left out when it does not exist.
    """

    goals: int = 50
    bound_goals: int = 20
    seed: int = 0
    workers: int = 1
    exact_flow_checkpoint: Path | None = None


def assess(
    robot: RobotConfig,
    checkpoint: Path,
    dataset: Path,
    out: Path,
    motions: int = 40,
    loop: LoopOptions | None = None,
) -> dict[str, Any]:
    """Judge a checkpoint; write metrics.json, prediction.png, jacobian.png into `out`.

    With `loop` it also drives to goals, and draws convergence.png.

    Raises:
        NjfError: checkpoint, dataset and robot do not fit each other, or no simulator made the
            dataset.
    """
    metrics: dict[str, Any] = {
        "robot": robot.name,
        "checkpoint": load_checkpoint(checkpoint).content_id,
        "prediction": predict(robot, checkpoint, dataset, out, motions),
    }
    if loop is not None:
        metrics["closed_loop"] = close_loop(robot, checkpoint, out, loop)
    write_json(out / "metrics.json", metrics)
    return metrics


def predict(
    robot: RobotConfig, checkpoint: Path, dataset: Path, out: Path | None, motions: int
) -> dict[str, Any]:
    """Figures of held-out motions, see `njf_training.judge.figures`; pictures into `out`."""
    truth = SimulatorTruth(dataset, robot)
    judge = make_judge(robot, checkpoint, dataset, truth)
    found = judged(judge, options_for(truth, motions))
    if out is not None:
        row = showiest(judge)
        shown = [camera.name for camera in judge.dataset.cameras if camera.role != "training"]
        prediction_sheet(judge, row, shown, found, out / "prediction.png")
        jacobian_sheet(judge, int(judge.dataset.pairs[row][0]), out / "jacobian.png")
    return found


def make_judge(robot: RobotConfig, checkpoint: Path, dataset: Path, truth: SimulatorTruth) -> Judge:
    """The judge of a checkpoint on a dataset.

    Raises:
        NjfError: they do not fit each other.
    """
    data = Dataset.open(dataset)
    check_dataset(data, robot)
    load_checkpoint(checkpoint).require(robot.name, robot.channel_names)
    return Judge(Predictor.load(checkpoint), data, truth)


def options_for(truth: SimulatorTruth, motions: int) -> JudgeOptions:
    """Fewer exact Jacobians where each has to be simulated."""
    exact = None if truth.is_kinematic else SOFT_JACOBIANS
    return JudgeOptions(motions=motions, jacobian_motions=exact)


def judged(judge: Judge, options: JudgeOptions) -> dict[str, Any]:
    """Run a judge and sum up."""
    findings = judge.run(options)
    about = judge.describe()
    found = figures(findings, about["channels"], about["units"], about["half_range"], options.seed)
    return {"motions": len({motion for motion, _, _ in findings.views})} | about | found


def showiest(judge: Judge) -> int:
    """The held-out motion with the largest command."""
    rows = judge.rows(JudgeOptions())
    steps = np.diff(judge.commands[judge.dataset.pairs[rows]], axis=1)[:, 0]
    return int(rows[np.linalg.norm(steps, axis=-1).argmax()])


def close_loop(
    robot: RobotConfig, checkpoint: Path, out: Path, options: LoopOptions
) -> dict[str, Any]:
    """Drive to goals with the model, with exact Jacobians and with an exact-flow model.

    Keys: learned, exact_jacobian (what tracker and servo leave even with a perfect model),
    exact_flow_model (where there is one); each a summary of `njf_bringup.closed_loop`.
    """
    from njf_bringup.closed_loop.run import EXACT, Setup, run_closed_loop
    from njf_bringup.convergence import convergence_picture

    models = {"learned": str(checkpoint), "exact_jacobian": EXACT}
    upper_bound = options.exact_flow_checkpoint
    if upper_bound is not None and upper_bound.is_file():
        models["exact_flow_model"] = str(upper_bound)
    results = {
        name: run_closed_loop(
            Setup(robot, model, options.seed),
            options.goals if name == "learned" else min(options.goals, options.bound_goals),
            out / "closed_loop" / name,
            options.workers,
        )
        for name, model in models.items()
    }
    convergence_picture(results, robot.name, out / "convergence.png")
    return {"seed": options.seed} | {name: found.summary for name, found in results.items()}
