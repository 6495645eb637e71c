"""What an ablation trains: every row changes one thing of the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

WHOLE, NARROW = "whole", "narrow"
NARROW_SHARE = 0.7  # of the range of the robot that only ever moves in the middle of it
NARROW_STATES = 1200
COUNTS = (2, 4, 6, 12)
AMOUNTS = (300, 600, 1200, 2400)
HEADS = {
    "twist": "twist per channel",
    "free": "free 3D vectors",
    "attention": "attention over channels",
    "image": "Jacobian in the image plane (2D)",
    "direct": "direct flow regression",
}


@dataclass(frozen=True)
class Cell:
    """One training configuration; its name is its folder.

    Attributes:
        name: unique.
        changes: nested keys of `TrainConfig` that differ from the robot's own configuration.
        dataset: `WHOLE`, or `NARROW`: the middle of the range only.
        judged: on which held-out motions of the whole dataset.
        claim: a claim of the documents rests on it, so that it is trained with every seed.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict, hash=False)
    dataset: str = WHOLE
    judged: Literal["held_out", "outside"] = "held_out"
    claim: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table: several rows may show the same cell."""

    group: str
    label: str
    cell: Cell


def rows(cameras: Sequence[str], states: int) -> list[Row]:
    """All rows.

    Args:
        cameras: training cameras of the dataset, the control camera first and those that the
            robot's own file lists next; `BASE` of them are the baseline.
        states: states of the dataset; larger amounts are left out.
    """
    base = {"data": {"cameras": list(cameras[:BASE])}}
    baseline = Cell("baseline", base, claim=True)
    found = [
        Row("training cameras", str(count), baseline if count == BASE else _cameras(cameras, count))
        for count in COUNTS
        if count <= len(cameras)
    ]
    found += [
        Row("states", str(amount), baseline if amount == states else _states(cameras, amount))
        for amount in AMOUNTS
        if amount <= states
    ]
    found += [
        Row("Jacobian", label, baseline if head == "twist" else _head(base, head))
        for head, label in HEADS.items()
    ]
    exact, sensor = {"flow": "exact"}, {"depth": "sensor"}
    found += [
        Row("flow", "estimated from images", baseline),
        Row("flow", "exact (simulator)", Cell("flow_exact", _with_data(base, exact))),
        Row("depth", "none (visual hull)", baseline),
        Row("depth", "depth cameras", Cell("depth_sensor", _with_data(base, sensor))),
    ]
    return found + [
        Row(
            f"outside the training range ({NARROW_SHARE:.0%} of it trained on)",
            HEADS[head],
            Cell(f"outside_{head}", base | _jacobian(head), NARROW, "outside", claim=True),
        )
        for head in ("twist", "direct")
    ]


BASE = 6  # training cameras of the baseline, the control camera among them


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested keys of `changes` put over `base`."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def _cameras(cameras: Sequence[str], count: int) -> Cell:
    return Cell(f"cameras_{count}", {"data": {"cameras": list(cameras[:count])}})


def _states(cameras: Sequence[str], count: int) -> Cell:
    return Cell(f"states_{count}", {"data": {"cameras": list(cameras[:BASE]), "states": count}})


def _head(base: dict[str, Any], head: str) -> Cell:
    return Cell(f"head_{head}", base | _jacobian(head), claim=head == "direct")


def _jacobian(head: str) -> dict[str, Any]:
    return {"jacobian": {"head": head}}


def _with_data(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {"data": base["data"] | changes}
