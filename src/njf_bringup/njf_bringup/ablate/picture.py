"""The ablation as a picture: one column per figure, one bar per row, whiskers over seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes

from njf_bringup.ablate.summary import FIGURES, Figure

_SHOWN = ("control_error_px", "unseen_cosine", "jacobian_cosine", "command_error")


def ablation_picture(ablation: Mapping[str, Any], path: Path) -> None:
    """Draw; whiskers are the standard deviation over seeds, dots the seeds."""
    rows = ablation["rows"]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    places, place, ticks = [], 0.0, []
    for index, row in enumerate(rows):
        if index and row["group"] != rows[index - 1]["group"]:
            place += 0.8
        places.append(place)
        ticks.append(row["label"])
        place += 1.0
    figure = matplotlib.figure.Figure(
        figsize=(4.2 * len(_SHOWN) + 2.5, 0.36 * place + 1.2), layout="constrained"
    )
    axes = figure.subplots(1, len(_SHOWN), sharey=True)
    for axis, name in zip(axes, _SHOWN, strict=True):
        _draw(axis, rows, places, groups, name, FIGURES[name])
    axes[0].set_yticks(places, ticks, fontsize=9)
    axes[0].invert_yaxis()
    for group in groups:
        first = next(i for i, row in enumerate(rows) if row["group"] == group)
        axes[0].annotate(
            group, (0, places[first] - 0.72), xycoords=("axes fraction", "data"), fontsize=9,
            fontweight="bold", ha="left", annotation_clip=False,
        )  # fmt: skip
    figure.suptitle(
        f"{ablation['robot']}: one thing changed at a time, up to {ablation['seeds']} seeds, "
        f"{ablation['steps']} steps"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _draw(
    axis: Axes,
    rows: list[dict[str, Any]],
    places: list[float],
    groups: list[str],
    name: str,
    figure: Figure,
) -> None:
    for row, place in zip(rows, places, strict=True):
        spread = row["figures"][name]
        if spread is None:
            continue
        color = f"C{groups.index(row['group']) % 10}"
        mean, std = figure.scale * spread["mean"], figure.scale * spread["std"]
        axis.barh(place, mean, 0.75, xerr=std, color=color, alpha=0.6, capsize=3)
        values = figure.scale * np.array(spread["all"])
        axis.plot(values, np.full(len(values), place), ".", color="black", markersize=4)
    if name.endswith("cosine"):
        lowest = min(
            (v for row in rows if row["figures"][name] for v in row["figures"][name]["all"]),
            default=0.0,
        )
        axis.set_xlim(min(max(0.0, lowest - 0.05), 0.9), 1.0)
    axis.set_title(figure.title, fontsize=10)
    axis.grid(axis="x", alpha=0.3)
