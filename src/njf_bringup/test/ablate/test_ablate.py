"""The ablation changes one thing per row, continues, and sums up."""

import json
from pathlib import Path

import pytest
from PIL import Image

from njf_bringup.ablate import request
from njf_bringup.ablate import run as ablate_run
from njf_bringup.ablate.cells import BASE, WHOLE, Cell, merged, rows
from njf_bringup.ablate.picture import ablation_picture
from njf_bringup.ablate.request import make_ablation, select_rows, shortened
from njf_bringup.ablate.robots import training_cameras, with_all_cameras, within
from njf_bringup.ablate.run import Ablation, run_ablation
from njf_bringup.ablate.summary import markdown
from njf_bringup.paths import robot_file
from njf_control.robot import RobotConfig, load_robot
from njf_perception.errors import ConfigError, DataError
from njf_training.train_config import TrainConfig

CAMERAS = [f"camera_{i}" for i in range(12)]


@pytest.fixture
def poppy() -> RobotConfig:
    return load_robot(robot_file("poppy"))


def test_the_rig_has_twelve_cameras_to_learn_from(poppy: RobotConfig) -> None:
    rig = with_all_cameras(poppy)
    assert len(training_cameras(rig)) == 12
    assert training_cameras(rig)[:BASE] == [f"camera_{i}" for i in range(6)]
    held_out = [c.name for c in rig.cameras if c.role == "held_out"]
    assert held_out == ["camera_6", "camera_7"]


def test_the_narrow_robot_stays_around_its_middle(poppy: RobotConfig) -> None:
    narrow = within(poppy, 0.5)
    assert (narrow.lower + narrow.upper).tolist() == pytest.approx(poppy.lower + poppy.upper)
    reach = (narrow.upper - narrow.lower) / (poppy.upper - poppy.lower)
    assert reach.tolist() == pytest.approx([0.5] * 6)


def test_a_wrong_training_configuration_is_named_before_anything_is_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config" / "training" / "poppy.yaml"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(request, "root", lambda: tmp_path)
    for content, message in (("stepz: 3", "unknown key 'stepz'"), ("", "expected a mapping")):
        file.write_text(content)
        with pytest.raises(ConfigError, match=message):
            make_ablation("poppy", tmp_path / "out", 10, 300, 1, 1)


def test_every_cell_differs_from_the_baseline_in_one_thing() -> None:
    found = rows(CAMERAS, 2400)
    baseline = next(row.cell for row in found if row.cell.name == "baseline")
    for row in found:
        changed = _leaves(row.cell.changes) ^ _leaves(baseline.changes)
        assert len({key for key, _ in changed}) <= 1, row.cell.name
    shared = [row.group for row in found if row.cell is baseline]
    assert shared == ["training cameras", "states", "Jacobian", "flow", "depth"]
    assert len({row.cell.name for row in found}) == 15
    assert {row.label for row in rows(CAMERAS[:6], 600) if row.group == "states"} == {"300", "600"}


def _leaves(changes: dict, path: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for key, value in changes.items():
        inner = isinstance(value, dict)
        found |= _leaves(value, f"{path}.{key}") if inner else {(f"{path}.{key}", str(value))}
    return found


def test_nested_keys_are_put_over_the_robots_own() -> None:
    base = {"steps": 5, "data": {"states": 3, "flow": "exact"}}
    assert merged(base, {"data": {"states": 4}, "seed": 1}) == {
        "steps": 5, "data": {"states": 4, "flow": "exact"}, "seed": 1,
    }  # fmt: skip
    assert base["data"]["states"] == 3


class Trainer:
    """Instead of training, leaves metrics; `fails_at` interrupts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int | None = None) -> None:
        self.ran: list[str] = []
        self.fails_at = fails_at
        monkeypatch.setattr(ablate_run, "run_cell", self.run_cell)
        monkeypatch.setattr(ablate_run, "make_data", lambda ablation, name: None)

    def run_cell(self, ablation: Ablation, cell: Cell, seed: int) -> None:
        if len(self.ran) == self.fails_at:
            raise KeyboardInterrupt
        self.ran.append(f"{cell.name} {seed}")
        views = {role: {"error_px": {"mean": seed + 1.0}} for role in ("control", "held_out")}
        folder = ablation.folder(cell, seed)
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"prediction": {"flow": views}}))


def test_an_interrupted_ablation_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ablation = make_ablation("poppy", tmp_path, 20, 600, seeds=2, jobs=1)
    chosen = select_rows(ablation, "training cameras")
    with pytest.raises(KeyboardInterrupt):
        run_ablation(ablation, chosen) if Trainer(monkeypatch, fails_at=3) else None
    trainer = Trainer(monkeypatch)
    found = run_ablation(ablation, chosen)
    assert len(trainer.ran) == 4 + 1 - 3  # claims rest on the baseline, which has two seeds
    two, _, six, _ = found["rows"]
    assert (two["label"], two["cameras"], two["states"], two["steps"]) == ("2", 2, 600, 20)
    assert (two["seeds"], six["seeds"], six["figures"]["control_error_px"]["mean"]) == (1, 2, 1.5)
    table = markdown(found)
    assert "| training cameras | 2 | 600 | 2 | 20 | 1 | 1.00 | not measured |" in table
    assert "|  | 6 | 600 | 6 | 20 | 2 | 1.50 ± 0.71 | not measured |" in table
    ablation_picture(found, tmp_path / "ablation.png")
    assert Image.open(tmp_path / "ablation.png").size[0] > 500


def test_another_question_does_not_mix_with_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(monkeypatch)
    for states in (600, 300):
        ablation = make_ablation("poppy", tmp_path, 20, states, seeds=1, jobs=1)
        if states == 300:
            with pytest.raises(DataError, match="another states"):
                run_ablation(ablation, select_rows(ablation, "flow"))
        else:
            run_ablation(ablation, select_rows(ablation, "flow"))


def test_a_shorter_training_warms_up_and_forgets_faster() -> None:
    whole = TrainConfig(steps=4000, warmup_steps=200, ema=0.998)
    assert shortened(whole, 1000) == {
        "steps": 1000,
        "warmup_steps": 50,
        "ema": pytest.approx(0.992),
    }
    TrainConfig(**shortened(whole, 1))


def test_unknown_groups_are_told_and_threads_follow_the_jobs(tmp_path: Path) -> None:
    ablation = make_ablation("poppy", tmp_path, 20, 600, seeds=1, jobs=4)
    with pytest.raises(ConfigError, match="groups: 'training cameras', 'states'"):
        select_rows(ablation, "weather")
    config = ablation.training(Cell("x", {"data": {"states": 50}}, WHOLE), seed=7)
    assert (config.threads, config.seed, config.steps, config.data.states) == (1, 7, 20, 50)
