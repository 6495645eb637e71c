"""What counts as a successful demo, and the table that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from njf_bringup.demo.metrics import SUCCESS_DEG, SUCCESS_MM


@dataclass(frozen=True)
class Criterion:
    """A figure and its bound; `path` leads to it through the metrics."""

    label: str
    path: tuple[str, ...]
    bound: float
    at_most: bool
    unit: str = ""

    def value(self, metrics: Mapping[str, Any]) -> float:
        """The figure in `metrics`."""
        found: Any = metrics
        for key in self.path:
            found = found[key]
        return float("nan") if found is None else float(found)

    def met(self, metrics: Mapping[str, Any]) -> bool:
        """Whether the figure keeps the bound; NaN does not."""
        value = self.value(metrics)
        return value <= self.bound if self.at_most else value >= self.bound


_JOINTS = (
    Criterion("joint error, median", ("joint_error_deg", "median"), 1.0, True, "deg"),
    Criterion("joint error, 90th percentile", ("joint_error_deg", "p90"), 2.0, True, "deg"),
    Criterion(f"goals reached within {SUCCESS_DEG:g} deg", ("success_rate",), 0.95, False),
)
_TIPS = (
    Criterion("tip error, median", ("tip_error_mm", "median"), 2.0, True, "mm"),
    Criterion(f"goals reached within {SUCCESS_MM:g} mm", ("success_rate",), 0.95, False),
)
_TIMING = (
    Criterion("camera to command, median", ("camera_to_command_ms", "median"), 40.0, True, "ms"),
    Criterion("control rate", ("control_hz",), 15.0, False, "Hz"),
)
# A camera of 640 x 480: on two cores, rendering alone takes most of the camera's period, and an
# image is as old as its rendering when it is sent.
_TIMING_FINE = (
    Criterion("camera to command, median", ("camera_to_command_ms", "median"), 150.0, True, "ms"),
    Criterion("control rate", ("control_hz",), 10.0, False, "Hz"),
)
FINE_WIDTH_PX = 640


def criteria(metrics: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """What a run is judged by: the joints of a robot with servos, else its tips; and its pace."""
    accuracy = _JOINTS if "joint_error_deg" in metrics else _TIPS
    is_fine = metrics["camera_width_px"] >= FINE_WIDTH_PX
    return accuracy + (_TIMING_FINE if is_fine else _TIMING)


def error(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """The errors that decide, the name of what they are of, and their unit."""
    if "joint_error_deg" in metrics:
        return metrics["joint_error_deg"], "joint", "deg"
    return metrics["tip_error_mm"], "tip", "mm"


def start(metrics: Mapping[str, Any]) -> str:
    """How far away the motions began."""
    if "start_error_deg" in metrics:
        return f"{metrics['start_error_deg']:.1f} deg per joint"
    return f"{metrics['start_tip_error_mm']:.1f} mm per tip"


def succeeded(metrics: Mapping[str, Any]) -> bool:
    """Every criterion is met."""
    return all(criterion.met(metrics) for criterion in criteria(metrics))


def table(metrics: Mapping[str, Any]) -> str:
    """One line per criterion, then the verdict."""
    lines = [_line(criterion, metrics) for criterion in criteria(metrics)]
    verdict = "SUCCESS" if succeeded(metrics) else "FAILED"
    lines.append(
        f"{verdict}: {metrics['goals']} goals, started {start(metrics)} away (median), "
        f"{_end(metrics)} at the end"
    )
    return "\n".join([*lines, *_exceptions(metrics)])


def _end(metrics: Mapping[str, Any]) -> str:
    tip = f"tips {metrics['tip_error_mm']['median']:.1f} mm"
    if "pressure_error_kpa" in metrics:
        return f"{tip} and pressures {metrics['pressure_error_kpa']['median']:.1f} kPa"
    return tip


def _exceptions(metrics: Mapping[str, Any]) -> list[str]:
    """One line per goal whose motion ended otherwise than by arriving."""
    return [
        f"  goal {index}: {result['reason']}, {result['message']}"
        for index, result in enumerate(metrics["results"])
        if result["reason"] != "CONVERGED"
    ]


def _line(criterion: Criterion, metrics: Mapping[str, Any]) -> str:
    mark = "ok  " if criterion.met(metrics) else "FAIL"
    sign = "<=" if criterion.at_most else ">="
    value = criterion.value(metrics)
    return (
        f"  {mark} {criterion.label:<30}{value:8.2f} {criterion.unit:<4}"
        f"({sign} {criterion.bound:g})"
    )
