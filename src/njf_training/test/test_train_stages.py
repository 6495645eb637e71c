"""Stages: geometry first, then the Jacobian head on a perception that really stays as it was."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from njf_control.robot import RobotConfig
from njf_perception.checkpoint import load_checkpoint
from njf_perception.encoder import EncoderConfig
from njf_perception.errors import CheckpointError
from njf_training.batches import training_batches
from njf_training.dataset import Dataset
from njf_training.distributed import World
from njf_training.train import train
from njf_training.train_config import TrainConfig
from njf_training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]


@pytest.fixture(scope="module")
def make_trainer(
    ball_dataset: Path, ball_robot: RobotConfig, ball_training: TrainConfig
) -> MakeTrainer:
    """`make_trainer(key=value, ...)`, a trainer of the ball with other configuration."""

    def make(robot: RobotConfig = ball_robot, **changes: object) -> Trainer:
        config = ball_training.model_copy(update=changes)
        return Trainer(Dataset.open(ball_dataset), robot, config)

    return make


@pytest.fixture(scope="module")
def geometry(
    ball_dataset: Path,
    ball_robot: RobotConfig,
    ball_training: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Checkpoint of a short run of stage geometry."""
    config = ball_training.model_copy(update={"stage": "geometry", "steps": 5})
    return train(ball_dataset, ball_robot, tmp_path_factory.mktemp("geometry"), config)


def take_steps(trainer: Trainer, count: int) -> dict[str, torch.Tensor]:
    config = trainer.config
    for batch in training_batches(
        trainer.sampler, range(count), config.batch, config.seed, 1, World()
    ):
        losses = trainer.update(batch)
    return losses


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not value.equal(before[name])}


def test_stage_jacobian_changes_no_bit_of_the_perception(
    make_trainer: MakeTrainer, geometry: Path
) -> None:
    trainer = make_trainer(stage="jacobian", init_from=str(geometry))
    perception, jacobian = snapshot(trainer.model), snapshot(trainer.jacobian)
    terms = {"flow", "setpoint", "uncertainty", "gauge"}
    assert take_steps(trainer, 20).keys() == terms
    assert changed(trainer.model, perception) == set()
    assert changed(trainer.jacobian, jacobian) == {
        n for n, _ in trainer.jacobian.named_parameters()
    }


def test_stage_jacobian_keeps_the_perception_it_was_given(
    make_trainer: MakeTrainer, geometry: Path, tmp_path: Path
) -> None:
    trainer = make_trainer(stage="jacobian", init_from=str(geometry))
    take_steps(trainer, 3)
    trainer.save(tmp_path)
    given, kept = (load_checkpoint(p) for p in (geometry, tmp_path / "checkpoint.pt"))
    assert all(kept.perception[name].equal(weight) for name, weight in given.perception.items())
    assert not all(kept.jacobian[name].equal(weight) for name, weight in given.jacobian.items())


def test_a_frozen_module_has_no_part_in_training_mode(
    make_trainer: MakeTrainer, geometry: Path
) -> None:
    trainer = make_trainer(stage="jacobian", init_from=str(geometry))
    assert not any(part.training for part in trainer.model.modules())
    assert all(part.training for part in trainer.jacobian.modules())


def test_stage_geometry_leaves_the_jacobian_alone(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(stage="geometry")
    perception, jacobian = snapshot(trainer.model), snapshot(trainer.jacobian)
    losses = take_steps(trainer, 2)
    assert "flow" not in losses and {"opacity", "depth", "proposal"} <= losses.keys()
    assert changed(trainer.jacobian, jacobian) == set()
    trained = {name for name, _ in trainer.model.named_parameters()}
    assert changed(trainer.model, perception) == trained


def test_stage_joint_may_start_from_a_checkpoint(make_trainer: MakeTrainer, geometry: Path) -> None:
    trainer = make_trainer(init_from=str(geometry))
    given = load_checkpoint(geometry).perception
    assert changed(trainer.model, given) == set()
    take_steps(trainer, 1)
    assert changed(trainer.model, given) >= {name for name, _ in trainer.model.named_parameters()}


def test_stage_jacobian_needs_a_checkpoint(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Set init_from to the checkpoint.pt"):
        make_trainer(stage="jacobian")
    with pytest.raises(CheckpointError, match="absent.pt: cannot read"):
        make_trainer(stage="jacobian", init_from=str(tmp_path / "absent.pt"))


def test_a_perception_of_another_size_is_refused(
    make_trainer: MakeTrainer, geometry: Path, ball_training: TrainConfig
) -> None:
    encoder = EncoderConfig(input_width=32, input_height=24, width=8, features=8, code=16)
    other = ball_training.perception.model_copy(update={"encoder": encoder})
    with pytest.raises(CheckpointError, match="has perception .*width=4.* this run has .*width=8"):
        make_trainer(stage="jacobian", init_from=str(geometry), perception=other)


def test_a_perception_of_another_workspace_is_refused(
    make_trainer: MakeTrainer, geometry: Path, ball_robot: RobotConfig
) -> None:
    robot = ball_robot.model_copy(update={"workspace_max_m": [0.2, 0.06, 0.09]})
    with pytest.raises(CheckpointError, match="has workspace_max_m"):
        make_trainer(robot=robot, stage="jacobian", init_from=str(geometry))


def test_a_perception_of_another_robot_is_refused(
    make_trainer: MakeTrainer, geometry: Path, tmp_path: Path
) -> None:
    content = torch.load(geometry, weights_only=True)
    content["info"] = content["info"].replace('"robot":"ball"', '"robot":"arm"')
    torch.save(content, tmp_path / "arm.pt")
    with pytest.raises(CheckpointError, match="checkpoint has robot arm"):
        make_trainer(stage="jacobian", init_from=str(tmp_path / "arm.pt"))


def test_batches_do_not_depend_on_who_draws_them(make_trainer: MakeTrainer) -> None:
    sampler = make_trainer().sampler
    (whole,) = training_batches(sampler, range(7, 8), 4, 0, 1, World())
    shares = [next(training_batches(sampler, range(7, 9), 4, 0, 3, World(r, 2))) for r in (0, 1)]
    for name, parts, full in zip(whole._fields, zip(*shares, strict=True), whole, strict=True):
        np.testing.assert_array_equal(torch.cat(parts).numpy(), full.numpy(), err_msg=name)
    items = {tuple(image.flatten()[:50].tolist()) for image in whole.images}
    assert len(items) == 4  # each item has a generator of its own
