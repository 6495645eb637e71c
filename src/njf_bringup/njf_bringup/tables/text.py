"""The figures of one robot for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from njf_bringup.tables.cells import ABSENT, median, number, percent, with_interval

_ROLES = {"control": "control camera", "training": "trained cameras", "held_out": "unseen cameras"}
_FLOW = (
    ("flow error on the robot [px]", "error_px", 2),
    ("flow beside the robot [px]", "error_off_robot_px", 3),
    ("true motion on the robot [px]", "motion_px", 2),
    ("flow cosine", "cosine", 3),
    ("depth error [mm]", "depth_error_mm", 1),
    ("silhouette IoU", "opacity_iou", 2),
    ("PSNR, whole image [dB]", "psnr_db", 1),
    ("PSNR, robot only [dB]", "psnr_robot_db", 1),
)
_RECOVERY = {
    "estimated_flow": "from measured flow",
    "exact_flow": "from exact flow",
    "exact_jacobian": "exact Jacobian, measured flow",
}
LOOPS = {
    "learned": "learned model",
    "exact_jacobian": "exact Jacobian",
    "exact_flow_model": "model of exact flow",
}


def summary_text(metrics: Mapping[str, Any]) -> str:
    """Every figure with its 95 % interval over motions or goals."""
    lines = [f"{metrics['robot']}: mean [95 % interval] over {_motions(metrics)} motions"]
    lines += _prediction_lines(metrics)
    if "closed_loop" in metrics:
        lines += _loop_lines(metrics)
    return "\n".join(lines)


def _motions(metrics: Mapping[str, Any]) -> int:
    return int(metrics["prediction"]["motions"])


def _prediction_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    for role, label in _ROLES.items():
        if role not in metrics["prediction"]["flow"]:
            continue
        yield label
        for text, name, digits in _FLOW:
            value = with_interval(metrics, f"prediction.flow.{role}.{name}", digits)
            yield f"  {text:<34}{value}"
    yield "Jacobian against the exact one, cosine"
    yield f"  {'all channels':<34}{with_interval(metrics, 'prediction.jacobian.cosine', 3)}"
    for channel in metrics["prediction"]["jacobian"]["channels"]:
        figure = f"prediction.jacobian.channels.{channel}"
        cosine, gain = (with_interval(metrics, f"{figure}.{k}", 3) for k in ("cosine", "gain"))
        yield f"  {channel:<34}{cosine}" + ("" if cosine == ABSENT else f", gain {gain}")
    yield "command read off a motion, error over the command's size"
    for kind, found in metrics["prediction"]["command_recovery"].items():
        figure = f"prediction.command_recovery.{kind}"
        channels = ", ".join(
            f"{name} {entry['mean']:.2f} {entry['unit']}"
            for name, entry in found["channels"].items()
        )
        relative = with_interval(metrics, f"{figure}.relative", 0, 100)
        yield f"  {_RECOVERY[kind]:<34}{relative} %: {channels}"
    calibration = number(metrics, "prediction.confidence.ece", 3)
    yield f"confidence: calibration error {calibration}, right " + (
        f"{percent(metrics, 'prediction.confidence.right')}, area under the ROC curve "
        f"{number(metrics, 'prediction.confidence.auroc', 2)}"
    )


def _loop_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "closed loop, median [95 % interval]"
    for name, label in LOOPS.items():
        if name not in metrics["closed_loop"]:
            continue
        figure = f"closed_loop.{name}"
        joint = median(metrics, f"{figure}.joint_error_deg", 2)
        joints = "" if joint == ABSENT else f"joints {joint} deg, "
        yield f"  {label:<34}{joints}tips {median(metrics, f'{figure}.tip_error_mm', 2)} mm, " + (
            f"reached {percent(metrics, f'{figure}.success_rate')} of "
            f"{number(metrics, f'{figure}.goals')}"
        )
