"""The state of a training run and its one operation, an optimiser step."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from njf_control.jacobian import JacobianField, make_jacobian
from njf_control.robot import RobotConfig
from njf_perception.checkpoint import make_scene_model, save_atomically, save_checkpoint
from njf_perception.errors import DataError
from njf_perception.scene import PixelNerf
from njf_training.batches import to_device
from njf_training.checkpoint_info import checkpoint_info, initial_perception
from njf_training.dataset import Dataset
from njf_training.distributed import World
from njf_training.hull import CameraRig
from njf_training.losses import LossConfig, compute_losses
from njf_training.precision import choose_device, choose_dtype, compute_networks_in
from njf_training.reference import reference_view
from njf_training.sampler import Batch, RaySampler
from njf_training.train_config import TrainConfig

WEIGHT_DECAY = 1e-5


class Objective(nn.Module):
    """The loss terms of a batch as a module, which is what torch can distribute."""

    def __init__(
        self,
        model: PixelNerf,
        jacobian: JacobianField,
        rig: CameraRig,
        context: int,
        config: LossConfig,
    ) -> None:
        super().__init__()
        self.model, self.jacobian = model, jacobian
        self._rig, self._context, self._config = rig, context, config

    def forward(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Weighted loss terms of a batch; see `compute_losses`."""
        return compute_losses(
            self.model, self.jacobian, batch, self._rig, self._context, self._config
        )


class Trainer:
    """State of a run: models, averaged weights, optimiser, step.

    Raises:
        CheckpointError: see `initial_perception`.
        ConfigError: the device is not there, or the batch cannot be shared by the processes.
        DataError: the dataset holds no motion to train on.
    """

    def __init__(
        self, dataset: Dataset, robot: RobotConfig, config: TrainConfig, world: World | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.dataset, self.world = config, dataset, world or World()
        self.world.share(config.batch)
        self.device = choose_device(config.device, self.world.local_rank)
        self.info = checkpoint_info(dataset, robot, config)
        self.model: PixelNerf = make_scene_model(self.info)
        self.jacobian: JacobianField = make_jacobian(self.info, self.model)
        self._start()
        self.sampler = RaySampler(
            dataset,
            config.perception.encoder,
            copy.deepcopy(self.model.workspace),  # batches are made on the CPU
            config.rays,
            config.augment,
            config.data,
        )
        self.modules = nn.ModuleDict({"perception": self.model, "jacobian": self.jacobian})
        self.modules.to(self.device)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.modules, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema)
        )
        self.trained = [weight for weight in self.modules.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=config.learning_rate, weight_decay=WEIGHT_DECAY
        )
        dtype = choose_dtype(config.precision, self.device)
        compute_networks_in(dtype, self.device, self.modules)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype == torch.float16)
        self.rig = _rig_on(self.sampler.rig, self.device)
        self.objective = self.world.wrap(self.objective_of(self.modules))
        self.step = 0

    def _start(self) -> None:
        """Load what the run starts from, and freeze what its stage does not train."""
        perception = initial_perception(self.config, self.info)
        if perception is not None:
            self.model.load_state_dict(perception)
        frozen: dict[str, nn.Module] = {"jacobian": self.model, "geometry": self.jacobian}
        if self.config.stage in frozen:
            frozen[self.config.stage].requires_grad_(False).eval()

    def objective_of(self, modules: nn.ModuleDict) -> Objective:
        """The losses of this run's stage for the current or the averaged models."""
        return Objective(
            cast(PixelNerf, modules["perception"]),
            cast(JacobianField, modules["jacobian"]),
            self.rig,
            self.sampler.context,
            self.config.stage_loss(),
        )

    @property
    def averaged(self) -> nn.ModuleDict:
        """The averaged models, those that are kept."""
        return cast(nn.ModuleDict, self.average.module)

    @property
    def learning_rate(self) -> float:
        """Of the coming step: linear warm-up, times a cosine down to 1 %."""
        progress = min(1.0, self.step / self.config.steps)
        warmup = min(1.0, (self.step + 1) / self.config.warmup_steps)
        decay = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        return self.config.learning_rate * warmup * decay

    def update(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """One optimiser step on this process's share of a batch. Returns its loss terms."""
        seed_noise([self.config.seed, self.step])
        with self.world.noise():
            losses = self.objective(to_device(batch, self.device))
        self.optimizer.zero_grad()
        self.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.trained, self.config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update_parameters(self.modules)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def save(self, folder: Path) -> None:
        """Write the checkpoint of the averaged weights and the state to resume from."""
        if not self.world.is_first:
            return
        perception, jacobian = (
            self.averaged[part].state_dict() for part in ("perception", "jacobian")
        )
        reference = reference_view(self.dataset)
        save_checkpoint(folder / "checkpoint.pt", self.info, perception, jacobian, reference)
        state = {
            "step": self.step,
            "modules": self.modules.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "config": self.config.result_key(),
            "dataset": self.dataset.info.content_id,
        }
        save_atomically(state, folder / "resume.pt")

    def resume(self, folder: Path) -> None:
        """Continue exactly where `save` left off; every process does, from the first one's file.

        Nothing happens where there is no saved state.

        Raises:
            DataError: the saved run had another configuration or dataset.
        """
        path = folder / "resume.pt"
        state: dict[str, Any] | None = None
        if self.world.is_first and path.exists():
            state = torch.load(path, map_location="cpu", weights_only=True)
        state = self.world.from_first(state)
        if state is None:
            return
        if state["config"] != self.config.result_key():
            raise _another("configuration", path)
        if state["dataset"] != self.dataset.info.content_id:
            raise _another("dataset", path)
        self.step = state["step"]
        self.modules.load_state_dict(state["modules"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])


def seed_noise(key: list[int]) -> None:
    """Seed torch's noise by a key alone: what was drawn before does not matter."""
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _rig_on(rig: CameraRig, device: torch.device) -> CameraRig:
    return replace(
        rig,
        rotation=rig.rotation.to(device),
        translation=rig.translation.to(device),
        K=rig.K.to(device),
    )


def _another(what: str, path: Path) -> DataError:
    return DataError(
        f"{path} belongs to a run with another {what}. "
        "Train into a new folder, or delete this one to start over."
    )
