"""The table of an ablation: mean and standard deviation over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from njf_bringup.ablate.cells import Row
from njf_bringup.tables.markdown import table


@dataclass(frozen=True)
class Figure:
    """A column: its title, where it is in a cell's metrics, and how it is written."""

    title: str
    path: str
    digits: int
    scale: float = 1.0


FIGURES = {
    "control_error_px": Figure("flow error [px]", "prediction.flow.control.error_px.mean", 2),
    "control_cosine": Figure("cosine", "prediction.flow.control.cosine.mean", 3),
    "unseen_error_px": Figure(
        "flow error, unseen cameras [px]", "prediction.flow.held_out.error_px.mean", 2
    ),
    "unseen_cosine": Figure("cosine, unseen cameras", "prediction.flow.held_out.cosine.mean", 3),
    "jacobian_cosine": Figure("Jacobian cosine", "prediction.jacobian.cosine.mean", 3),
    "command_error": Figure(
        "command error [%]", "prediction.command_recovery.estimated_flow.relative.mean", 0, 100
    ),
}


def summarise(
    robot: str,
    rows: Sequence[Row],
    found: Mapping[str, Sequence[Mapping[str, float | None]]],
    sizes: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """The content of ablation.json.

    Args:
        robot: name of the robot.
        rows: lines of the table.
        found: per cell and seed the `FIGURES`.
        sizes: per cell states, cameras and steps.
    """
    lines = [
        {
            "group": row.group,
            "label": row.label,
            "cell": row.cell.name,
            "seeds": len(found[row.cell.name]),
            "figures": {name: _spread(found[row.cell.name], name) for name in FIGURES},
        }
        | dict(sizes[row.cell.name])
        for row in rows
    ]
    return {
        "robot": robot,
        "seeds": max(line["seeds"] for line in lines),
        "steps": max(line["steps"] for line in lines),
        "rows": lines,
    }


def markdown(ablation: Mapping[str, Any]) -> str:
    """The table; a figure without spread has one seed."""
    head = ["", "", "states", "cameras", "steps", "seeds", *(f.title for f in FIGURES.values())]
    rows, group = [], None
    for line in ablation["rows"]:
        title = "" if line["group"] == group else line["group"]
        group = line["group"]
        sizes = [str(line[key]) for key in ("states", "cameras", "steps", "seeds")]
        cells = [_text(line["figures"][name], figure) for name, figure in FIGURES.items()]
        rows.append([title, line["label"], *sizes, *cells])
    return table(head, rows)


def _spread(
    seeds: Sequence[Mapping[str, float | None]], name: str
) -> dict[str, float | list[float]] | None:
    values = [float(value) for figures in seeds if (value := figures[name]) is not None]
    if not values:
        return None
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": std, "all": values}


def _text(spread: Mapping[str, Any] | None, figure: Figure) -> str:
    if spread is None:
        return "not measured"
    mean = f"{figure.scale * spread['mean']:.{figure.digits}f}"
    if len(spread["all"]) < 2:
        return mean
    return f"{mean} ± {figure.scale * spread['std']:.{figure.digits}f}"
