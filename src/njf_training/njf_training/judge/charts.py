"""Charts of the judge's figures; every one says what is good."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from njf_control.jacobian.confidence import RIGHT_PX, RIGHT_SHARE
from njf_control.visualization.colors import channel_color

_KINDS = {
    "estimated_flow": ("from measured flow", "tab:blue"),
    "exact_flow": ("from exact flow", "tab:cyan"),
    "exact_jacobian": ("exact Jacobian, measured flow", "tab:gray"),
}


def draw_channels(axis: Axes, jacobian: dict[str, Any]) -> None:
    """Jacobian cosine per channel in the channel's colour, whiskers: 95 % interval."""
    channels = jacobian.get("channels", {})
    for i, figures in enumerate(channels.values()):
        cosine = figures["cosine"]
        if not cosine["count"]:
            axis.text(i, 0.02, "not seen", rotation=90, ha="center", fontsize=8)
            continue
        whisker = [[cosine["mean"] - cosine["low"]], [cosine["high"] - cosine["mean"]]]
        axis.bar(i, cosine["mean"], color=channel_color(i), yerr=whisker, capsize=3)
        axis.text(i, 0.03, f"{cosine['mean']:.2f}", ha="center", color="white", fontsize=8)
    whole = jacobian.get("cosine", {})
    if whole.get("count"):
        axis.axhline(whole["mean"], color="black", linestyle="--", linewidth=1)
    axis.set_xticks(range(len(channels)), list(channels), rotation=30, fontsize=8)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), 1.0)
    axis.set_title("Jacobian against the exact one: cosine per channel (1 is perfect)", fontsize=10)


def draw_recovery(axis: Axes, recovery: dict[str, Any]) -> None:
    """Mean error of the recovered command per channel, in degrees or kilopascals."""
    kinds = [kind for kind in _KINDS if kind in recovery]
    unit = ""
    for offset, kind in enumerate(kinds):
        label, color = _KINDS[kind]
        channels = recovery[kind]["channels"]
        places = np.arange(len(channels)) + (offset - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
        heights = [entry["mean"] for entry in channels.values()]
        relative = recovery[kind]["relative"].get("mean", float("nan"))
        axis.bar(
            places, heights, 0.8 / len(kinds), color=color, label=f"{label}: {100 * relative:.0f} %"
        )
        unit = next(iter(channels.values()))["unit"]
        axis.set_xticks(range(len(channels)), list(channels), rotation=30, fontsize=8)
    if kinds:
        axis.legend(title="error over the command's size", fontsize=8, title_fontsize=8)
    axis.set_title(
        f"command read off a motion: mean error per channel [{unit}], 0 is perfect", fontsize=10
    )


def draw_reliability(axis: Axes, confidence: dict[str, Any]) -> None:
    """Share of right points per bin of confidence; on the diagonal the model knows itself."""
    axis.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1)
    bins = confidence["bins"]
    if bins:
        x = [b["confidence"] for b in bins]
        share = np.array([b["count"] for b in bins]) / confidence["count"]
        axis.bar(x, share, 0.03, color="lightgray", label="share of the points")
        y = [b["right"] for b in bins]
        axis.plot(x, y, color="tab:blue", alpha=0.4)
        sizes = 8 + 90 * np.sqrt(share)  # bins of few points say little
        axis.scatter(x, y, sizes, color="tab:blue", label="share right")
        axis.legend(fontsize=8, loc="upper left")
        ece = confidence["ece"]
        axis.set_title(
            f"confidence: calibration error {ece:.2f} (0 is perfect), "
            f"ROC area {confidence['auroc']:.2f} (1 is)",
            fontsize=10,
        )
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("confidence of the model", fontsize=9)
    axis.set_ylabel(f"right within {RIGHT_PX:g} px or {RIGHT_SHARE:.0%}", fontsize=9)
