"""What the page reports: the error over time, and how the nodes are."""

import time
from typing import Any

from nicegui import ui

from njf_bringup.browser.view import NodeHealth, View

_STALE_S = 3.0  # nodes speak once a second
_CHART_PERIOD_S, _TABLE_PERIOD_S = 0.3, 1.0
_LEVEL_COLORS = {"ok": "#2b8a3e", "warning": "#e67700", "error": "#c92a2a", "stale": "#868e96"}


class ErrorCard:
    """Distance of the tracked points from their targets, over the time of the goal."""

    def __init__(self) -> None:
        self._drawn: tuple = ()
        self._next_s = 0.0
        with ui.card().classes("njf-card w-full"):
            with ui.row().classes("w-full items-center"):
                ui.label("Convergence").classes("njf-title")
                ui.label("mean distance of the points from their targets").classes("njf-note")
            self._chart = ui.echart(_chart()).classes("w-full").style("height: 190px")
            self._chart.props("data-testid=errors")

    def refresh(self, view: View) -> None:
        """Draw what is new."""
        if view.errors == self._drawn or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _CHART_PERIOD_S
        self._drawn = view.errors
        self._chart.options["series"][0]["data"] = [
            [round(time_s, 3), round(error_px, 3)] for time_s, error_px in view.errors
        ]
        self._chart.update()


class HealthCard:
    """What every node last said of itself."""

    def __init__(self) -> None:
        self._next_s = 0.0
        columns = [
            {"name": name, "label": name, "field": name, "align": "left"}
            for name in ("node", "says", "figures")
        ]
        with ui.card().classes("njf-card w-full"):
            ui.label("Diagnostics").classes("njf-title")
            self._table = ui.table(columns=columns, rows=[], row_key="node")
            self._table.props("dense flat wrap-cells hide-pagination :rows-per-page-options='[0]'")
            self._table.classes("w-full").props("data-testid=diagnostics")
            self._table.add_slot("body-cell-node", _DOT)

    def refresh(self, view: View) -> None:
        """Show what is new, once a second."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _TABLE_PERIOD_S
            self._table.rows = [_row(health) for health in view.health]


_DOT = """
<q-td :props="props"><span :style="{color: props.row.color}">&#9679;</span>
<b class="q-ml-xs">{{ props.value }}</b></q-td>
"""


def _row(health: NodeHealth) -> dict[str, str]:
    age_s = time.monotonic() - health.received_s
    silent = age_s > _STALE_S
    figures = ", ".join(f"{key} {value}" for key, value in list(health.values.items())[:6])
    return {
        "node": health.name.lstrip("/"),
        "says": f"silent for {age_s:.0f} s" if silent else health.message,
        "figures": figures,
        "color": _LEVEL_COLORS["stale" if silent else health.level],
    }


def _chart() -> dict[str, Any]:
    def axis(name: str) -> dict[str, Any]:
        return {"type": "value", "name": name, "min": 0, "nameGap": 24, "nameLocation": "middle"}

    return {
        "animation": False,
        "grid": {"left": 52, "right": 16, "top": 12, "bottom": 42},
        "xAxis": axis("time since the goal began [s]"),
        "yAxis": axis("error [px]") | {"nameGap": 34},
        "tooltip": {"trigger": "axis"},
        "series": [{"type": "line", "showSymbol": False, "data": [], "lineStyle": {"width": 2.5}}],
    }
