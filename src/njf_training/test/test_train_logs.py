"""Logs: curves and a picture arrive, and a resumed run leaves no second truth."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from njf_control.robot import RobotConfig
from njf_perception.errors import ConfigError
from njf_training.dataset import Dataset
from njf_training.distributed import World
from njf_training.logs import open_logs, read_log
from njf_training.train import train
from njf_training.train_config import TrainConfig
from njf_training.trainer import Trainer
from njf_training.validation import Validation


@pytest.fixture
def config(ball_training: TrainConfig) -> TrainConfig:
    return ball_training.model_copy(
        update={"steps": 4, "log": ["tensorboard"], "log_every": 2, "validate_every": 4}
    )


def test_tensorboard_gets_curves_and_a_picture(
    ball_dataset: Path, ball_robot: RobotConfig, config: TrainConfig, tmp_path: Path
) -> None:
    train(ball_dataset, ball_robot, tmp_path, config)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    entries = read_log(tmp_path / "log.jsonl")
    assert [e["step"] for e in entries] == [2, 4, 4]
    curves = {name for entry in entries for name in entry} - {"step"}
    assert set(events.Tags()["scalars"]) == curves
    assert curves >= {"loss/flow", "loss/total", "learning_rate", "step_s", "validation/flow"}
    assert [point.step for point in events.Scalars("loss/flow")] == [2, 4]
    flow = [entry["loss/flow"] for entry in entries if "loss/flow" in entry]
    np.testing.assert_allclose([p.value for p in events.Scalars("loss/flow")], flow, rtol=1e-6)
    (picture,) = events.Images("validation/flow")
    assert (picture.step, picture.height, picture.width) == (4, 24, 3 * 32 + 2 * 4)


def test_what_a_killed_run_logged_after_its_last_state_is_dropped(
    config: TrainConfig, tmp_path: Path
) -> None:
    with open_logs(tmp_path, config, 0, World()) as logs:
        for step in (1, 2, 3):
            logs.scalars(step, {"loss": 10.0 + step})
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 4, "lo')  # cut short by the kill
    with open_logs(tmp_path, config, 1, World()) as logs:
        logs.scalars(2, {"loss": 22.0})
    assert read_log(tmp_path / "log.jsonl") == [
        {"step": 1, "loss": 11.0},
        {"step": 2, "loss": 22.0},
    ]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(p.step, p.value) for p in events.Scalars("loss")] == [(1, 11.0), (2, 22.0)]


def test_only_the_first_process_writes(config: TrainConfig, tmp_path: Path) -> None:
    with open_logs(tmp_path, config, 0, World(rank=1, size=2)) as logs:
        logs.scalars(1, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    """Calls that a module in place of wandb received."""
    calls: list[tuple[Any, ...]] = []
    fake = SimpleNamespace(
        init=lambda **options: calls.append(("init", options)),
        log=lambda values, step: calls.append(("log", step, values)),
        Image=lambda picture: ("image", picture.shape),
        finish=lambda: calls.append(("finish",)),
    )
    monkeypatch.setitem(sys.modules, "wandb", fake)
    yield calls


def test_wandb_is_written_offline(
    config: TrainConfig,
    tmp_path: Path,
    wandb: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    config = config.model_copy(update={"log": ["wandb"]})
    (tmp_path / "run7").mkdir()
    with open_logs(tmp_path / "run7", config, 0, World()) as logs:
        logs.scalars(3, {"loss": 0.5})
        logs.picture(3, "flow", np.zeros((2, 5, 3), np.uint8))
    (_, options), *rest = wandb
    assert (options["mode"], options["name"]) == ("offline", "run7")
    assert options["config"]["steps"] == 4
    assert rest == [
        ("log", 3, {"loss": 0.5}),
        ("log", 3, {"flow": ("image", (2, 5, 3))}),
        ("finish",),
    ]


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_missing_package_is_named(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module = {"wandb": "wandb", "tensorboard": "torch.utils.tensorboard"}[name]
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(ConfigError, match=f"pip install {name}"),
        open_logs(tmp_path, config.model_copy(update={"log": [name]}), 0, World()),
    ):
        pass


def test_validation_is_the_same_every_time_and_shows_the_held_out_motion(
    ball_dataset: Path, ball_robot: RobotConfig, config: TrainConfig
) -> None:
    trainer = Trainer(Dataset.open(ball_dataset), ball_robot, config)
    validation = Validation(trainer)
    first = validation.losses()
    assert validation.losses() == first
    assert first["total"] == pytest.approx(sum(first.values()) - first["total"])
    image, _, measured, _, _ = np.split(validation.picture(), [32, 36, 68, 72], axis=1)
    assert (image == [200, 60, 40]).all(-1).any()
    robot = (image == [200, 60, 40]).all(-1)
    assert (measured[~robot] == 128).mean() > 0.9  # flow is known on the robot only
    assert (measured[robot] != 128).any(-1).mean() > 0.9
