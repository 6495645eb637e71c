"""Training, top to bottom: dataset in, self-contained checkpoint out; resumable after a kill."""

import math
import os
import subprocess
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import torch
from pydantic import Field
from tqdm import tqdm

from njf_control.jacobian import JacobianConfig, JacobianField, make_jacobian
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import (
    CameraRecord,
    CheckpointInfo,
    make_scene_model,
    save_checkpoint,
)
from njf_perception.config import Config
from njf_perception.errors import DataError
from njf_perception.scene import PixelNerf, PixelNerfConfig
from njf_training.augment import AugmentConfig
from njf_training.dataset import Dataset
from njf_training.losses import LossConfig, compute_losses
from njf_training.sampler import Batch, RaySampler
from njf_training.selection import DataConfig


class TrainConfig(Config):
    """Everything that decides a training run. See config/training/finger.yaml."""

    steps: int = Field(default=8000, ge=1, description="optimiser steps")
    batch: int = Field(default=8, ge=1, description="images per step")
    rays: int = Field(default=96, ge=6, description="rays per image")
    learning_rate: float = Field(default=2e-3, gt=0, description="peak learning rate of AdamW")
    warmup_steps: int = Field(default=200, ge=1, description="steps of linear warm-up")
    clip_norm: float = Field(
        default=5.0, gt=0, description="gradients are scaled down to this norm"
    )
    ema: float = Field(
        default=0.998, ge=0, lt=1, description="decay of the averaged weights that are kept"
    )
    seed: int = Field(default=0, ge=0, description="seed of everything random")
    threads: int = Field(default=2, ge=1, description="CPU threads of torch")
    save_every: int = Field(default=500, ge=1, description="steps between resumable states")
    perception: PixelNerfConfig = PixelNerfConfig()
    jacobian: JacobianConfig = JacobianConfig()
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()


class Trainer:
    """State of a run: models, averaged weights, optimiser, step."""

    def __init__(self, dataset: Dataset, robot: RobotConfig, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.dataset = config, dataset
        self.info = describe(dataset, robot, config)
        self.model: PixelNerf = make_scene_model(self.info)
        self.jacobian: JacobianField = make_jacobian(self.info, self.model)
        self.modules = torch.nn.ModuleDict({"perception": self.model, "jacobian": self.jacobian})
        self.average = torch.optim.swa_utils.AveragedModel(
            self.modules, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema)
        )
        self.optimizer = torch.optim.AdamW(
            self.modules.parameters(), lr=config.learning_rate, weight_decay=1e-5
        )
        self.sampler = RaySampler(
            dataset,
            config.perception.encoder,
            self.model.workspace,
            config.rays,
            config.augment,
            config.data,
        )
        self.step = 0

    def update(self, batch: Batch) -> dict[str, float]:
        """One optimiser step. Returns the loss terms."""
        losses = compute_losses(
            self.model,
            self.jacobian,
            batch,
            self.sampler.rig,
            self.sampler.context,
            self.config.loss,
        )
        self.optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.modules.parameters(), self.config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self._rate(self.step)
        self.optimizer.step()
        self.average.update_parameters(self.modules)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self, folder: Path) -> None:
        """Write the checkpoint of the averaged weights and the state to resume from."""
        kept = cast(torch.nn.ModuleDict, self.average.module)
        save_checkpoint(
            folder / "checkpoint.pt",
            self.info,
            kept["perception"].state_dict(),
            kept["jacobian"].state_dict(),
        )
        state = {
            "step": self.step,
            "modules": self.modules.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "config": self.config.model_dump_json(),
            "dataset": self.dataset.info.content_id,
        }
        temporary = folder / "resume.tmp"
        torch.save(state, temporary)
        os.replace(temporary, folder / "resume.pt")

    def resume(self, path: Path) -> None:
        """Continue exactly where `save` left off.

        Raises:
            DataError: the saved run had another configuration or dataset.
        """
        state = torch.load(path, weights_only=True)
        if state["config"] != self.config.model_dump_json():
            raise DataError(
                f"{path} belongs to a run with another configuration. "
                "Train into a new folder, or delete this one to start over."
            )
        if state["dataset"] != self.dataset.info.content_id:
            raise DataError(
                f"{path} belongs to a run on another dataset than {self.dataset.folder}. "
                "Train into a new folder, or delete this one to start over."
            )
        self.step = state["step"]
        self.modules.load_state_dict(state["modules"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])

    def _rate(self, step: int) -> float:
        """Linear warm-up, then a cosine down to 1 %."""
        progress = min(1.0, step / self.config.steps)
        return min(1.0, (step + 1) / self.config.warmup_steps) * (
            0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        )


def train(dataset_folder: Path, robot: RobotConfig, out: Path, config: TrainConfig) -> Path:
    """Train on a dataset folder, resuming from `out` if it holds a run. Returns the checkpoint."""
    dataset = Dataset.open(dataset_folder)
    trainer = Trainer(dataset, robot, config)
    out.mkdir(parents=True, exist_ok=True)
    if (out / "resume.pt").exists():
        trainer.resume(out / "resume.pt")
    remaining = range(trainer.step, config.steps)
    progress = tqdm(remaining, "train", total=config.steps, initial=trainer.step, unit="step")
    for batch in _batches(trainer, remaining):
        losses = trainer.update(batch)
        progress.update()
        if trainer.step % 50 == 0:
            progress.set_postfix({name: f"{value:.3f}" for name, value in losses.items()})
        if trainer.step % config.save_every == 0 or trainer.step == config.steps:
            trainer.save(out)
    progress.close()
    return out / "checkpoint.pt"


def _batches(trainer: Trainer, steps: range) -> Iterator[Batch]:
    """Batches of the given steps, the next one prepared in a thread while one is used.

    Each step seeds its own generator, so a resumed run sees the batches it would have seen.
    """

    def make(step: int) -> Batch:
        rng = np.random.default_rng([trainer.config.seed, step])
        return trainer.sampler.batch(rng.choice(trainer.sampler.rows, trainer.config.batch), rng)

    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(make, step) for step in steps[:2])
        for step in steps:
            batch = pending.popleft().result()
            if step + 2 in steps:
                pending.append(pool.submit(make, step + 2))
            yield batch


def describe(dataset: Dataset, robot: RobotConfig, config: TrainConfig) -> CheckpointInfo:
    """What a checkpoint trained on `dataset` says about itself.

    One normalised unit is half the range of the recorded set-points.
    """
    return CheckpointInfo(
        robot=dataset.robot,
        channel_names=dataset.channel_names,
        channel_units=dataset.channel_units,
        command_center=dataset.command_center.tolist(),
        command_half_range=dataset.command_half_range.tolist(),
        camera=CameraRecord.of(dataset.control_camera),
        workspace_min_m=robot.workspace_min_m,
        workspace_max_m=robot.workspace_max_m,
        perception=config.perception,
        jacobian=config.jacobian.model_dump(),
        training={
            "config": config.model_dump(),
            "states": len(dataset.commands),
            "dataset": dataset.info.content_id,
        },
        git_revision=git_revision(),
    )


def git_revision() -> str:
    """Short revision of the working tree, "unknown" outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
