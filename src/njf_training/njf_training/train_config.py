"""What decides a training run."""

from typing import Literal

from pydantic import Field

from njf_control.jacobian import JacobianConfig
from njf_perception.config import Config
from njf_perception.scene import PixelNerfConfig
from njf_training.augment import AugmentConfig
from njf_training.losses import LossConfig
from njf_training.selection import DataConfig

# Keys that say how a run is carried out, not what comes out: they may change when it is resumed.
RUN_KEYS = frozenset(
    {"device", "threads", "workers", "save_every", "log", "log_every", "validate_every"}
)


class TrainConfig(Config):
    """Everything that decides a training run. See config/training/finger.yaml."""

    stage: Literal["joint", "geometry", "jacobian"] = Field(
        default="joint",
        description="what trains: everything; the perception alone; or the Jacobian head alone, on "
        "the frozen perception of `init_from`",
    )
    init_from: str | None = Field(
        default=None,
        description="checkpoint whose perception the run starts from; stage `jacobian` needs one",
    )
    steps: int = Field(default=8000, ge=1, description="optimiser steps")
    batch: int = Field(default=8, ge=1, description="images per step, of all processes together")
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
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where to compute; `auto` takes a GPU if there is one"
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="of the networks; geometry is always float32. `auto`: bfloat16 on a GPU that "
        "knows it, else float32",
    )
    threads: int = Field(default=2, ge=1, description="CPU threads of torch, per process")
    workers: int = Field(
        default=1, ge=1, description="threads that prepare batches ahead, per process"
    )
    save_every: int = Field(default=500, ge=1, description="steps between resumable states")
    log: list[Literal["tensorboard", "wandb"]] = Field(
        default=["tensorboard"], description="where curves and pictures go, beside log.jsonl"
    )
    log_every: int = Field(default=50, ge=1, description="steps between entries of the curves")
    validate_every: int = Field(
        default=500, ge=1, description="steps between validations on held-out motions"
    )
    validation_images: int = Field(default=16, ge=1, description="held-out images of a validation")
    perception: PixelNerfConfig = Field(
        default=PixelNerfConfig(), description="size of the perception model"
    )
    jacobian: JacobianConfig = Field(
        default=JacobianConfig(), description="size of the Jacobian head"
    )
    data: DataConfig = Field(default=DataConfig(), description="the part of the dataset to use")
    augment: AugmentConfig = Field(
        default=AugmentConfig(), description="random changes of context images"
    )
    loss: LossConfig = Field(default=LossConfig(), description="weights of the loss terms")

    def result_key(self) -> str:
        """What must be the same for a run to be continued, as JSON."""
        return self.model_dump_json(exclude=set(RUN_KEYS))

    def stage_loss(self) -> LossConfig:
        """The loss terms of the stage; the others have weight zero and are not computed."""
        unused = {
            "joint": (),
            "geometry": ("flow",),
            "jacobian": (
                "depth", "concentration", "opacity", "color", "proposal", "foreground",
            ),
        }[self.stage]  # fmt: skip
        return self.loss.model_copy(update=dict.fromkeys(unused, 0.0))
