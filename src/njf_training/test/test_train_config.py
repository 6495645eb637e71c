"""Training's configuration: its reference is complete, and stages choose their losses."""

import re
import runpy
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from njf_perception.config import Config, describe
from njf_training.train_config import RUN_KEYS, TrainConfig

ROOT = Path(__file__).parents[3]


class Inner(Config):
    """A section.

    More about it.
    """

    size: int = Field(default=3, ge=1, description="how many")


class Outer(Config):
    """All."""

    kind: Literal["a", "b"] | None = Field(default=None, description="which")
    names: list[str] = Field(description="who")
    inner: Inner = Inner(size=7)


def test_description_has_a_table_per_section() -> None:
    assert describe(Outer).splitlines() == [
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        "| `kind` | `a` or `b` or null | `null` | which |",
        "| `names` | list of text | required | who |",
        "| `inner` | section | see `inner` | A section. |",
        "",
        "### `inner`",
        "",
        "A section.",
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        "| `size` | integer, >= 1 | `7` | how many |",
    ]


def test_the_committed_reference_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "config_reference.py"))
    wanted = script["page"]()
    assert wanted == script["PAGE"].read_text(), "run scripts/config_reference.py"


def test_every_key_has_a_meaning() -> None:
    rows = re.findall(r"^\| `.*", describe(TrainConfig), re.MULTILINE)
    assert len(rows) > 40
    assert [row for row in rows if re.search(r"\|\s*\|$", row)] == []


@pytest.mark.parametrize(
    ("stage", "active"), [("joint", True), ("geometry", True), ("jacobian", False)]
)
def test_a_stage_switches_off_the_losses_it_does_not_train(stage: str, active: bool) -> None:
    loss = TrainConfig.model_validate({"stage": stage, "init_from": "x.pt"}).stage_loss()
    assert bool(loss.depth) is bool(loss.opacity) is bool(loss.proposal) is active
    assert bool(loss.flow) is (stage != "geometry")


def test_only_keys_that_do_not_change_the_result_may_change() -> None:
    key = TrainConfig().result_key()
    assert key == TrainConfig(save_every=7, log=[], threads=1).result_key()
    assert key != TrainConfig(seed=7).result_key()
    assert TrainConfig.model_fields.keys() >= RUN_KEYS
