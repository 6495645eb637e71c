"""Training, top to bottom: dataset in, self-contained checkpoint out; resumable after a kill.

When the weights are done, the confidence is calibrated on motions that they were not trained on.

Several processes or machines: torchrun --nproc-per-node 4 -m njf_training.train --help
"""

import argparse
import math
import time
from pathlib import Path

from tqdm import tqdm

from njf_control.robot import RobotConfig, load_robot
from njf_perception.checkpoint import load_checkpoint
from njf_perception.config import load_config
from njf_perception.errors import DataError, StoppedError, explained
from njf_training.batches import training_batches
from njf_training.calibrate import calibrate_checkpoint
from njf_training.check import check_dataset
from njf_training.dataset import Dataset
from njf_training.distributed import World, join
from njf_training.logs import Logs, open_logs
from njf_training.precision import choose_device
from njf_training.stop import StopRequest, stop_request
from njf_training.train_config import TrainConfig
from njf_training.trainer import Trainer
from njf_training.validation import Validation, mean_losses

AGREE_EVERY = 10  # steps after which the processes of a run ask each other whether to stop


def train(dataset_folder: Path, robot: RobotConfig, out: Path, config: TrainConfig) -> Path:
    """Train on a dataset folder, resuming from `out` if it holds a run. Returns the checkpoint.

    Raises:
        StoppedError: Ctrl-C or SIGTERM; the state is saved.
        NjfError: see `Trainer`, `Trainer.resume` and `open_logs`.
    """
    world = World.of_environment()
    with stop_request() as stop, join(world, choose_device(config.device, world.local_rank)):
        dataset = Dataset.open(dataset_folder)
        check_dataset(dataset, robot)
        trainer = Trainer(dataset, robot, config, world)
        out.mkdir(parents=True, exist_ok=True)
        trainer.resume(out)
        with open_logs(out, config, trainer.step, world) as logs:
            run(trainer, out, logs, stop)
        if world.is_first and config.stage != "geometry":
            calibrate(out / "checkpoint.pt", dataset)
    return out / "checkpoint.pt"


def calibrate(checkpoint: Path, dataset: Dataset) -> None:
    """Calibrate the confidence of the finished checkpoint, unless that was done already."""
    if load_checkpoint(checkpoint).info.confidence is not None:
        return
    try:
        calibrate_checkpoint(checkpoint, dataset)
    except DataError as error:
        tqdm.write(f"the confidence stays as it was trained: {error}")


def run(trainer: Trainer, out: Path, logs: Logs, stop: StopRequest) -> None:
    """Do the remaining steps; save, log and validate on the way.

    Raises:
        StoppedError: asked to stop; the state is saved.
        DataError: the loss is no number any more; the last saved state is kept.
    """
    config, world = trainer.config, trainer.world
    remaining = range(trainer.step, config.steps)
    validation = Validation(trainer) if remaining else None
    batches = training_batches(
        trainer.sampler, remaining, config.batch, config.seed, config.workers, world
    )
    progress = Progress(trainer, logs)
    for batch in batches:
        losses = trainer.update(batch)
        last = trainer.step == config.steps
        save = last or trainer.step % config.save_every == 0
        if save or trainer.step % config.log_every == 0:
            progress.log(mean_losses(trainer, losses), out)
        progress.advance()
        if save:
            trainer.save(out)
        if validation and (trainer.step % config.validate_every == 0 or last):
            validate(validation, trainer, logs)
            progress.restart_clock()
        if not last and _asked_to_stop(trainer, stop):
            trainer.save(out)
            raise StoppedError(
                f"{stop.signal_name or 'another process'} stopped training at step {trainer.step} "
                f"of {config.steps}; {out} holds the state. Give the same command to continue."
            )
    progress.close()


def validate(validation: Validation, trainer: Trainer, logs: Logs) -> None:
    """Log the losses on held-out motions and one picture."""
    losses = validation.losses()
    logs.scalars(trainer.step, {f"validation/{name}": loss for name, loss in losses.items()})
    if trainer.world.is_first and trainer.config.log:
        logs.picture(trainer.step, "validation/flow", validation.picture())


class Progress:
    """The bar on the terminal and the curves of the run."""

    def __init__(self, trainer: Trainer, logs: Logs) -> None:
        self._trainer, self._logs = trainer, logs
        batch = trainer.config.batch
        self._bar = tqdm(
            desc="train",
            total=trainer.config.steps * batch,
            initial=trainer.step * batch,
            unit="image",
            disable=not trainer.world.is_first,
        )
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure the time of steps from now on."""
        self._since, self._from_step = time.monotonic(), self._trainer.step

    def advance(self) -> None:
        """One step is done."""
        self._bar.update(self._trainer.config.batch)

    def log(self, losses: dict[str, float], out: Path) -> None:
        """Write the curves, and show the loss beside the bar.

        Raises:
            DataError: the loss is no number any more.
        """
        step, config = self._trainer.step, self._trainer.config
        seconds = (time.monotonic() - self._since) / (step - self._from_step)
        self._logs.scalars(
            step,
            {f"loss/{name}": loss for name, loss in losses.items()}
            | {
                "learning_rate": self._trainer.optimizer.param_groups[0]["lr"],
                "step_s": seconds,
                "images_per_s": config.batch / seconds,
            },
        )
        self._bar.set_postfix(step=step, loss=f"{losses['total']:.3f}", refresh=False)
        if not math.isfinite(losses["total"]):
            raise DataError(
                f"the loss is no number at step {step}; {out} holds the last good state. "
                "Check the dataset's report, or train with a lower learning_rate."
            )
        self.restart_clock()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def _asked_to_stop(trainer: Trainer, stop: StopRequest) -> bool:
    """Whether to stop here; processes must agree, or one would wait for the others for ever."""
    if trainer.world.size == 1:
        return bool(stop)
    return trainer.step % AGREE_EVERY == 0 and trainer.world.any(bool(stop), trainer.device)


def main() -> None:
    """Train from the command line; what torchrun starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, what in (
        ("robot", "robot file"),
        ("dataset", "dataset folder"),
        ("out", "folder of the run"),
        ("config", "training configuration"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    asked = parser.parse_args()
    with explained():
        config = load_config(asked.config, TrainConfig)
        train(asked.dataset, load_robot(asked.robot), asked.out, config)


if __name__ == "__main__":
    main()
