"""docs/results.md and the README's figures, from metrics alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from njf_bringup.criteria import CRITERIA
from njf_bringup.tables.cells import ABSENT, median, number, percent, with_interval
from njf_bringup.tables.markdown import table
from njf_bringup.tables.text import LOOPS

_INTRO = """# Results

Written by `njf table` from `checkpoints/<robot>/metrics.json`; nothing here is typed by hand.
`njf evaluate --robot <robot> --closed-loop` measures a checkpoint, `make train-<robot>` makes one.

All robots are simulated. Motions and goals were never trained on. Brackets are 95 % bootstrap
intervals over motions or goals. Angles of a closed loop are means over the joints."""

_FLOW = """## Motion and depth from one image

Held-out motions, predicted from one image of the control camera: end-point error of the flow on
the robot, predicted motion where nothing moves, cosine to the exact flow on moving pixels, median
depth error. In two cameras that never trained, the model's rendering is laid over the data set's
image of the empty scene and compared with the photo (PSNR, on the robot's pixels)."""

_JACOBIAN = """## Jacobians and commands

Cosine between predicted and exact Jacobian in the control image, all channels together and the
worst single channel; the error of the command that the servo's solver reads off a measured
motion, over the command's size, and what the exact Jacobian leaves of it (a solver that takes a
motion as linear in the command errs on large ones); the confidence's expected calibration error (a
point is right within 0.5 px or 25 % of its motion)."""

_LOOP = """## Closed loop

The servo reaches for goals shown as tracked points, through the safety gate, in simulated time.
"Exact Jacobian" is what tracker and servo leave with a perfect model. Reached: mean joint error
below 3 deg, without servos tip error below 3 mm."""

_ABLATION = """## What matters: ablation on {robot}

`njf ablate --robot {robot} --states {states} --steps {steps} --seeds {seeds}`. Mean and standard
deviation over the seeds. Such short trainings compare; the robot's checkpoint is another thing."""


def read_metrics(checkpoints: Path, robots: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The metrics of every robot in the order of `CRITERIA`, empty where there are none."""
    known = list(CRITERIA)
    order = sorted(robots, key=lambda robot: known.index(robot) if robot in known else len(known))
    found: dict[str, dict[str, Any]] = {}
    for robot in order:
        path = checkpoints / robot / "metrics.json"
        metrics = json.loads(path.read_text()) if path.is_file() else {}
        found[robot] = metrics if "prediction" in metrics else {}
    return found


def results_page(metrics: Mapping[str, Mapping[str, Any]], ablations: Sequence[str]) -> str:
    """All of docs/results.md; `ablations` are finished sections."""
    parts = [
        _INTRO,
        _effort(metrics),
        _FLOW,
        _flow(metrics),
        _JACOBIAN,
        _jacobian(metrics),
        _LOOP,
        _loop(metrics),
        *ablations,
    ]
    return "\n\n".join(parts) + "\n"


def readme_block(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """The README's table: what it took and what came out, a row per robot."""
    head = (
        "robot", "channels", "robot minutes", "training", "Jacobian cosine", "joint error",
        "tip error", "goals reached",
    )  # fmt: skip
    return table(head, [_short(robot, m) for robot, m in metrics.items()])


def ablation_section(ablation: Mapping[str, Any], markdown: str) -> str:
    """A section of an ablation's table."""
    states = max(row["states"] for row in ablation["rows"])
    return f"{_ABLATION.format(**ablation, states=states)}\n\n{markdown}"


def _short(robot: str, m: Mapping[str, Any]) -> list[str]:
    if not m:
        return _absent(robot, 7)
    joint = median(m, "closed_loop.learned.joint_error_deg", 2)
    tip = median(m, "closed_loop.learned.tip_error_mm", 2)
    return [
        robot,
        str(len(m["prediction"]["channels"])),
        number(m, "data.robot_minutes"),
        _minutes(m),
        with_interval(m, "prediction.jacobian.cosine", 2),
        "no joints" if "closed_loop" in m and joint == ABSENT else f"{joint} deg",
        f"{tip} mm",
        percent(m, "closed_loop.learned.success_rate"),
    ]


def _absent(robot: str, cells: int) -> list[str]:
    """The row of a robot without metrics."""
    return [robot, ABSENT, *[""] * (cells - 1)]


def _minutes(m: Mapping[str, Any]) -> str:
    minutes = number(m, "training.seconds", 0, 1 / 60)
    return minutes if minutes == ABSENT else f"{minutes} min"


def _effort(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("robot", "states", "training cameras", "robot minutes", "training", "made by")
    return table(
        head,
        [
            [
                robot,
                number(m, "data.states"),
                number(m, "data.training_cameras"),
                number(m, "data.robot_minutes"),
                _minutes(m),
                f"`{m['made_by']}`" if "made_by" in m else ABSENT,
            ]
            if m
            else _absent(robot, 5)
            for robot, m in metrics.items()
        ],
    )


def _flow(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    head = (
        "robot", "cameras", "flow error [px]", "beside the robot [px]", "cosine", "depth [mm]",
        "PSNR [dB]",
    )  # fmt: skip
    rows = []
    for robot, m in metrics.items():
        if not m:
            rows.append(_absent(robot, 6))
            continue
        for role, label in (("control", "control"), ("held_out", "never trained on")):
            flow = f"prediction.flow.{role}"
            rows.append(
                [
                    robot,
                    label,
                    with_interval(m, f"{flow}.error_px", 2),
                    with_interval(m, f"{flow}.error_off_robot_px", 3),
                    with_interval(m, f"{flow}.cosine", 3),
                    with_interval(m, f"{flow}.depth_error_mm", 1),
                    with_interval(m, f"{flow}.psnr_robot_db", 1),
                ]
            )
    return table(head, rows)


def _jacobian(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    head = (
        "robot", "Jacobian cosine", "worst channel", "command error [%]", "with exact Jacobian [%]",
        "calibration error",
    )  # fmt: skip
    recovery = "prediction.command_recovery"
    return table(
        head,
        [
            [
                robot,
                with_interval(m, "prediction.jacobian.cosine", 3),
                _worst(m),
                with_interval(m, f"{recovery}.estimated_flow.relative", 0, 100),
                with_interval(m, f"{recovery}.exact_jacobian.relative", 0, 100),
                number(m, "prediction.confidence.ece", 2),
            ]
            if m
            else _absent(robot, 5)
            for robot, m in metrics.items()
        ],
    )


def _worst(m: Mapping[str, Any]) -> str:
    channels = m.get("prediction", {}).get("jacobian", {}).get("channels", {})
    means = {name: c["cosine"]["mean"] for name, c in channels.items() if c["cosine"]["count"]}
    if not means:
        return ABSENT
    worst = min(means, key=lambda name: means[name])
    return f"{means[worst]:.3f} ({worst})"


def _loop(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("robot", "Jacobian", "joints [deg]", "tips [mm]", "reached", "goals")
    rows = []
    for robot, m in metrics.items():
        loops = [name for name in LOOPS if name in m.get("closed_loop", {})]
        if not loops:
            rows.append(_absent(robot, 5))
        for name in loops:
            figure = f"closed_loop.{name}"
            rows.append(
                [
                    robot,
                    LOOPS[name],
                    median(m, f"{figure}.joint_error_deg", 2),
                    median(m, f"{figure}.tip_error_mm", 2),
                    percent(m, f"{figure}.success_rate"),
                    number(m, f"{figure}.goals"),
                ]
            )
    return table(head, rows)
