"""How the distance from the goal shrinks over the steps of the closed loop."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from njf_bringup.closed_loop.pictures import padded
from njf_bringup.closed_loop.run import Results
from njf_bringup.closed_loop.trial import TrialResult

_LABELS = {
    "learned": ("learned model", "tab:blue"),
    "exact_jacobian": ("exact Jacobian: what tracker and servo leave", "tab:gray"),
    "exact_flow_model": ("model trained on exact flow", "tab:green"),
}
_LAST_STEP_SHARE = 0.95  # of the goals have ended at the right end of the picture


def convergence_picture(results: Mapping[str, Results], robot: str, path: Path) -> None:
    """Median and middle half over the goals, joints and tips side by side."""
    figure = matplotlib.figure.Figure(figsize=(13, 4.4), layout="constrained")
    goals = len(next(iter(results.values())).trials)
    figure.suptitle(f"{robot}: distance from {goals} goals, median and middle half")
    has_joints = any(
        np.isfinite(trial.start.joint_deg) for found in results.values() for trial in found.trials
    )
    axes = figure.subplots(1, 2 if has_joints else 1, squeeze=False)[0]
    for name, found in results.items():
        label, color = _LABELS[name]
        _draw(axes[-1], _tips(found.trials), label, color)
        if has_joints:
            _draw(axes[0], _joints(found.trials), label, color)
    axes[-1].set_ylabel("tip error [mm]")
    if has_joints:
        axes[0].set_ylabel("joint error, mean over joints [deg]")
    for axis in axes:
        axis.set_xlabel("step")
        axis.set_yscale("symlog", linthresh=0.1)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _joints(trials: Sequence[TrialResult]) -> Float[np.ndarray, "n t"]:
    return held([[t.start.joint_deg, *t.joint_curve_deg, t.end.joint_deg] for t in trials])


def _tips(trials: Sequence[TrialResult]) -> Float[np.ndarray, "n t"]:
    return held([[t.start.tip_mm, *t.tip_curve_mm, t.end.tip_mm] for t in trials])


def held(curves: Sequence[Sequence[float]]) -> Float[np.ndarray, "n t"]:
    """Curves of one length, see `padded`; what only the few longest have is cut."""
    longest = np.quantile([len(curve) for curve in curves], _LAST_STEP_SHARE)
    return padded(curves)[:, : int(np.ceil(longest))]


def _draw(axis: Axes, curves: Float[np.ndarray, "n t"], label: str, color: str) -> None:
    low, middle, high = np.nanpercentile(curves, [25, 50, 75], axis=0)
    axis.plot(middle, color=color, label=label)
    axis.fill_between(range(len(middle)), low, high, color=color, alpha=0.2, linewidth=0)
